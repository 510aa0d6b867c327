package main

import (
	"os"
	"runtime/debug"
)

// heapGrowth is by how many hundredths what hone holds may grow before garbage is
// collected. Most of it are examples, large pieces without pointers that the
// collector does not look into, so collecting three times as often as Go does costs
// a few hundredths of the speed, and saves half the memory of many examples.
const heapGrowth = 30

// saveMemory is for commands that hold examples for long. Who sets GOGC knows better.
func saveMemory() {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(heapGrowth)
	}
}
