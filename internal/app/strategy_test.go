package app_test

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/hone-ml/hone/api"
)

// A strategy that needs vectors ranks once it has them; while margin stands in, status says so.
func TestStatusSaysWhichStrategyRanks(t *testing.T) {
	r := newConfigured(t, 60, 12)
	for _, c := range []struct{ strategy, encoder, ranks string }{
		{"badge", "hashed", "margin"}, // it has no vectors
		{"badge", "static", "badge"},
		{"margin_kmeans", "static", "margin_kmeans"},
		{"typiclust", "static", "typiclust"},
		{"class_balanced", "hashed", "class_balanced"}, // it needs none
		{"random", "static", "random"},
	} {
		set(t, r.h, r.p, "strategy", c.strategy, "encoder", c.encoder)
		got := r.h.Await(r.p, "the queue is ranked anew, and Label Studio has it", func(p api.Project) bool {
			return p.Settled && p.Queue.Strategy == c.strategy && p.Queue.RankedBy == c.ranks
		})
		assert.Len(t, got.Queue.Reasons, len(got.Queue.Tasks))
		for i, reason := range got.Queue.Reasons {
			assert.NotEmpty(t, reason.Text, "%s: task %d", c.strategy, got.Queue.Tasks[i])
			if c.strategy == "typiclust" {
				assert.Contains(t, []string{"typical", "random"}, reason.Kind)
			}
		}
	}
}
