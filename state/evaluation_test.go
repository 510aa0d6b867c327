package state

import (
	"maps"
	"reflect"
	"testing"

	"github.com/hone-ml/hone/event"
)

// How tasks were asked, and the learning curve, are there after a restart, each of its own
// project, and go with it.
func TestEvaluationIsStored(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir, Options{})
	for p := range event.ProjectID(2) {
		apply(t, s, &event.Changed{Project: p + 1, CreatedAt: 100, Source: event.FromSetup, At: sec(1), Title: "a"})
	}
	asked := map[event.TaskID]event.Acquisition{3: {Place: 2, Strategy: "margin", Snapshot: 9}, 4: {Random: true, Place: 1}, 5: {}}
	must(t, s.PutAcquisitions(ctx, 1, asked))
	must(t, s.PutAcquisitions(ctx, 9, asked)) // of a project that is not known
	must(t, s.PutAccuracy(ctx, 1, event.AccuracyPoint{Labels: 2}))
	must(t, s.PutAccuracy(ctx, 1, event.AccuracyPoint{Labels: 1, Asked: map[string]float64{"a": 0}}))
	must(t, s.PutAccuracy(ctx, 1, event.AccuracyPoint{Labels: 1, Asked: map[string]float64{"a": 0.5}}))
	must(t, s.Close())
	s = open(t, dir, Options{})
	have := func(p event.ProjectID) (int, int) {
		t.Helper()
		a, err := s.Acquisitions(ctx, p)
		must(t, err)
		if len(a) > 0 && !maps.Equal(a, asked) {
			t.Errorf("project %d: %+v", p, a)
		}
		h, err := s.AccuracyHistory(ctx, p)
		must(t, err)
		return len(a), len(h)
	}
	if a, h := have(1); a != 3 || h != 2 {
		t.Errorf("%d acquisitions, %d points", a, h)
	}
	for _, p := range []event.ProjectID{2, 9} {
		if a, h := have(p); a != 0 || h != 0 {
			t.Errorf("project %d has %d acquisitions, %d points of another", p, a, h)
		}
	}
	h, err := s.AccuracyHistory(ctx, 1)
	must(t, err)
	if h[0].Labels != 1 || h[0].Asked["a"] != 0.5 || h[1].Labels != 2 {
		t.Errorf("%+v", h)
	}
	// Another database, another project.
	apply(t, s, &event.Changed{Project: 1, CreatedAt: 200, Source: event.FromReconcile, At: sec(7), Title: "new", Reading: &event.Reading{}})
	if a, h := have(1); a != 0 || h != 0 {
		t.Errorf("another project has %d acquisitions, %d points of one that is no more", a, h)
	}
}

// However many labels there are, at most 500 points are stored: the first and the newest are
// among them, and gaps are small beside the labels.
func TestHistoryHasABound(t *testing.T) {
	s := open(t, t.TempDir(), Options{})
	s.DB().NoSync = true
	apply(t, s, &event.Changed{Project: 1, CreatedAt: 100, Source: event.FromSetup, At: sec(1), Title: "a"})
	for n := 1; n <= 1300; n++ {
		must(t, s.PutAccuracy(ctx, 1, event.AccuracyPoint{Labels: n}))
		if n%100 != 0 {
			continue
		}
		h, err := s.AccuracyHistory(ctx, 1)
		must(t, err)
		if len(h) > 500 || len(h) < min(n, 500) || h[0].Labels != 1 || h[len(h)-1].Labels != n {
			t.Fatalf("after %d labels %d points, from %d to %d", n, len(h), h[0].Labels, h[len(h)-1].Labels)
		}
		for i := 1; i < len(h); i++ {
			if h[i].Labels-h[i-1].Labels > max(1, h[i].Labels/40) {
				t.Fatalf("after %d labels a gap from %d to %d", n, h[i-1].Labels, h[i].Labels)
			}
		}
	}
}

// How a strategy compares with random is there after a restart, of its own project, and goes with it.
func TestAComparisonIsStored(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir, Options{})
	apply(t, s, &event.Changed{Project: 1, CreatedAt: 100, Source: event.FromSetup, At: sec(1), Title: "a"})
	want := event.Comparison{
		Strategy: "margin", Since: sec(2), After: 7, Random: 3, Asked: 27,
		Controls: map[string]event.ControlComparison{"topic": {Key: "k", Tried: 9, Trials: "barn"}},
		Left:     &event.Left{At: sec(3), Control: "topic", Labels: 30, Trials: 4, Asked: 0.5, Random: 0.5, Low: -1, High: -0.1},
	}
	for _, p := range []event.ProjectID{1, 9} { // 9 is not known
		must(t, s.PutComparison(ctx, p, want))
	}
	must(t, s.Close())
	s = open(t, dir, Options{})
	have := func(p event.ProjectID) event.Comparison {
		t.Helper()
		c, err := s.Comparison(ctx, p)
		must(t, err)
		return c
	}
	if got := have(1); !reflect.DeepEqual(got, want) {
		t.Errorf("%+v", got)
	}
	if got := have(9); !reflect.DeepEqual(got, event.Comparison{}) {
		t.Errorf("an unknown project has %+v", got)
	}
	// Another database, another project.
	apply(t, s, &event.Changed{Project: 1, CreatedAt: 200, Source: event.FromSetup, At: sec(4), Title: "a"})
	if got := have(1); !reflect.DeepEqual(got, event.Comparison{}) {
		t.Errorf("another project has %+v", got)
	}
	must(t, s.PutComparison(ctx, 1, want))
	must(t, s.Forget(ctx, 1))
	if got := have(1); !reflect.DeepEqual(got, event.Comparison{}) {
		t.Errorf("a forgotten project has %+v", got)
	}
}
