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
		tuning.Do(func() { (&tuner{percent: mostGrowth}).await() })
	}
}

var tuning sync.Once

// tuner hears of every collection's end by the finalizer of something that nobody
// holds.
type tuner struct{ percent int }

func (t *tuner) await() {
	runtime.SetFinalizer(&struct{ t *tuner }{t}, func(*struct{ t *tuner }) {
		t.tune()
		t.await()
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
