package parallel_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"

	"github.com/hone-ml/hone/internal/parallel"
)

// Each index is in one range, and none is visited once the context has ended.
func TestForEachChunk(t *testing.T) {
	for _, n := range []int{0, 1, 63, 64, 65, 1000} {
		visits := make([]atomic.Int32, n)
		err := parallel.ForEachChunk(t.Context(), n, func(_, from, to int) {
			for i := from; i < to; i++ {
				visits[i].Add(1)
			}
		})
		if err != nil {
			t.Fatal(err)
		}
		for i := range visits {
			if got := visits[i].Load(); got != 1 {
				t.Fatalf("index %d of %d was visited %d times", i, n, got)
			}
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	err := parallel.ForEachChunk(ctx, 1000, func(int, int, int) { t.Error("visited after the end") })
	if !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}
