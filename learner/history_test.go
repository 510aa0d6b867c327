package learner_test

import (
	"encoding/json"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/hone-ml/hone/event"
	"github.com/hone-ml/hone/learner"
	"github.com/hone-ml/hone/settings"
	"github.com/hone-ml/hone/state"
)

// labelStudio is the truth: what Label Studio holds, and every statement it made
// on the way there.
type labelStudio struct {
	rng         *rand.Rand
	clock       int
	config      string
	tasks       map[event.TaskID]event.Task
	annotations map[event.AnnotationID]event.Annotation
	nextTask    event.TaskID
	nextAnn     event.AnnotationID
	gone        []event.TaskID
	goneAnn     []event.AnnotationID
}

func (w *labelStudio) say(c event.Changed) *event.Changed {
	c.Project, c.Source, c.At = 1, event.FromWebhook, at(w.clock)
	return &c
}

// act does one thing that people do and says it as a webhook would.
func (w *labelStudio) act() *event.Changed {
	w.clock++
	pickTask := func() (event.Task, bool) {
		ids := make([]event.TaskID, 0, len(w.tasks))
		for id := range w.tasks {
			ids = append(ids, id)
		}
		if len(ids) == 0 {
			return event.Task{}, false
		}
		slices.Sort(ids)
		return w.tasks[ids[w.rng.IntN(len(ids))]], true
	}
	pickAnn := func() (event.Annotation, bool) {
		ids := make([]event.AnnotationID, 0, len(w.annotations))
		for id := range w.annotations {
			ids = append(ids, id)
		}
		if len(ids) == 0 {
			return event.Annotation{}, false
		}
		slices.Sort(ids)
		return w.annotations[ids[w.rng.IntN(len(ids))]], true
	}
	switch w.rng.IntN(14) {
	case 0: // a task's text is changed
		if t, ok := pickTask(); ok {
			s, _ := sentence(w.rng.Uint64())
			t.Data, t.UpdatedAt = data(s), at(w.clock)
			w.tasks[t.ID] = t
			return w.say(event.Changed{Tasks: []event.Task{t}})
		}
	case 1: // a task is deleted
		if t, ok := pickTask(); ok {
			delete(w.tasks, t.ID)
			w.gone = append(w.gone, t.ID)
			for id, a := range w.annotations {
				if a.Task == t.ID {
					delete(w.annotations, id)
					w.goneAnn = append(w.goneAnn, id)
				}
			}
			return w.say(event.Changed{DeletedTasks: []event.TaskID{t.ID}})
		}
	case 2, 3: // an annotation is deleted
		if a, ok := pickAnn(); ok {
			delete(w.annotations, a.ID)
			w.goneAnn = append(w.goneAnn, a.ID)
			return w.say(event.Changed{DeletedAnnotations: []event.AnnotationID{a.ID}})
		}
	case 4, 5: // an annotation is edited, skipped, unskipped
		if a, ok := pickAnn(); ok {
			a.Result, a.UpdatedAt = w.answer(), at(w.clock)
			a.Cancelled = w.rng.IntN(4) == 0
			w.annotations[a.ID] = a
			return w.say(event.Changed{Annotations: []event.Annotation{a}, Tasks: []event.Task{w.tasks[a.Task]}})
		}
	case 6: // the label config is changed
		w.config = []string{single, fewer, both, kinds, kinds, marked, hiding, `<View/>`}[w.rng.IntN(8)]
		return w.say(event.Changed{LabelConfig: w.config})
	}
	// A task is annotated, now and then one that was before.
	t, ok := pickTask()
	if !ok || w.rng.IntN(4) > 0 {
		w.nextTask++
		s, _ := sentence(w.rng.Uint64())
		t = event.Task{ID: w.nextTask, Data: data(s), UpdatedAt: at(w.clock)}
		switch w.rng.IntN(10) {
		case 0: // no text
			t.Data = json.RawMessage(`{"other":"` + s + `"}`)
		case 1: // nothing to compare
			t.Data = json.RawMessage(`{"text":"` + s + `","other":"` + s + `"}`)
		}
		w.tasks[t.ID] = t
	}
	w.nextAnn++
	a := event.Annotation{
		ID: w.nextAnn, Task: t.ID, Result: w.answer(), UpdatedAt: at(w.clock),
		Cancelled: w.rng.IntN(8) == 0, FromModel: w.rng.IntN(10) == 0, Suggested: w.rng.IntN(3) == 0,
		CompletedBy: event.UserID(1 + w.rng.IntN(2)), GroundTruth: w.rng.IntN(4) == 0,
	}
	w.annotations[a.ID] = a
	return w.say(event.Changed{Annotations: []event.Annotation{a}, Tasks: []event.Task{t}})
}

