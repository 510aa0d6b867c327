package learner_test

import (
	"context"
	"math"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hone-ml/hone/encode"
	"github.com/hone-ml/hone/encode/encoders"
	"github.com/hone-ml/hone/encode/text/ngram"
	"github.com/hone-ml/hone/event"
	"github.com/hone-ml/hone/internal/app/core"
	"github.com/hone-ml/hone/learner"
	"github.com/hone-ml/hone/learner/features"
	"github.com/hone-ml/hone/settings"
)

// choosing are options whose default encoder is that of o, and of which a project may choose
// the fast ones that are in the program, and some with slow parts.
func choosing(o learner.Options, slow map[string]encode.BatchEncoder) learner.Options {
	o.Others = map[string]features.Encoding{
		"static": {Fast: encoders.Default()}, "hashed": {Fast: ngram.New()}, "words": {Fast: ngram.NewWords()},
	}
	for name, e := range slow {
		o.Others[name] = features.Encoding{Fast: ngram.New(), Slow: []encode.BatchEncoder{e}}
	}
	var names []string
	for name := range o.Others {
		names = append(names, name)
	}
	o.Settings = settings.NewTable(settings.Defaults{}, nil, names)
	return o
}

func encoder(name string) *event.Configured { return setUp(map[string]string{"encoder": name}) }

// of has changes about another project.
func of(p event.ProjectID, c *event.Changed) *event.Changed {
	c.Project = p
	return c
}

// killed is a learner whose machine loses power, and the one after it.
func killed(t *testing.T, d *disk, l *learner.Learner, o learner.Options) *learner.Learner {
	t.Helper()
	d.failNext(math.MaxInt)
	_ = l.Stop(bg)
	d.failNext(0)
	return startBoth(t, d, o)
}

// startBoth starts a learner of projects 1 and 2.
func startBoth(t *testing.T, d *disk, o learner.Options) *learner.Learner {
	t.Helper()
	l, err := learner.New(d, o)
	must(t, err)
	t.Cleanup(func() { must(t, l.Stop(bg)) })
	must(t, l.Load(bg, []event.ProjectID{1, 2}))
	must(t, l.Start(bg))
	return l
}

// A project whose encoder is changed has the model of one that had the encoder from the
// start, whenever hone is killed meanwhile; another project does not notice.
func TestAnEncoderOfAProjectsOwn(t *testing.T) {
	for _, config := range []string{single, both, kinds, marked} {
		c := labels(60)
		c.LabelConfig = config
		o := choosing(learner.Options{Tolerance: 1e-3}, nil)
		d := openDisk(t)
		l := start(t, d, o)
		other := of(2, labels(40))
		apply(t, l, c)
		apply(t, l, other)
		rest(t, l)
		second, _ := l.Status(2)
		before, _, err := l.Estimates(bg, 2, probes(20))
		must(t, err)
		var last *learner.Learner
		for _, step := range []struct {
			name    string
			encoder encode.Encoder
			ends    bool
		}{
			{"hashed", ngram.New(), false}, {"words", ngram.NewWords(), true}, {"static", encoders.Default(), true}, {"hashed", ngram.New(), true}, {"default", encoders.Default(), false},
		} {
			apply(t, l, encoder(step.name))
			if step.ends {
				l = killed(t, d, l, o)
			}
			rest(t, l)
			fresh := start(t, openDisk(t), learner.Options{Tolerance: 1e-3, Encoder: step.encoder})
			apply(t, fresh, c)
			rest(t, fresh)
			same(t, fresh, l, 5e-3)
			want, got := status(t, fresh), status(t, l)
			if got.Labels != want.Labels || got.Annotations != want.Annotations || got.Version != "hone-1" || !got.Settled || got.RefusedCount != want.RefusedCount {
				t.Errorf("%s: status %+v, want %+v", step.name, got, want)
			}
			for i, h := range got.Heads {
				if w := want.Heads[i]; h.Ridge != w.Ridge || h.Examples != w.Examples || h.Tested != w.Tested {
					t.Errorf("%s: head %+v, want %+v", step.name, h, w)
				}
			}
			if config == single && last != nil && !differ(t, last, fresh, 5e-3) {
				t.Error("the encoders predict the same, so the test shows nothing")
			}
			last = fresh
		}
		if after, _, err := l.Estimates(bg, 2, probes(20)); err != nil || len(after) != len(before) {
			t.Fatalf("%d estimates: %v", len(after), err)
		} else {
			for i := range after {
				sameEstimate(t, before[i][0], after[i][0], 2e-3)
			}
		}
		if st, _ := l.Status(2); st.Labels != second.Labels || st.Heads[0].Ridge != second.Heads[0].Ridge || st.Heads[0].Examples != 40 {
			t.Errorf("the other project was %+v, is %+v", second, st)
		}
	}
}

