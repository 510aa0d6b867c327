package main

import (
	"os"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"sync"
)

// Garbage is collected when the heap has grown by heapSpare bytes, but by at least minGrowth
// and at most maxGrowth per cent. Most of a large heap are examples, large blocks without
// pointers that the collector does not scan: collecting it eight times as often costs a few
// per cent of the speed and saves half of the memory. A small heap grows as Go's default
// lets it.
const (
	heapSpare = 32 << 20
	minGrowth = 12
	maxGrowth = 100
)

// startGCTuner starts the tuner, for commands that hold examples for long. It does nothing
// when GOGC is set.
func startGCTuner() {
	if os.Getenv("GOGC") == "" {
		tuneOnce.Do(func() { (&gcTuner{percent: maxGrowth}).onGC() })
	}
}

var tuneOnce sync.Once

// gcTuner adjusts the collector after every collection. The finalizer of an unreachable
// object tells it that one has ended.
type gcTuner struct{ percent int }

// onGC arranges that tune is called after the next collection and after each later one.
func (t *gcTuner) onGC() {
	runtime.SetFinalizer(&struct{ t *gcTuner }{t}, func(*struct{ t *gcTuner }) {
		t.tune()
		t.onGC()
	})
}

func (t *gcTuner) tune() {
	live := []metrics.Sample{{Name: "/gc/heap/live:bytes"}}
	metrics.Read(live)
	if live[0].Value.Kind() != metrics.KindUint64 {
		return
	}
	if p := growthPercent(live[0].Value.Uint64()); p != t.percent {
		t.percent = p
		debug.SetGCPercent(p)
	}
}

// growthPercent returns the value of GOGC for a heap of live bytes.
func growthPercent(live uint64) int {
	return int(min(max(100*heapSpare/max(live, 1), minGrowth), maxGrowth))
}
