package main

import (
	"os"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"sync"
)

// Garbage is collected when the heap has grown by spare, but by no more than Go's
// whole and no less than leastGrowth hundredths. Most of a large heap are examples,
// large pieces without pointers that the collector does not look into: collecting
// it eight times as often costs a few hundredths of the speed, and saves half the
// memory. A small heap is left to Go.
const (
	spare       = 32 << 20
	leastGrowth = 12
	mostGrowth  = 100
)

// saveMemory is for commands that hold examples for long. Who sets GOGC knows better.
func saveMemory() {
	if os.Getenv("GOGC") == "" {
		tuning.Do(func() { (&tuner{percent: mostGrowth}).onGC() })
	}
}

var tuning sync.Once

// tuner adjusts the collector after every collection. It learns of the end of one by
// the finalizer of an object that nobody holds.
type tuner struct{ percent int }

// onGC has tune called after the next collection, and after each one that follows.
func (t *tuner) onGC() {
	runtime.SetFinalizer(&struct{ t *tuner }{t}, func(*struct{ t *tuner }) {
		t.tune()
		t.onGC()
	})
}

func (t *tuner) tune() {
	live := []metrics.Sample{{Name: "/gc/heap/live:bytes"}}
	metrics.Read(live)
	if live[0].Value.Kind() != metrics.KindUint64 {
		return
	}
	if p := growth(live[0].Value.Uint64()); p != t.percent {
		t.percent = p
		debug.SetGCPercent(p)
	}
}

// growth is the percentage for so many bytes that are in use.
func growth(live uint64) int {
	return int(min(max(100*spare/max(live, 1), leastGrowth), mostGrowth))
}
