package sampler

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hone-ml/hone/event"
	"github.com/hone-ml/hone/labelstudio"
)

// Somebody who chooses a superseded version by hand while its rows are deleted one
// by one keeps the rest.
func TestDeletingAVersionEndsWhenTheProjectGoesBackToIt(t *testing.T) {
	run(t, 50, func(o *Options, _ *bench) { o.ManageModelVersion = false; o.QueueSize = 10 }, func(b *bench) {
		for i := range 500 {
			b.ls.put(event.TaskID(i%50+1), labelstudio.PredictionWrite{ModelVersion: "hone-1", Score: 0.5})
		}
		b.ls.live, b.brain.version = "hone-2", "hone-2"
		b.s.Refresh(project)
		b.after(2 * time.Minute)
		require.Less(t, b.ls.versions()["hone-1"], 450)
		b.ls.change(func() { b.ls.live = "hone-1" })
		b.after(time.Minute)
		left := b.ls.versions()["hone-1"]
		b.after(time.Hour)
		assert.Equal(t, left, b.ls.versions()["hone-1"])
		assert.Positive(t, left)
	})
}

// What is left to delete of one version is not taken for another's.
func TestOneVersionsRowsAreNotDeletedForAnothers(t *testing.T) {
	run(t, 50, func(o *Options, _ *bench) { o.ManageModelVersion = false; o.QueueSize = 10 }, func(b *bench) {
		put := func(version string) {
			for i := range 500 {
				b.ls.put(event.TaskID(i%50+1), labelstudio.PredictionWrite{ModelVersion: version, Score: 0.5})
			}
		}
		put("hone-9")
		b.ls.live, b.brain.version = "hone-11", "hone-11"
		b.s.Refresh(project)
		b.after(50 * time.Second)
		b.ls.change(func() {
			put("hone-10")
			b.ls.live = "hone-9" // chosen by hand
		})
		for range 3 { // news comes before the next row is deleted
			b.label(b.next()[0])
			b.after(20 * time.Second)
		}
		left := b.ls.versions()["hone-9"]
		b.after(time.Hour)
		assert.Equal(t, left, b.ls.versions()["hone-9"])
		assert.Zero(t, b.ls.versions()["hone-10"])
		assert.Greater(t, left, 300)
	})
}
