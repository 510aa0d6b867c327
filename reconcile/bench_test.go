package reconcile

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// A comparison of all ids and times that finds nothing, of 20,000 tasks with 5,000
// annotations: hone's own part, without Label Studio's.
func BenchmarkQuietRun(b *testing.B) {
	g, done := newRig(b, b.TempDir(), func(o *Options) { o.PageSize = 500 })
	defer done()
	for i := range 20_000 {
		id := g.ls.addTask()
		if i%4 == 0 {
			g.ls.annotate(id, "a")
		}
	}
	require.Empty(b, g.run(true).Error)
	g.ls.now = g.ls.now.Add(time.Hour)
	require.Empty(b, g.run(false).Error)
	for b.Loop() {
		g.run(true)
	}
}
