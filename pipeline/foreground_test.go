package pipeline_test

import (
	"context"
	"sync/atomic"
	"testing"

	"github.com/hone-ml/hone/event"
	"github.com/hone-ml/hone/pipeline"
)

// foreground counts the pieces of work that have begun, and those that have not ended.
type foreground struct{ begun, working atomic.Int64 }

func (f *foreground) Begin() {
	f.begun.Add(1)
	f.working.Add(1)
}

func (f *foreground) End() { f.working.Add(-1) }

// What is being published and what is being handled in lanes is in the foreground, and nothing else.
func TestForeground(t *testing.T) {
	var f foreground
	r := newRig(t, pipeline.Options{Foreground: &f})
	r.publish(of(1, 1), of(1, 2))
	if begun, working := f.begun.Load(), f.working.Load(); begun != 1 || working != 0 {
		t.Errorf("published: %d begun, %d at work", begun, working)
	}
	during := make(chan int64, 2)
	fails := true
	r.HandleLanes("g", event.Changes, 10, knows(), func(context.Context, []event.Event, event.Cursor) error {
		during <- f.working.Load()
		if fails {
			fails = false
			panic("a fault")
		}
		return nil
	})
	r.start()
	for range 2 {
		if n := wait(t, during); n != 1 {
			t.Errorf("handled: %d at work", n)
		}
	}
	<-r.caughtUp()
	if err := r.stop(); err != nil || f.working.Load() != 0 {
		t.Errorf("in the end: %d at work, %v", f.working.Load(), err)
	}
}