func (w *labelStudio) answer() []byte {
	var regions []map[string]any
	if w.rng.IntN(10) > 0 {
		regions = append(regions, region("c", []string{"card", "money", "app"}[w.rng.IntN(3)]))
	}
	if w.rng.IntN(2) > 0 {
		regions = append(regions, region("m", [][]string{{"urgent"}, {"rude"}, {"urgent", "rude"}}[w.rng.IntN(3)]...))
	}
	if w.rng.IntN(2) > 0 {
		paths := [][]string{{"Animal", "Cat"}, {"Plant"}, {"Animal"}}
		from := w.rng.IntN(2)
		regions = append(regions, valued("tax", "taxonomy", "taxonomy", paths[from:from+1+w.rng.IntN(8)/7]))
	}
	if w.rng.IntN(2) > 0 {
		regions = append(regions, valued("stars", "rating", "rating", 1+w.rng.IntN(5)), valued("n", "number", "number", w.rng.IntN(22)))
	}
	if w.rng.IntN(2) > 0 {
		regions = append(regions, valued("pw", "pairwise", "selected", []string{"left", "right"}[w.rng.IntN(2)]))
	}
	if w.rng.IntN(2) > 0 {
		from := w.rng.IntN(12)
		regions = append(regions, map[string]any{
			"id": "s", "from_name": "s", "to_name": "t", "type": "labels",
			"value": map[string]any{"start": from, "end": from + 1 + w.rng.IntN(8), "labels": []string{[]string{"thing", "deed"}[w.rng.IntN(2)]}},
		})
	}
	if w.rng.IntN(4) == 0 {
		regions = append(regions, region("else", "yes"))
	}
	for _, r := range regions {
		if origin := w.rng.IntN(6); origin < 3 {
			r["origin"] = []string{"manual", "prediction", "prediction-changed"}[origin]
		}
	}
	if regions == nil {
		return []byte("[]")
	}
	return result(regions...)
}

// setUp changes settings as people do.
func (w *labelStudio) setUp() *event.Configured {
	e := &event.Configured{Project: 1, At: at(w.clock), Set: map[string]string{}}
	for _, s := range [][]string{
		{"learn_from_users", "1", "2", "1,2"},
		{"learn_from_states", "ground_truth", "submitted", "skipped,submitted"},
		{"threshold", "0.2", "0.7"},
		{
			"descriptions", `{"card":["my card was stolen or lost"],"money":["cash that did not come"],"app":["the screen, the phone"]}`,
			`{"c":{"card":["the screen"]},"urgent":["now, at once"]}`, `{"Animal":["it walks"],"Plant":["it stands"]}`, `{"nothing":["of a label that is gone"]}`,
		},
		{"encoder", "hashed", "words", settings.DefaultEncoder},
	} {
		key, values := s[0], s[1:]
		switch k := w.rng.IntN(2 * len(values)); {
		case k < len(values):
			e.Set[key] = values[k]
		case k == len(values):
			e.Reset = append(e.Reset, key)
		}
	}
	return e
}

// all is what a reconcile finds.
func (w *labelStudio) all() *event.Changed {
	c := w.say(event.Changed{LabelConfig: w.config, DeletedTasks: w.gone, DeletedAnnotations: w.goneAnn})
	c.Source = event.FromReconcile
	for _, t := range w.tasks {
		c.Tasks = append(c.Tasks, t)
	}
	for _, a := range w.annotations {
		c.Annotations = append(c.Annotations, a)
	}
	return c
}