// Another project's model is not touched at all, and neither is one whose encoder gets
// another name.
func TestAnEncoderThatStaysChangesNothing(t *testing.T) {
	o := choosing(learner.Options{}, nil)
	l := start(t, openDisk(t), o)
	apply(t, l, labels(30))
	apply(t, l, of(2, labels(30)))
	rest(t, l)
	first, _ := l.Status(1)
	second, _ := l.Status(2)
	apply(t, l, encoder("static"))
	rest(t, l)
	if now, _ := l.Status(1); now.Snapshot > first.Snapshot+2 || *now.OptimalityGap != *first.OptimalityGap {
		t.Errorf("the same encoder by its name: %+v, was %+v", now, first)
	}
	apply(t, l, encoder("hashed"))
	rest(t, l)
	if now, _ := l.Status(2); now.Snapshot != second.Snapshot {
		t.Errorf("snapshot %d of the other project, was %d", now.Snapshot, second.Snapshot)
	}
	// One that this hone does not have is the default one.
	apply(t, l, encoder("of another hone"))
	rest(t, l)
	fresh := start(t, openDisk(t), learner.Options{})
	apply(t, fresh, labels(30))
	rest(t, fresh)
	same(t, fresh, l, 1e-2)
}

// The checkpoint is of the encoder that the settings name: after a restart no step is needed.
func TestTheCheckpointIsOfTheProjectsEncoder(t *testing.T) {
	d := openDisk(t)
	o := choosing(learner.Options{Tolerance: 1e-3}, nil)
	l := start(t, d, o)
	apply(t, l, labels(60), encoder("hashed"))
	rest(t, l)
	must(t, l.Stop(bg))
	st, err := d.Load(bg, 1)
	must(t, err)
	if name := ngram.New().Name(); !strings.Contains(string(st.Checkpoint), name) || strings.Contains(string(st.Checkpoint), encoders.Default().Name()) {
		t.Errorf("the checkpoint is not of %s alone", name)
	}
}

// A batch may have labels, deletions and the end of another project beside the change.
func TestAnEncoderIsChangedAmongLabels(t *testing.T) {
	o := choosing(learner.Options{Tolerance: 1e-3}, nil)
	l := start(t, openDisk(t), o)
	c := labels(40)
	apply(t, l, c)
	rest(t, l)
	more := labels(60)
	gone := &event.Changed{Project: 1, At: at(3), DeletedTasks: []event.TaskID{1, 2, 50}, DeletedAnnotations: []event.AnnotationID{7}}
	apply(t, l, more, encoder("words"), gone, setUp(map[string]string{"learn_from_states": "submitted"}))
	rest(t, l)
	fresh := start(t, openDisk(t), learner.Options{Encoder: ngram.NewWords(), Tolerance: 1e-3})
	apply(t, fresh, labels(60), gone)
	rest(t, fresh)
	same(t, fresh, l, 5e-3)
	if a, b := status(t, fresh), status(t, l); a.Labels != 56 || b.Labels != 56 || a.Annotations != b.Annotations {
		t.Errorf("%+v, want %+v", b, a)
	}
}

// A change that cannot be stored is not in force, and the vectors go on being made for the
// encoder that is.
func TestAnEncoderThatCannotBeStored(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, s := openDisk(t), new(slow)
		o := choosing(with(d, s), nil)
		l := start(t, d, o)
		apply(t, l, labels(30))
		encoded(t, l)
		d.failNext(1)
		offset++
		if err := l.Apply(bg, []event.Event{encoder("hashed")}, event.Cursor{Topic: event.Changes, Group: "learner", Offset: offset}); err == nil {
			t.Fatal("the disk was full")
		}
		rest(t, l)
		time.Sleep(time.Minute)
		encoded(t, l)
		same(t, complete(t, labels(30)), l, 5e-3)
		if e := status(t, l).Encoding; e == nil || !e.Done || e.Tasks != 30 || e.Encoded != 30 {
			t.Errorf("encoding %+v", e)
		}
	})
}

