package learner_test

import (
	"context"
	"encoding/json"
	"errors"
	"math"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/hone-ml/hone/event"
	"github.com/hone-ml/hone/learner"
	"github.com/hone-ml/hone/learner/report"
)

func TestLearnsAndTells(t *testing.T) {
	d := openDisk(t)
	registry := prometheus.NewRegistry()
	l := start(t, d, learner.Options{Registerer: registry})
	if p, err := l.Predict(bg, 0, "", probes(3)); err != nil || len(p) != 3 || !p[0].Abstains() {
		t.Fatalf("with nothing learned: %+v, %v", p, err)
	}
	apply(t, l, labels(60))
	c := d.commits[0]
	if c.Cursor == nil || c.Cursor.Offset != offset || len(c.Learned) != 1 || !c.Learned[0].All ||
		c.Learned[0].Version != "hone-1" || !c.Learned[0].Since.Equal(at(1)) || len(c.Learned[0].Tasks) != 60 {
		t.Fatalf("committed %+v", c)
	}
	rest(t, l)
	tasks := probes(200)
	answers, err := l.Predict(bg, 1, single, tasks)
	must(t, err)
	right := 0
	for i, a := range answers {
		_, want := sentence(uint64(1000 + i))
		if a.Score < 0.01 || a.Score > 1 || a.ModelVersion != "hone-1" || len(a.Result) != 1 {
			t.Fatalf("answer %+v", a)
		}
		r := a.Result[0]
		if r.FromName != "c" || r.ToName != "t" || r.Type != "choices" {
			t.Fatalf("region %+v", r)
		}
		if strings.Contains(string(r.Value), want) {
			right++
		}
	}
	if right < 180 {
		t.Errorf("%d of 200 are right", right)
	}
	s := status(t, l)
	if s.Labels != 60 || s.Version != "hone-1" || !s.Settled || *s.OptimalityGap > 0.005 || len(s.Heads) != 1 {
		t.Fatalf("status %+v", s)
	}
	if h := s.Heads[0]; h.Examples != 60 || h.Tested != 59 || h.AccuracyOverall < 0.5 || h.MacroF1Overall < 0.5 || h.Control != "c" {
		t.Errorf("head %+v", h)
	}
	metrics, err := registry.Gather()
	must(t, err)
	if len(metrics) < 6 {
		t.Errorf("%d metrics", len(metrics))
	}
}

func TestProbabilitiesAreCalibrated(t *testing.T) {
	l := start(t, openDisk(t), learner.Options{})
	apply(t, l, labels(200))
	rest(t, l)
	answers, err := l.Predict(bg, 1, "", probes(500))
	must(t, err)
	var confidence, right float64
	for i, a := range answers {
		_, want := sentence(uint64(1000 + i))
		confidence += a.Score / 500
		if strings.Contains(string(a.Result[0].Value), want) {
			right += 1.0 / 500
		}
	}
	if math.Abs(confidence-right) > 0.1 {
		t.Errorf("mean confidence %.3f at accuracy %.3f", confidence, right)
	}
}

func TestEachTaskTestsOnce(t *testing.T) {
	d := openDisk(t)
	l := start(t, d, learner.Options{})
	c := labels(30)
	d.failNext(1)
	if err := l.Apply(bg, []event.Event{c}, event.Cursor{}); !errors.Is(err, errDisk) {
		t.Fatalf("a failed commit gives %v", err)
	}
	apply(t, l, c) // delivered again
	apply(t, l, c) // and once more
	again := *c
	again.Annotations = slices.Clone(c.Annotations)
	for i := range again.Annotations {
		again.Annotations[i].UpdatedAt = at(2)
		again.Annotations[i].Result = result(region("c", "app"))
	}
	apply(t, l, &again) // all are edited
	if n := status(t, l).Heads[0].Tested; n != 29 {
		t.Errorf("%d tasks tested the model, want 29", n)
	}
	before := status(t, l)
	must(t, l.Stop(bg))
	after := status(t, start(t, d, learner.Options{}))
	if d := cmp.Diff(before.Heads, after.Heads); d != "" {
		t.Errorf("over a restart the scores change: %s", d)
	}
	if after.Snapshot <= before.Snapshot {
		t.Errorf("snapshot %d after %d", after.Snapshot, before.Snapshot)
	}
}

