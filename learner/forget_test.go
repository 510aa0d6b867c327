package learner_test

import (
	"errors"
	"testing"

	"github.com/hone-ml/hone/event"
	"github.com/hone-ml/hone/learner"
	"github.com/hone-ml/hone/state"
)

// What stands before Forgotten in the log is deleted, in the same batch too; what stands
// behind it begins the project anew. A delivery after a failure does the same again.
func TestForgottenDeletesWhatStandsBeforeIt(t *testing.T) {
	d := openDisk(t)
	l := start(t, d, learner.Options{})
	apply(t, l, labels(30), setUp(map[string]string{"queue": "7"}))
	rest(t, l)
	other := labels(5)
	other.Project = 2
	apply(t, l, other)

	forgotten := &event.Forgotten{Project: 1, At: at(3)}
	apply(t, l, labels(40), forgotten)
	if _, err := d.Meta(bg, 1); !errors.Is(err, state.ErrUnknownProject) {
		t.Errorf("stored: %v", err)
	}
	if _, ok := l.Status(1); ok {
		t.Error("its model is in memory")
	}
	if _, ok := l.Status(2); !ok {
		t.Error("the other project's model is gone")
	}

	batch := []event.Event{labels(40), forgotten, labels(7)}
	rest(t, l) // no commit in the background is the one that fails
	d.failNext(1)
	if err := l.Apply(bg, batch, event.Cursor{}); !errors.Is(err, errDisk) {
		t.Fatalf("a failed commit gives %v", err)
	}
	apply(t, l, batch...)
	rest(t, l)
	if n := status(t, l).Labels; n != 7 {
		t.Errorf("%d labels, want the 7 behind it", n)
	}
	if set, err := d.ProjectSettings(bg, 1); err != nil || len(set) > 0 {
		t.Errorf("settings %v, %v", set, err)
	}
	must(t, l.Stop(bg))
	again := start(t, d, learner.Options{})
	must(t, again.Load(bg, []event.ProjectID{1}))
	if n := status(t, again).Labels; n != 7 {
		t.Errorf("after a restart %d labels, want 7", n)
	}
	apply(t, again, forgotten, forgotten) // twice is harmless, and of nothing too
	apply(t, again, forgotten)
}
