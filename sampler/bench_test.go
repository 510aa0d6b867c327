package sampler

import (
	"context"
	"fmt"
	"testing"

	"github.com/hone-ml/hone/event"
)

// BenchmarkRank is the sampler's own part of an annotation's way back: one task
// leaves the pool, the rest is ranked. The scorer's distributions are ready-made.
func BenchmarkRank(b *testing.B) {
	for _, n := range []int{1_000, 10_000, 100_000} {
		b.Run(fmt.Sprintf("pool=%d", n), func(b *testing.B) {
			o := Defaults()
			brain := newBrain(n)
			o.Pool, o.Scorer = brain, readyMade{brain: brain, estimates: make([][]event.Estimate, rankChunk)}
			for i := range rankChunk {
				o.Scorer.(readyMade).estimates[i] = []event.Estimate{estimate(true, .4, .3, .1, .1, .02, .02, .02, .02, .01, .01)}
			}
			s, err := New(o)
			if err != nil {
				b.Fatal(err)
			}
			w := newWorker(s, project)
			if err := w.update(context.Background(), pending{wholePool: true}); err != nil {
				b.Fatal(err)
			}
			b.ReportAllocs()
			for b.Loop() {
				if err := w.update(context.Background(), pending{tasks: map[event.TaskID]struct{}{1: {}}}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

type readyMade struct {
	*brain
	estimates [][]event.Estimate
}

func (r readyMade) Estimates(_ context.Context, _ event.ProjectID, tasks []event.Task) ([][]event.Estimate, string, error) {
	return r.estimates[:len(tasks)], "hone-1", nil
}