func TestSkipsModelsAndEmptyTextsTeachNothing(t *testing.T) {
	l := start(t, openDisk(t), learner.Options{})
	c := labels(6)
	c.Annotations[0].Cancelled = true
	c.Annotations[1].FromModel = true
	c.Tasks[2].Data = data("  ")
	c.Tasks[3].Data = json.RawMessage(`{"other":1}`)
	c.Annotations[4].Result = json.RawMessage(`{"not":"a list"}`)
	apply(t, l, c)
	if s := status(t, l); s.Labels != 1 || s.Heads[0].Examples != 1 {
		t.Errorf("learned from %d annotations, %d examples", s.Labels, s.Heads[0].Examples)
	}
}

func TestAnnotatorsShareATask(t *testing.T) {
	l := start(t, openDisk(t), learner.Options{})
	c := labels(1)
	for i, label := range []string{"card", "card", "money", "app"} {
		a := c.Annotations[0]
		a.ID, a.Result = event.AnnotationID(i+1), result(region("c", label))
		if i < len(c.Annotations) {
			c.Annotations[i] = a
		} else {
			c.Annotations = append(c.Annotations, a)
		}
	}
	apply(t, l, c)
	rest(t, l)
	if s := status(t, l); s.Labels != 4 || s.Heads[0].Examples != 1 {
		t.Fatalf("labels %d, examples %d", s.Labels, s.Heads[0].Examples)
	}
	ds, _, err := l.Estimates(bg, 1, c.Tasks)
	must(t, err)
	// The ridge pulls a single example's target only a little towards what the names
	// say.
	for i, want := range []float64{0.5, 0.25, 0.25} {
		if math.Abs(ds[0][0].Classes.P[i]-want) > 0.06 {
			t.Errorf("believes %v", ds[0][0].Classes)
		}
	}
}

func TestTaskThatComesAfterItsAnnotation(t *testing.T) {
	l := start(t, openDisk(t), learner.Options{})
	c := labels(3)
	tasks := c.Tasks
	c.Tasks = nil
	apply(t, l, c)
	if n := status(t, l).Heads[0].Examples; n != 0 {
		t.Fatalf("%d examples without a text", n)
	}
	apply(t, l, &event.Changed{Project: 1, Tasks: tasks, At: at(2)})
	if n := status(t, l).Heads[0].Examples; n != 3 {
		t.Errorf("%d examples", n)
	}
}

func TestLabelConfigChanges(t *testing.T) {
	d := openDisk(t)
	l := start(t, d, learner.Options{})
	apply(t, l, labels(40))
	change := func(n int, config string) {
		t.Helper()
		apply(t, l, &event.Changed{Project: 1, LabelConfig: config, At: at(n)})
		rest(t, l)
	}
	change(2, fewer)
	answers, err := l.Predict(bg, 1, "", probes(50))
	must(t, err)
	for _, a := range answers {
		if strings.Contains(string(a.Result[0].Value), "money") {
			t.Fatalf("answers a label that is gone: %+v", a)
		}
	}
	if answers, err = l.Predict(bg, 1, single, probes(2)); err != nil || !answers[0].Abstains() {
		t.Errorf("under another config it answers %+v, %v", answers, err)
	}
	change(3, single) // the raw results were kept
	if n := status(t, l).Heads[0].Examples; n != 40 {
		t.Errorf("%d examples after the label came back", n)
	}
	change(4, both)
	s := status(t, l)
	if len(s.Heads) != 2 || len(s.Unlearnable) != 1 || s.Unlearnable[0].Control != "why" || s.Unlearnable[0].Reason == "" {
		t.Errorf("status %+v", s)
	}
	if answers, err = l.Predict(bg, 1, "", probes(1)); err != nil || len(answers[0].Result) != 1 {
		// The multiple choice was left empty in all 40, so it says nothing is ticked.
		t.Errorf("two heads answer %+v, %v", answers, err)
	}
	change(5, "<View>")
	if s := status(t, l); s.Fault == "" || len(s.Heads) != 0 {
		t.Errorf("a broken config gives %+v", s)
	}
	if answers, err = l.Predict(bg, 1, "", probes(1)); err != nil || !answers[0].Abstains() {
		t.Errorf("under a broken config it answers %+v, %v", answers, err)
	}
	change(6, single)
	if n := status(t, l).Heads[0].Examples; n != 40 {
		t.Errorf("%d examples after the config was mended", n)
	}
}

