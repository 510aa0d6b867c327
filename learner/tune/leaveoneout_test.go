package tune

import (
	"math"
	"testing"

	"github.com/hone-ml/hone/event"
	"github.com/hone-ml/hone/learner/head/headtest"
	"github.com/hone-ml/hone/learner/model"
)

// What an example is said to be by a model without it is what a model says that was trained
// from scratch on all others; and examples come and go without a trace.
func TestLeaveOneOutIsTrainingFromScratch(t *testing.T) {
	q := headtest.Choices(t, "single")
	examples := headtest.Noisy(120, 0.3)
	m, err := Build(t.Context(), q, examples, Defaults(q), 1e-4, func(float64) {})
	if err != nil {
		t.Fatal(err)
	}
	ids := []event.TaskID{-5} // there is none
	for _, e := range examples {
		ids = append(ids, event.TaskID(e.ID))
	}
	got, err := LeaveOneOut(t.Context(), q, CopyOf(m), ids, 0)
	if err != nil {
		t.Fatal(err)
	}
	if len(got) != len(examples) {
		t.Fatalf("%d of %d", len(got), len(examples))
	}
	differ, wrong := 0, 0
	for i, e := range examples {
		var rest []model.Example
		for _, o := range examples {
			if o.ID != e.ID {
				rest = append(rest, o)
			}
		}
		scratch, err := Build(t.Context(), q, rest, Defaults(q), 1e-4, func(float64) {})
		if err != nil {
			t.Fatal(err)
		}
		want := heldOut(q, scratch, q.Kind.Snapshot(q, scratch), e)
		if got[i].Task != want.Task || math.Abs(got[i].Confidence-want.Confidence) > leaveOutTolerance {
			t.Errorf("%+v, from scratch %+v", got[i], want)
		}
		if got[i].Correct != want.Correct {
			differ++
		}
		if !want.Correct {
			wrong++
		}
	}
	if differ > 1 || wrong == 0 || wrong == len(examples) {
		t.Errorf("%d of %d answers differ, %d are wrong", differ, len(examples), wrong)
	}
	if m.Len() != len(examples) {
		t.Errorf("the model has %d examples now", m.Len())
	}
}

// Of many ids it takes the first that have examples, and an only example is predicted by a
// model of none.
func TestLeaveOneOutHasABound(t *testing.T) {
	q := headtest.Choices(t, "single")
	m, err := Build(t.Context(), q, headtest.Noisy(maxLeftOut+50, 0), Defaults(q), 0.1, func(float64) {})
	if err != nil {
		t.Fatal(err)
	}
	var ids []event.TaskID
	m.Examples(func(e model.Example) bool { ids = append(ids, event.TaskID(e.ID)); return true })
	got, err := LeaveOneOut(t.Context(), q, CopyOf(m), ids, 0)
	if err != nil || len(got) != maxLeftOut || got[0].Task != ids[0] {
		t.Errorf("%d of %d, %v", len(got), len(ids), err)
	}
	if got, err = LeaveOneOut(t.Context(), q, CopyOf(m), ids, 1); err != nil || len(got) != minLeftOut {
		t.Errorf("%d of %d without time, %v", len(got), len(ids), err)
	}
	one, err := Build(t.Context(), q, headtest.Noisy(1, 0), Defaults(q), 0.1, func(float64) {})
	if err != nil {
		t.Fatal(err)
	}
	var single []event.TaskID
	one.Examples(func(e model.Example) bool { single = append(single, event.TaskID(e.ID)); return true })
	if got, err := LeaveOneOut(t.Context(), q, CopyOf(one), single, 0); err != nil || len(got) != 1 {
		t.Errorf("of one example %+v, %v", got, err)
	}
}
