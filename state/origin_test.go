package state

import (
	"os"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/hone-ml/hone/event"
)

// Label Studio forgets the prediction that an annotation was made from when it is deleted,
// and its time stays. Whichever statement is heard last, hone knows it, and that nobody
// looked at the annotation.
func TestWhatAnAnnotationWasMadeFromIsNotForgotten(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		edited := rapid.Bool().Draw(t, "edited")
		var said []*event.Changed
		suggested := false
		var want event.Annotation
		for range rapid.IntRange(1, 5).Draw(t, "statements") {
			at := rapid.IntRange(1, 3).Draw(t, "at")
			a := annotation(8, 1, at, string(rune('a'+at)))
			a.Suggested, a.Untimed = rapid.Bool().Draw(t, "has its prediction"), !edited || at == 1
			a.FromModel = a.Suggested && a.Untimed
			suggested = suggested || a.Suggested
			if a.UpdatedAt.After(want.UpdatedAt) {
				want = a
			}
			said = append(said, webhook(1, event.Changed{Annotations: []event.Annotation{a}, Tasks: []event.Task{task(1, 1, `{}`)}}))
		}
		want.Suggested = suggested
		dir, err := os.MkdirTemp("", "origin")
		must(t, err)
		defer func() { must(t, os.RemoveAll(dir)) }()
		_, s, heard := deliver(t, dir, said, rapid.Bool().Draw(t, "positions"))
		defer func() { must(t, s.Close()) }()
		stored, err := s.Tasks(ctx, 1, nil)
		must(t, err)
		got := stored[0].Annotations[0]
		if got.Suggested != suggested || got.Unattended() != want.Unattended() || string(got.Result) != string(want.Result) {
			t.Fatalf("stored %+v, want %+v, unattended %t", got, want, want.Unattended())
		}
		if told := heard[1][1].Annotations[0]; told.Suggested != got.Suggested || told.Unattended() != got.Unattended() {
			t.Fatalf("the learner was told (-stored +told):\n%s", gocmp.Diff(got, told))
		}
	})
}

// A reading that lacks the prediction, which has been deleted, is no change: nothing was
// missed, and the annotation stays out of the model. Records of older hones hold too.
func TestAReadingWithoutThePredictionIsNoChange(t *testing.T) {
	for _, old := range []bool{false, true} {
		s := open(t, t.TempDir(), Options{})
		a := annotation(8, 1, 2, "a")
		a.FromModel = true
		if !old {
			a.Suggested, a.Untimed = true, true
		}
		apply(t, s, webhook(1, event.Changed{Tasks: []event.Task{task(1, 1, `{}`)}, Annotations: []event.Annotation{a}}))
		forgotten := annotation(8, 1, 2, "a")
		forgotten.Untimed = true
		deltas, err := s.Plan(ctx, []*event.Changed{{
			Project: 1, Source: event.FromReconcile, At: sec(9), Position: 9, Reading: &event.Reading{From: 8},
			Tasks: []event.Task{task(1, 1, `{}`)}, Annotations: []event.Annotation{forgotten},
		}})
		must(t, err)
		if d := deltas[0]; d.Annotations != 0 || len(d.Tasks) != 0 || len(d.Doubts.Tasks) != 0 {
			t.Errorf("older hone %t: the reading changes %d annotations, tasks %+v, doubts %v", old, d.Annotations, d.Tasks, d.Doubts.Tasks)
		}
		must(t, s.Commit(ctx, commitOf(deltas)))
		stored, err := s.Tasks(ctx, 1, nil)
		must(t, err)
		if got := stored[0].Annotations[0]; !got.Unattended() || !got.Suggested {
			t.Errorf("older hone %t: stored %+v", old, got)
		}
		edited := annotation(8, 1, 3, "b")
		apply(t, s, webhook(2, event.Changed{Annotations: []event.Annotation{edited}}))
		stored, err = s.Tasks(ctx, 1, nil)
		must(t, err)
		if got := stored[0].Annotations[0]; got.Unattended() || !got.Suggested {
			t.Errorf("older hone %t: after a person's edit %+v", old, got)
		}
	}
}

// A restored Label Studio gives ids again. What an annotation of another task was made from
// says nothing of the new one, whichever is heard first.
func TestOriginBelongsToOneAnnotation(t *testing.T) {
	for _, late := range []bool{false, true} {
		s := open(t, t.TempDir(), Options{})
		suggested, other := annotation(8, 1, 2, "a"), annotation(8, 2, 3, "b")
		suggested.Suggested, other.Untimed = true, true
		said := []event.Annotation{suggested, other}
		if late {
			said = []event.Annotation{other, suggested}
		}
		for i, a := range said {
			apply(t, s, webhook(1+i, event.Changed{Tasks: []event.Task{task(1, 1, `{}`), task(2, 1, `{}`)}, Annotations: []event.Annotation{a}}))
		}
		stored, err := s.Tasks(ctx, 1, []event.TaskID{2})
		must(t, err)
		if got := stored[0].Annotations[0]; got.Suggested || got.Unattended() {
			t.Errorf("heard late %t: stored %+v", late, got)
		}
	}
}
