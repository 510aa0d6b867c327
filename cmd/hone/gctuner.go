package main

import (
	"os"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"sync"
)

// Garbage is collected when the heap has grown by spare, but by no more than Go's
// whole and no less than minGrowth hundredths. Most of a large heap are examples,
// large pieces without pointers that the collector does not look into: collecting
// it eight times as often costs a few hundredths of the speed, and saves half the
// memory. A small heap is left to Go.
const (
	heapSpare = 32 << 20
	minGrowth = 12
	maxGrowth = 100
)

// startGCTuner is for commands that hold examples for long. Who sets GOGC knows better.
func startGCTuner() {
	if os.Getenv("GOGC") == "" {
		tuneOnce.Do(func() { (&gcTuner{percent: maxGrowth}).onGC() })
	}
}

var tuneOnce sync.Once

// gcTuner adjusts the collector after every collection. It learns of the end of one by
// the finalizer of an object that nobody holds.
type gcTuner struct{ percent int }

// onGC has tune called after the next collection, and after each one that follows.
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

// growthPercent is the percentage for so many bytes that are in use.
func growthPercent(live uint64) int {
	return int(min(max(100*heapSpare/max(live, 1), minGrowth), maxGrowth))
}