// A slow encoder is asked for the texts of the projects that read it, and what is stored of
// one that leaves it goes.
func TestASlowEncoderIsOfTheProjectsThatReadIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, s := openDisk(t), new(slow)
		o := choosing(withSlow(d, core.BackfillOptions{}), map[string]encode.BatchEncoder{"slow": s})
		l := start(t, d, o)
		mine, theirs := labels(30), labels(50)
		theirs.Tasks, theirs.Annotations = theirs.Tasks[30:], theirs.Annotations[30:]
		apply(t, l, mine)
		apply(t, l, of(2, theirs))
		encoded(t, l)
		if n := len(s.texts()); n > 0 || status(t, l).Encoding != nil {
			t.Fatalf("%d texts were encoded that nobody reads: %+v", n, status(t, l).Encoding)
		}
		apply(t, l, &event.Configured{Project: 2, At: at(2), Set: map[string]string{"encoder": "slow"}})
		encoded(t, l)
		for _, a := range mine.Tasks {
			text, _ := sentence(uint64(a.ID))
			if slices.Contains(s.texts(), text) {
				t.Fatal("a text of the project that does not read it was encoded")
			}
		}
		st, _ := l.Status(2)
		if e := st.Encoding; e == nil || !e.Done || e.Encoded != 20 || e.Encoder != "slow/1" || st.VectorsMissing {
			t.Errorf("encoding %+v", e)
		}
		if status(t, l).Encoding != nil {
			t.Errorf("the other one says %+v", status(t, l).Encoding)
		}
		stored := vectorsOf(t, d, "slow/1")
		if stored < 20 {
			t.Errorf("%d vectors are stored", stored)
		}
		// Of a second project that reads it, and after a restart.
		apply(t, l, encoder("slow"))
		encoded(t, l)
		same(t, complete(t, mine), l, 5e-3)
		must(t, l.Stop(bg))
		asked := len(s.texts())
		l = startBoth(t, d, o)
		encoded(t, l)
		if len(s.texts()) != asked {
			t.Error("what was encoded is encoded again after a restart")
		}
		same(t, complete(t, mine), l, 5e-3)
		// The first leaves it again, the second keeps what it has.
		apply(t, l, setUp(nil, "encoder"))
		encoded(t, l)
		time.Sleep(time.Minute)
		if n := vectorsOf(t, d, "slow/1"); n != stored {
			t.Errorf("%d vectors are stored, want the %d of the project that stays", n, stored)
		}
		apply(t, l, &event.Configured{Project: 2, At: at(3), Reset: []string{"encoder"}})
		encoded(t, l)
		time.Sleep(time.Minute)
		if n := vectorsOf(t, d, "slow/1"); n > 0 {
			t.Errorf("%d vectors are stored that nobody reads", n)
		}
		hashed := start(t, openDisk(t), learner.Options{Encoder: ngram.New(), Tolerance: 1e-3})
		apply(t, hashed, mine)
		rest(t, hashed)
		same(t, hashed, l, 5e-3)
	})
}

// Who does not read an encoder that hangs waits for nothing: not with a retrain, a
// prediction, or to be settled.
func TestAProjectWaitsForItsOwnEncoder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, s := openDisk(t), new(slow)
		s.set(down)
		l := start(t, d, choosing(with(d, s), nil))
		apply(t, l, labels(40))
		rest(t, l)
		retrain := &event.RetrainDue{Project: 1, At: at(3), Reason: "asked"}
		apply(t, l, retrain)
		rest(t, l)
		if st := status(t, l); st.Settled || st.Retrain == nil || !strings.Contains(st.Retrain.Waiting, "40 of 40") {
			t.Fatalf("with the encoder that is down: %+v", st)
		}
		apply(t, l, encoder("hashed"))
		rest(t, l)
		st := status(t, l)
		if !st.Settled || st.VectorsMissing || st.Encoding != nil || st.Version != "hone-2" {
			t.Errorf("with its own: %+v", st)
		}
		began := time.Now()
		ctx, cancel := context.WithTimeout(bg, time.Hour)
		defer cancel()
		if _, err := l.Predict(ctx, 1, "", probes(3)); err != nil || time.Since(began) > 0 {
			t.Errorf("a prediction takes %v (%v)", time.Since(began), err)
		}
		if !l.HasVectors(1, probes(3)) {
			t.Error("it lacks vectors that it does not read")
		}
		// And back: it waits again, and has the vectors once they can be had.
		apply(t, l, encoder("default"))
		rest(t, l)
		if l.HasVectors(1, probes(3)) {
			t.Error("it does not lack the vectors that it reads")
		}
		s.set(nil)
		encoded(t, l)
		if st := status(t, l); st.VectorsMissing || !st.Encoding.Done || st.Encoding.Encoded != 40 {
			t.Errorf("back: %+v", st)
		}
	})
}

