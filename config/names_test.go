package config_test

import (
	"testing"

	"github.com/hone-ml/hone/config"
	"github.com/hone-ml/hone/sampler"
)

// The defaults that are written here and in the sampler are the same.
func TestSamplerAgrees(t *testing.T) {
	c, o := config.Default().Sampler, sampler.Defaults()
	if c.Strategy != o.Strategy || c.Queue != o.QueueSize || c.Head != o.Front || c.Settle != o.Settle || c.RandomShare != o.RandomShare ||
		c.PushRate != o.PushRate || c.BackgroundWrites != o.BackgroundWrites || c.BulkAbove != o.BulkAbove || c.CheckEvery != o.CheckEvery || c.ManageModelVersion != o.ManageModelVersion {
		t.Errorf("the defaults differ:\n%+v\n%+v", c, o)
	}
}
