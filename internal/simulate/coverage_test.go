package simulate

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hone-ml/hone/encode/encoders"
	"github.com/hone-ml/hone/sampler/strategy"
)

// Coverage asks by the vectors of the encoder, one task at a time and in batches, and two runs ask
// the same.
func TestCoverageIsSimulated(t *testing.T) {
	d := load(t, generated(150, 1), generated(80, 2))
	for _, batch := range []int{1, 10} {
		o := options()
		o.Strategies, o.Labels, o.Batch, o.Encoder = []string{strategy.NameCoverage, strategy.NameMargin, strategy.NameRandom}, []int{10, 20, 40}, batch, encoders.Default()
		res := simulated(t, d, o)
		assert.Equal(t, res, simulated(t, d, o))
		areas := res.Areas()
		require.Len(t, areas, 3)
		assert.NotEqual(t, areas[0].Accuracy.Area, areas[1].Accuracy.Area, "it is no margin")
		assert.NotNil(t, areas[0].Accuracy.StandardError)
	}
}