func TestWhichProject(t *testing.T) {
	l := start(t, openDisk(t), learner.Options{})
	apply(t, l, labels(20))
	if a, err := l.Predict(bg, 0, "", probes(1)); err != nil || a[0].Abstains() {
		t.Errorf("the only project: %+v, %v", a, err)
	}
	apply(t, l, &event.Changed{Project: 2, LabelConfig: single, At: at(1)})
	if _, err := l.Predict(bg, 0, "", probes(1)); !errors.Is(err, learner.ErrWhichProject) {
		t.Errorf("of two projects: %v", err)
	}
	if a, err := l.Predict(bg, 77, "", probes(1)); err != nil || !a[0].Abstains() {
		t.Errorf("an unknown project: %+v, %v", a, err)
	}
	apply(t, l, &event.Changed{Project: 2, Gone: true, At: at(2)})
	if _, err := l.Predict(bg, 0, "", probes(1)); err != nil {
		t.Errorf("when the other is gone: %v", err)
	}
}

// slowDisk keeps each commit until it is let go.
type slowDisk struct {
	learner.Store
	begun, release chan struct{}
}

func (d slowDisk) Commit(ctx context.Context, c event.Commit) error {
	d.begun <- struct{}{}
	<-d.release
	return d.Store.Commit(ctx, c)
}

// A batch is being stored, and its project's lane is held: everything that reads answers
// what was there before.
func TestReadsNeverWait(t *testing.T) {
	disk := openDisk(t)
	l, err := learner.New(disk, learner.Options{})
	must(t, err)
	apply(t, l, labels(20))
	must(t, l.Stop(bg))
	slow := slowDisk{disk, make(chan struct{}), make(chan struct{})}
	if l, err = learner.New(slow, learner.Options{}); err != nil {
		t.Fatal(err)
	}
	must(t, l.Load(bg, []event.ProjectID{1}))
	all := labels(21)
	stored := make(chan error, 1)
	go func() {
		stored <- l.Apply(bg, []event.Event{all}, event.Cursor{Topic: event.Changes, Group: "learner", Offset: 1})
	}()
	<-slow.begun
	before, version, err := l.Estimates(bg, 1, probes(5))
	must(t, err)
	if len(before) != 5 || len(before[0]) == 0 || version == "" {
		t.Errorf("of version %q: %v", version, before)
	}
	predictions, err := l.Predict(bg, 1, "", probes(5))
	must(t, err)
	shown, err := l.Regions(bg, 1, probes(5))
	must(t, err)
	if len(predictions) != 5 || len(shown) != 5 || string(shown[0]) == "" {
		t.Errorf("predicted %v, shown %s", predictions, shown)
	}
	st, ok := l.Status(1)
	if !ok || st.Labels < 20 || len(l.Versions(1)) != 1 || len(l.Projects()) != 1 || l.Trouble(1) != "" {
		t.Errorf("status %+v, versions %v, projects %v, trouble %q", st, l.Versions(1), l.Projects(), l.Trouble(1))
	}
	go func() {
		for range slow.begun { // the last one, of stopping
		}
	}()
	close(slow.release)
	must(t, <-stored)
	must(t, l.Stop(bg))
	close(slow.begun)
}

// Whoever reads while others learn has a whole snapshot: probabilities that add up, and
// of no version that was not there.
func TestWhatIsReadWhileOthersLearnIsWhole(t *testing.T) {
	l := start(t, openDisk(t), learner.Options{Budget: time.Millisecond})
	apply(t, l, labels(50))
	stop := make(chan struct{})
	var wg sync.WaitGroup
	for range 3 {
		wg.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				of, version, err := l.Estimates(bg, 1, probes(100))
				if err != nil || len(of) != 100 || !slices.ContainsFunc(l.Versions(1), func(v event.Version) bool { return v.Name == version }) {
					t.Errorf("%d of version %q: %v", len(of), version, err)
				}
				for _, heads := range of {
					for _, d := range heads {
						if d.Classes == nil {
							t.Errorf("no classes of %s", d.Control)
							continue
						}
						sum := 0.0
						for _, p := range d.Classes.P {
							sum += p
						}
						if d.Classes.Exclusive && math.Abs(sum-1) > 1e-6 {
							t.Errorf("probabilities of %s add up to %v", d.Control, sum)
						}
					}
				}
				if shown, err := l.Regions(bg, 1, probes(10)); err != nil || len(shown) != 10 {
					t.Errorf("%d shown: %v", len(shown), err)
				}
				if st, ok := l.Status(1); !ok || st.Labels < 50 {
					t.Errorf("status %+v, %v", st, ok)
				}
			}
		})
	}
	for n := 51; n < 110; n++ {
		all := labels(n)
		all.Tasks, all.Annotations = all.Tasks[n-1:], all.Annotations[n-1:]
		apply(t, l, all)
	}
	apply(t, l, &event.RetrainDue{Project: 1, At: at(9), Reason: "asked"})
	rest(t, l)
	close(stop)
	wg.Wait()
}