// renamed is a slow encoder of another name.
type renamed struct{ *slow }

func (renamed) Name() string { return "other/1" }

// Of two slow encoders each is asked for what its own projects read, label names too, and
// each project waits for its own.
func TestEachProjectHasItsOwnSlowEncoder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, s, other := openDisk(t), new(slow), renamed{new(slow)}
		other.set(down)
		l := startBoth(t, d, choosing(with(d, s), map[string]encode.BatchEncoder{"other": other}))
		apply(t, l, labels(30))
		apply(t, l, of(2, &event.Changed{LabelConfig: fewer, Tasks: labels(40).Tasks[30:], At: at(1)}),
			&event.Configured{Project: 2, At: at(2), Set: map[string]string{"encoder": "other"}})
		time.Sleep(time.Minute)
		rest(t, l)
		if st := status(t, l); !st.Settled || st.VectorsMissing || st.Encoding.Encoder != "slow/1" || !st.Encoding.Done || st.Encoding.Fault != "" || st.Encoding.Encoded != 30 {
			t.Errorf("the first: %+v, %+v", st, st.Encoding)
		}
		if st, _ := l.Status(2); !st.VectorsMissing || st.Encoding.Encoder != "other/1" || st.Encoding.Done || !strings.Contains(st.Encoding.Fault, "refused") {
			t.Errorf("the second: %+v, %+v", st, st.Encoding)
		}
		other.set(nil)
		encoded(t, l)
		if st, _ := l.Status(2); st.VectorsMissing || !st.Encoding.Done || st.Encoding.Encoded != 10 {
			t.Errorf("the second: %+v, %+v", st, st.Encoding)
		}
		asked := other.texts()
		slices.Sort(asked)
		if want := 10 + 2; len(asked) != want || slices.Contains(asked, "money") {
			t.Errorf("the second was asked for %d texts, want %d: %q", len(asked), want, asked)
		}
		apply(t, l, &event.Configured{Project: 2, At: at(3), Reset: []string{"encoder"}})
		encoded(t, l)
		time.Sleep(time.Minute)
		if n := vectorsOf(t, d, "other/1"); n > 0 || vectorsOf(t, d, "slow/1") != 30+10+3 {
			t.Errorf("%d vectors of the second encoder are stored that nobody reads, %d of the first", n, vectorsOf(t, d, "slow/1"))
		}
	})
}

// Who tries another encoder in the configuration, and goes back, pays for no vector twice:
// one that no project has left deletes nothing.
func TestVectorsOutliveAnotherConfiguration(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, s := openDisk(t), new(slow)
		l := start(t, d, with(d, s))
		apply(t, l, labels(30))
		encoded(t, l)
		must(t, l.Stop(bg))
		asked := len(s.texts())
		l = start(t, d, choosing(withSlow(d, core.BackfillOptions{}), map[string]encode.BatchEncoder{"slow": s}))
		apply(t, l, &event.Changed{Project: 1, At: at(3), DeletedTasks: []event.TaskID{4}})
		encoded(t, l)
		time.Sleep(time.Minute)
		must(t, l.Stop(bg))
		l = start(t, d, with(d, s))
		encoded(t, l)
		if n := len(s.texts()) - asked; n > 0 {
			t.Errorf("%d texts are encoded again", n)
		}
	})
}

// late is a store that cannot load a project at first.
type late struct {
	*disk
	failures int
}

func (s *late) Load(ctx context.Context, p event.ProjectID) (event.ProjectState, error) {
	if s.failures--; s.failures >= 0 {
		return event.ProjectState{}, errDisk
	}
	return s.disk.Load(ctx, p)
}

