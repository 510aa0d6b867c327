package learner_test

import (
	"errors"
	"math"
	"testing"
	"time"

	"github.com/hone-ml/hone/event"
	"github.com/hone-ml/hone/learner"
)

func due(n int, reason string) *event.RetrainDue {
	return &event.RetrainDue{Project: 1, At: at(n), Reason: reason}
}

func names(l *learner.Learner) (all []string, live string) {
	for _, v := range l.Versions(1) {
		all = append(all, v.Name)
		if v.Live {
			live += v.Name
		}
	}
	return all, live
}

func TestRetrainMakesAVersion(t *testing.T) {
	d := openDisk(t)
	l := start(t, d, learner.Options{})
	apply(t, l, labels(150))
	apply(t, l, due(2, "Start training in Label Studio"))
	rest(t, l)
	if all, live := names(l); len(all) != 2 || live != "hone-2" {
		t.Fatalf("versions %v, live %s", all, live)
	}
	v := l.Versions(1)[1]
	if v.Labels != 150 || v.Reason != "Start training in Label Studio" || !(v.Accuracy["c"] > 0.8) || v.CreatedAt.IsZero() {
		t.Errorf("version %+v", v)
	}
	told := d.learned()
	if last := told[len(told)-1]; last.Version != "hone-2" {
		t.Errorf("told %+v", last)
	}
	apply(t, l, due(3, learner.ReasonSchedule)) // nothing is new: no version
	rest(t, l)
	if all, _ := names(l); len(all) != 2 {
		t.Errorf("a scheduled retrain without new labels made a version: %v", all)
	}
	apply(t, l, due(4, "asked again"))
	rest(t, l)
	if all, live := names(l); len(all) != 3 || live != "hone-3" {
		t.Errorf("versions %v, live %s", all, live)
	}
	if s := status(t, l); s.Retrain != nil {
		t.Errorf("a retrain is left: %+v", s.Retrain)
	}
}

func TestRetrainChangesTheSettingsOnlyAndIsKept(t *testing.T) {
	d := openDisk(t)
	l := start(t, d, learner.Options{})
	apply(t, l, labels(200))
	rest(t, l)
	apply(t, l, due(2, "asked"))
	rest(t, l)
	ridge := status(t, l).Heads[0].Ridge
	must(t, l.Stop(bg))
	again := start(t, d, learner.Options{})
	rest(t, again)
	if got := status(t, again).Heads[0].Ridge; got != ridge {
		t.Errorf("ridge %g after a restart, was %g", got, ridge)
	}
	same(t, l, again, 0.005)
}

func TestRetrainSurvivesAKill(t *testing.T) {
	d := openDisk(t)
	l, err := learner.New(d, learner.Options{})
	must(t, err)
	must(t, l.Start(bg))
	apply(t, l, labels(150))
	apply(t, l, due(2, "asked"))
	d.failNext(math.MaxInt) // killed: nothing more is written
	_ = l.Stop(bg)
	d.failNext(0)
	again := start(t, d, learner.Options{})
	rest(t, again)
	if _, live := names(again); live != "hone-2" {
		t.Errorf("live %s", live)
	}
}

func TestRetrainWhoseCommitFailsIsTriedAgain(t *testing.T) {
	d := openDisk(t)
	l := start(t, d, learner.Options{})
	apply(t, l, labels(150))
	rest(t, l)
	d.failNext(1)
	if err := l.Apply(bg, []event.Event{due(2, "asked")}, event.Cursor{}); !errors.Is(err, errDisk) {
		t.Fatalf("got %v", err)
	}
	rest(t, l)
	if _, live := names(l); live != "hone-1" {
		t.Fatalf("what was not committed was done: live %s", live)
	}
	apply(t, l, due(2, "asked"))
	rest(t, l)
	if _, live := names(l); live != "hone-2" {
		t.Errorf("live %s", live)
	}
}