func TestCloseEndsItAll(t *testing.T) {
	d := openDisk(t)
	l := start(t, d, learner.Options{})
	apply(t, l, labels(10))
	must(t, l.Stop(bg))
	must(t, l.Stop(bg))
	if err := l.Apply(bg, []event.Event{labels(11)}, event.Cursor{}); !errors.Is(err, learner.ErrClosed) {
		t.Errorf("Apply after Close: %v", err)
	}
	if err := l.WaitSettled(bg); !errors.Is(err, learner.ErrClosed) {
		t.Errorf("WaitSettled after Stop: %v", err)
	}
}

// Who waits for Settled has seen the last of it: neither steps nor a choice of
// settings follow.
func TestSettledIsTheLastWord(t *testing.T) {
	l := start(t, openDisk(t), learner.Options{Budget: time.Millisecond})
	tick := time.NewTicker(100 * time.Microsecond)
	defer tick.Stop()
	all := labels(32)
	for from := range len(all.Tasks) / 8 {
		part := *all
		part.Tasks, part.Annotations = all.Tasks[8*from:8*from+8], all.Annotations[8*from:8*from+8]
		apply(t, l, &part)
		var st report.Status
		for st.Labels < 8*from+8 || !st.Settled {
			st, _ = l.Status(1)
			<-tick.C
		}
		before, _, err := l.Estimates(bg, 1, probes(5))
		must(t, err)
		rest(t, l)
		after, _, err := l.Estimates(bg, 1, probes(5))
		must(t, err)
		if !reflect.DeepEqual(before, after) {
			t.Errorf("%d labels: settled at %v, and then %v", st.Labels, before, after)
		}
	}
}

// A batch that could not be stored comes again with others behind it. Then nothing may
// stay of it that the whole does not say any more.
func TestNothingStaysOfABatchThatWasNotStored(t *testing.T) {
	one := func(id int, gone bool) *event.Changed {
		text, label := sentence(uint64(id))
		c := &event.Changed{Project: 1, At: at(id), Tasks: []event.Task{{ID: event.TaskID(id), Data: data(text), UpdatedAt: at(id)}}}
		if gone {
			c.DeletedAnnotations = []event.AnnotationID{event.AnnotationID(id)}
			return c
		}
		c.Annotations = []event.Annotation{{ID: event.AnnotationID(id), Task: event.TaskID(id), UpdatedAt: at(id), Result: result(region("c", label))}}
		return c
	}
	d := openDisk(t)
	l := start(t, d, learner.Options{})
	apply(t, l, labels(5))
	apply(t, l, &event.Changed{Project: 1, At: at(2), Tasks: one(8, false).Tasks})
	for _, what := range []string{"a task", "the config", "the project"} {
		t.Run(what, func(t *testing.T) {
			first, then := []event.Event{one(8, false)}, []event.Event{one(8, true)}
			switch what {
			case "the config":
				first = []event.Event{&event.Changed{Project: 1, At: at(20), LabelConfig: fewer}}
				then = []event.Event{&event.Changed{Project: 1, At: at(21), LabelConfig: single}}
			case "the project":
				first = []event.Event{&event.Changed{Project: 1, At: at(30), Gone: true, Position: 30}}
				then = []event.Event{&event.Changed{Project: 1, At: at(31), LabelConfig: single, Position: 31}}
			}
			rest(t, l) // no commit in the background is the one that fails
			d.failNext(1)
			if err := l.Apply(bg, first, event.Cursor{}); !errors.Is(err, errDisk) {
				t.Fatalf("got %v", err)
			}
			apply(t, l, append(first, then...)...)
			rest(t, l)
			if s := status(t, l); s.Labels != 5 || len(s.Heads) != 1 || len(s.Heads[0].Labels) != 3 || s.Heads[0].Examples != 5 {
				t.Errorf("%+v", s)
			}
		})
	}
}
