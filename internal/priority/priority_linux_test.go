package priority_test

import (
	"syscall"
	"testing"

	"github.com/hone-ml/hone/internal/priority"
)

// nice returns the nice value of the calling thread.
func nice(t *testing.T) int {
	t.Helper()
	raw, err := syscall.Getpriority(syscall.PRIO_PROCESS, 0) // 20 less the nice value
	if err != nil {
		t.Fatal(err)
	}
	return 20 - raw
}

// The work is of the lowest priority, and nothing after it is.
func TestLowest(t *testing.T) {
	before := nice(t)
	within := -1
	priority.Lowest(func() { within = nice(t) })
	if within != 19 {
		t.Errorf("nice %d within", within)
	}
	for range 100 {
		done := make(chan int)
		go func() { done <- nice(t) }()
		if after := <-done; after != before {
			t.Fatalf("nice %d afterwards, %d before", after, before)
		}
	}
}