func TestLabelsThatComeDuringARetrainAreNotLost(t *testing.T) {
	d := openDisk(t)
	l := start(t, d, learner.Options{Tolerance: 1e-3})
	apply(t, l, unsure(20))
	rest(t, l)
	part := func(from, to int) *event.Changed {
		c := unsure(to)
		c.Tasks, c.Annotations = c.Tasks[from:], c.Annotations[from:]
		return c
	}
	apply(t, l, part(20, 100), due(2, "asked"))
	// They are not among the first twenty, and among those that the retrain chooses from.
	more := part(100, 110)
	for i := range 30 {
		more.Annotations = append(more.Annotations, event.Annotation{
			ID: event.AnnotationID(41 + i), Task: event.TaskID(41 + i), UpdatedAt: at(3), Result: result(region("c", "card")),
		})
	}
	more.DeletedAnnotations = []event.AnnotationID{31, 32, 33}
	apply(t, l, more)
	rest(t, l)
	s := status(t, l)
	if s.Labels != 107 || s.Heads[0].Examples != 107 || s.Version != "hone-2" {
		t.Fatalf("status %+v", s)
	}
	other := openDisk(t)
	fresh := start(t, other, learner.Options{Tolerance: 1e-3})
	apply(t, fresh, unsure(100), more)
	rest(t, fresh)
	if a, b := chosen(t, other), chosen(t, d); a != b {
		t.Errorf("settings %s, want %s", b, a)
	}
	same(t, fresh, l, alike)
}

func TestRollback(t *testing.T) {
	d := openDisk(t)
	l := start(t, d, learner.Options{})
	apply(t, l, labels(150))
	for n := range 2 {
		apply(t, l, due(n, "asked"))
		rest(t, l)
	}
	back := &event.RollbackDue{Project: 1, At: at(5)}
	d.failNext(1)
	if err := l.Apply(bg, []event.Event{back}, event.Cursor{}); !errors.Is(err, errDisk) {
		t.Fatalf("got %v", err)
	}
	apply(t, l, back) // delivered again: one step back, not two
	if _, live := names(l); live != "hone-2" {
		t.Fatalf("live %s", live)
	}
	apply(t, l, &event.RollbackDue{Project: 1, At: at(6), To: "hone-1"})
	rest(t, l)
	if _, live := names(l); live != "hone-1" {
		t.Fatalf("live %s", live)
	}
	if told := d.learned(); told[len(told)-1].Version != "hone-1" {
		t.Errorf("told %+v", told[len(told)-1])
	}
	fresh := start(t, openDisk(t), learner.Options{})
	apply(t, fresh, labels(150)) // hone-1 is the defaults
	rest(t, fresh)
	same(t, fresh, l, 0.005)
	for _, to := range []string{"", "hone-77"} { // what cannot be done is no error
		apply(t, l, &event.RollbackDue{Project: 1, At: at(7), To: to})
	}
	apply(t, l, &event.RollbackDue{Project: 9, At: at(7)})
	apply(t, l, due(8, "asked")) // names are never used twice
	rest(t, l)
	if _, live := names(l); live != "hone-4" {
		t.Errorf("live %s", live)
	}
}

func TestRollbackCallsOffARetrain(t *testing.T) {
	d := openDisk(t)
	l := start(t, d, learner.Options{})
	apply(t, l, labels(150))
	apply(t, l, due(2, "asked"))
	rest(t, l)
	apply(t, l, due(3, "asked"), &event.RollbackDue{Project: 1, At: at(4)})
	rest(t, l)
	apply(t, l, due(5, "asked"))
	apply(t, l, &event.RollbackDue{Project: 1, At: at(6), To: "hone-2"}) // most likely while it runs
	rest(t, l)
	must(t, l.Stop(bg))
	again := start(t, d, learner.Options{})
	rest(t, again)
	if all, live := names(again); live != "hone-2" {
		t.Errorf("live %s of %v", live, all)
	}
}

func TestConfigThatChangesDuringARetrain(t *testing.T) {
	d := openDisk(t)
	l := start(t, d, learner.Options{})
	apply(t, l, labels(150))
	apply(t, l, due(2, "asked"))
	apply(t, l, &event.Changed{Project: 1, LabelConfig: fewer, At: at(3)})
	rest(t, l)
	s := status(t, l)
	if s.Version != "hone-2" || len(s.Heads) != 1 || len(s.Heads[0].Labels) != 2 || s.Heads[0].Examples == 150 {
		t.Errorf("status %+v", s)
	}
}

func TestVersionsAreBounded(t *testing.T) {
	d := openDisk(t)
	l := start(t, d, learner.Options{Now: func() time.Time { return at(1) }})
	apply(t, l, labels(3))
	for n := range 25 {
		apply(t, l, due(n, "asked"))
		rest(t, l)
	}
	if all, live := names(l); len(all) != 20 || live != "hone-26" {
		t.Errorf("%d versions, live %s", len(all), live)
	}
}
