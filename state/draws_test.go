package state

import (
	"math"
	"reflect"
	"testing"

	"github.com/hone-ml/hone/event"
)

// Draws are there after a restart, in their order, each of its own project, and go with it.
func TestDrawsAreStored(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir, Options{})
	for p := range event.ProjectID(2) {
		apply(t, s, &event.Changed{Project: p + 1, CreatedAt: 100, Source: event.FromSetup, At: sec(1), Title: "a"})
	}
	var want []event.Draw
	for n := range uint64(300) { // more than one byte of the number
		want = append(want, event.Draw{
			Number: n, Task: event.TaskID(1000 - n), Q: 1. / 3, Left: 7, Within: math.MaxUint64 - n, Inverse: 21, At: sec(2), Strategy: "coverage", Version: "hone-1",
			Known:    []event.TaskID{4, 9},
			Controls: []event.DrawnControl{{Control: "topic", Labels: []string{"a"}, Guess: []float32{.1}, Rest: []float32{3.3}, Foreseen: []float32{2}}},
		})
	}
	must(t, s.PutDraws(ctx, 1, want[150:]))
	must(t, s.PutDraws(ctx, 1, want[:150]))
	must(t, s.PutDraws(ctx, 9, want)) // of a project that is not known
	must(t, s.Close())
	s = open(t, dir, Options{})
	have := func(p event.ProjectID) []event.Draw {
		t.Helper()
		d, err := s.Draws(ctx, p)
		must(t, err)
		return d
	}
	if got := have(1); !reflect.DeepEqual(got, want) {
		t.Errorf("%d draws, the first %+v", len(got), got[0])
	}
	for _, p := range []event.ProjectID{2, 9} {
		if n := len(have(p)); n != 0 {
			t.Errorf("project %d has %d draws of another", p, n)
		}
	}
	apply(t, s, &event.Changed{Project: 1, CreatedAt: 200, Source: event.FromReconcile, At: sec(7), Title: "new", Reading: &event.Reading{}})
	if n := len(have(1)); n != 0 {
		t.Errorf("another project has %d draws of one that is no more", n)
	}
}
