// Package parallel divides work on many things among the cores.
package parallel

import (
	"context"
	"runtime"
	"sync"
	"sync/atomic"
)

// chunkSize is the number of indices in a range of ForEachChunk.
const chunkSize = 64

// ForEachChunk calls f for ranges [from, to) of up to chunkSize that together cover 0 to n, on a
// goroutine for each core. worker numbers the goroutines from 0. When the context ends, the
// ranges that are left are skipped, and its error is returned.
func ForEachChunk(ctx context.Context, n int, f func(worker, from, to int)) error {
	workers := min(runtime.GOMAXPROCS(0), (n+chunkSize-1)/chunkSize)
	if workers <= 1 {
		for from := 0; from < n; from += chunkSize {
			if err := ctx.Err(); err != nil {
				return err
			}
			f(0, from, min(from+chunkSize, n))
		}
		return ctx.Err()
	}
	var next atomic.Int64
	var wg sync.WaitGroup
	for w := range workers {
		wg.Go(func() {
			for ctx.Err() == nil {
				from := int(next.Add(chunkSize)) - chunkSize
				if from >= n {
					return
				}
				f(w, from, min(from+chunkSize, n))
			}
		})
	}
	wg.Wait()
	return ctx.Err()
}