// A project that could not be loaded at the start has its vectors made once it can be.
func TestVectorsOfAProjectThatIsLoadedLate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, s := openDisk(t), new(slow)
		l := start(t, d, learner.Options{Encoder: ngram.New()})
		apply(t, l, labels(30))
		rest(t, l)
		must(t, l.Stop(bg))
		l = start(t, &late{d, 2}, with(d, s))
		time.Sleep(time.Minute)
		encoded(t, l)
		if e := status(t, l).Encoding; !e.Done || e.Encoded != 30 {
			t.Errorf("encoding %+v", e)
		}
	})
}

// Settings that a rollback holds outlive a change of encoder, and a restart after it: a part
// of features that they do not know weighs 1, and a weight without its part nothing.
func TestHeldSettingsOutliveAnEncoder(t *testing.T) {
	d := openDisk(t)
	o := choosing(learner.Options{Tolerance: 1e-3}, nil)
	l := start(t, d, o)
	apply(t, l, labels(60))
	rest(t, l)
	apply(t, l, &event.RetrainDue{Project: 1, At: at(3), Reason: "asked"})
	rest(t, l)
	apply(t, l, &event.RollbackDue{Project: 1, At: at(4), To: "hone-1"})
	rest(t, l)
	held := status(t, l)
	for _, name := range []string{"hashed", "static", "words"} {
		apply(t, l, encoder(name))
		rest(t, l)
		got := status(t, l)
		if !got.SettingsHeld || got.Heads[0].Ridge != held.Heads[0].Ridge || got.Version != "hone-1" || got.Heads[0].Examples != 60 {
			t.Errorf("%s: %+v, want the settings of %+v", name, got, held)
		}
		before, _, err := l.Estimates(bg, 1, probes(20))
		must(t, err)
		l = killed(t, d, l, o)
		rest(t, l)
		after, _, err := l.Estimates(bg, 1, probes(20))
		must(t, err)
		for i := range after {
			sameEstimate(t, before[i][0], after[i][0], 2e-3)
		}
	}
}

// A retrain and a choice of settings that are under way when the encoder changes make no model
// of the old features.
func TestARunUnderWayIsOfTheOldEncoder(t *testing.T) {
	o := choosing(learner.Options{Tolerance: 1e-3}, nil)
	l := start(t, openDisk(t), o)
	apply(t, l, labels(300)) // a choice of settings begins
	apply(t, l, &event.RetrainDue{Project: 1, At: at(3), Reason: "asked"})
	apply(t, l, encoder("hashed"))
	apply(t, l, encoder("words"))
	rest(t, l)
	fresh := start(t, openDisk(t), learner.Options{Encoder: ngram.NewWords(), Tolerance: 1e-3})
	apply(t, fresh, labels(300))
	apply(t, fresh, &event.RetrainDue{Project: 1, At: at(3), Reason: "asked"})
	rest(t, fresh)
	same(t, fresh, l, 5e-3)
	if a, b := status(t, fresh), status(t, l); a.Version != "hone-2" || b.Version != "hone-2" || a.Heads[0].Ridge != b.Heads[0].Ridge {
		t.Errorf("%+v, want %+v", b, a)
	}
}

// A project that is back in Label Studio has its vectors made again, though no text of it
// has changed.
func TestVectorsOfAProjectThatIsBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, s := openDisk(t), new(slow)
		l := start(t, d, with(d, s))
		apply(t, l, labels(30))
		encoded(t, l)
		apply(t, l, &event.Changed{Project: 1, Gone: true, At: at(2), Source: event.FromReconcile, Reading: &event.Reading{}, Position: 1 << 30})
		encoded(t, l)
		time.Sleep(time.Minute)
		if _, known := l.Status(1); known || vectorsOf(t, d, "slow/1") > 0 {
			t.Fatal("it is not gone")
		}
		apply(t, l, &event.Changed{Project: 1, At: at(3), Source: event.FromReconcile, Reading: &event.Reading{From: 1 << 31}, Position: 1 << 32})
		encoded(t, l)
		if e := status(t, l).Encoding; !e.Done || e.Encoded != 30 {
			t.Errorf("encoding %+v", e)
		}
	})
}
