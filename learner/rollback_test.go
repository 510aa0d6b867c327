package learner_test

import (
	"slices"
	"testing"

	"github.com/hone-ml/hone/event"
	"github.com/hone-ml/hone/learner"
)

func TestARollbackHoldsUntilSomebodyAsks(t *testing.T) {
	d := openDisk(t)
	l := start(t, d, learner.Options{Tolerance: 1e-3})
	apply(t, l, labels(10))
	rest(t, l)
	apply(t, l, due(2, "asked"))
	rest(t, l)
	before := status(t, l).Heads[0].Ridge
	held := func(want bool, live string) {
		t.Helper()
		if st := status(t, l); st.SettingsHeld != want || st.Version != live {
			t.Errorf("%s is live, held: %v", st.Version, st.SettingsHeld)
		}
	}
	held(false, "hone-2")
	some := unsure(100)
	some.Tasks, some.Annotations = some.Tasks[10:], some.Annotations[10:]
	apply(t, l, some, due(3, "asked"))
	rest(t, l)
	after := status(t, l).Heads[0].Ridge
	if before == after {
		t.Fatalf("the ridge is %g of ten labels and of a hundred", after)
	}
	apply(t, l, &event.RollbackDue{Project: 1, At: at(4), To: "hone-1"})
	rest(t, l)
	held(true, "hone-1")
	if got := status(t, l).Heads[0].Ridge; got != before {
		t.Errorf("ridge %g, was %g when hone-1 was live last, and is %g now", got, before, after)
	}
	more := unsure(140)
	more.Tasks, more.Annotations = more.Tasks[100:], more.Annotations[100:]
	apply(t, l, more, due(5, learner.ReasonSchedule)) // a higher rung
	rest(t, l)
	restart := func() {
		must(t, l.Stop(bg))
		l = start(t, d, learner.Options{Tolerance: 1e-3})
		rest(t, l)
	}
	restart()
	held(true, "hone-1")
	if got := status(t, l).Heads[0].Ridge; got != before {
		t.Errorf("held, and the ridge is %g, not %g", got, before)
	}
	if all, _ := names(l); len(all) != 3 {
		t.Errorf("the scheduled retrain made a version: %v", all)
	}
	apply(t, l, due(6, "asked"))
	rest(t, l)
	held(false, "hone-4")
	restart()
	held(false, "hone-4")
	other := openDisk(t)
	fresh := start(t, other, learner.Options{Tolerance: 1e-3})
	apply(t, fresh, labels(10))
	apply(t, fresh, some, more)
	rest(t, fresh)
	same(t, fresh, l, alike)
	if a, b := chosen(t, other), chosen(t, d); a != b {
		t.Errorf("settings %s, want %s", b, a)
	}
	// To go forward again is to hold that.
	apply(t, l, &event.RollbackDue{Project: 1, At: at(7), To: "hone-2"}, &event.RollbackDue{Project: 1, At: at(8), To: "hone-4"})
	rest(t, l)
	held(true, "hone-4")
	restart()
	held(true, "hone-4")
	if all, _ := names(l); !slices.Equal(all, []string{"hone-1", "hone-2", "hone-3", "hone-4"}) {
		t.Errorf("versions %v", all)
	}
}