// Must always hold, 2 and 3: whatever is done, said twice, late or not at all,
// whatever fails and whenever hone is killed, in the end it predicts as one that
// was trained from scratch on what Label Studio holds.
func TestAnyHistoryEndsWhereTrainingFromScratchDoes(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		seed := rapid.Uint64().Draw(t, "seed")
		rng := rand.New(rand.NewPCG(seed, 0))
		w := &labelStudio{
			rng: rng, config: single, tasks: map[event.TaskID]event.Task{},
			annotations: map[event.AnnotationID]event.Annotation{},
		}
		dir, remove := tempDir(t)
		defer remove()
		st, err := state.Open(dir, state.Options{})
		must(t, err)
		defer st.Close()
		d := &disk{Store: st}
		options := choosing(learner.Options{Tolerance: 1e-3, Budget: time.Duration(1+rng.IntN(2000)) * time.Microsecond}, nil)
		l, err := learner.New(d, options)
		must(t, err)
		defer func() { must(t, l.Stop(bg)) }()
		must(t, l.Load(bg, nil))
		must(t, l.Start(bg))

		statements := []*event.Changed{w.say(event.Changed{LabelConfig: single})}
		for range rapid.IntRange(0, 50).Draw(t, "acts") {
			c := w.act()
			if rng.IntN(10) > 0 { // one in ten is lost
				statements = append(statements, c)
			}
			if rng.IntN(5) == 0 {
				statements = append(statements, statements[rng.IntN(len(statements))])
			}
		}
		for i := range statements { // late, but not by far
			j := min(len(statements)-1, i+rng.IntN(4))
			statements[i], statements[j] = statements[j], statements[i]
		}
		var set map[string]string // what was set up last
		known := false
		send := func(batch ...event.Event) {
			for {
				offset++
				err := l.Apply(bg, batch, event.Cursor{Topic: event.Changes, Group: "learner", Offset: offset})
				if err == nil {
					return
				}
			}
		}
		for len(statements) > 0 {
			n := min(len(statements), 1+rng.IntN(5))
			var batch []event.Event
			for _, c := range statements[:n] {
				batch = append(batch, c)
			}
			statements = statements[n:]
			if known && rng.IntN(6) == 0 { // before it is, there is nothing to set up
				e := w.setUp()
				set = e.Change(set)
				batch = slices.Insert(batch, rng.IntN(len(batch)+1), event.Event(e))
			}
			d.failNext(max(0, rng.IntN(8)-5))
			send(batch...)
			known = true
			switch rng.IntN(10) {
			case 0: // killed: what was not committed is lost
				if rng.IntN(2) == 0 {
					d.failNext(0)
					must(t, l.Stop(bg))
				} else {
					d.failNext(math.MaxInt)
					_ = l.Stop(bg) // the dead write nothing
				}
				d = &disk{Store: st}
				l, err = learner.New(d, options)
				must(t, err)
				must(t, l.Load(bg, []event.ProjectID{1}))
				must(t, l.Start(bg))
			case 1:
				rest(t, l)
			}
		}
		send(w.all())
		rest(t, l)

		freshDir, removeFresh := tempDir(t)
		defer removeFresh()
		freshState, err := state.Open(freshDir, state.Options{})
		must(t, err)
		defer freshState.Close()
		fresh, err := learner.New(&disk{Store: freshState}, options)
		must(t, err)
		defer func() { _ = fresh.Stop(bg) }()
		must(t, fresh.Start(bg))
		apply(t, fresh, w.all())
		must(t, fresh.Apply(bg, []event.Event{&event.Configured{Project: 1, At: at(w.clock), Set: set}}, event.Cursor{Topic: event.Changes, Group: "learner", Offset: offset + 1}))
		rest(t, fresh)
		same(t, fresh, l, 2.1e-3)
		a, b := status(t, fresh), status(t, l)
		if a.Labels != b.Labels || len(a.Heads) != len(b.Heads) {
			t.Fatalf("labels %d, heads %d; want %d, %d", b.Labels, len(b.Heads), a.Labels, len(a.Heads))
		}
		for i := range a.Heads {
			if a.Heads[i].Examples != b.Heads[i].Examples {
				t.Fatalf("head %s has %d examples, want %d", a.Heads[i].Control, b.Heads[i].Examples, a.Heads[i].Examples)
			}
		}
		if a.Annotations != b.Annotations || a.Suggestions != b.Suggestions || a.NoText != b.NoText || a.IdenticalPairs != b.IdenticalPairs {
			t.Fatalf("counted %+v, %+v, %d, %d, want %+v, %+v, %d, %d", b.Annotations, b.Suggestions, b.NoText, b.IdenticalPairs, a.Annotations, a.Suggestions, a.NoText, a.IdenticalPairs)
		}
		if a.Annotations.Learned != a.Labels || a.Annotations.Seen != len(w.annotations) {
			t.Fatalf("%d labels of %d annotations, counted %+v", a.Labels, len(w.annotations), a.Annotations)
		}
		if b.OptimalityGap == nil || *b.OptimalityGap > 1e-3 || !b.Settled {
			t.Fatalf("at rest the gap is %v", b.OptimalityGap)
		}
	})
}
