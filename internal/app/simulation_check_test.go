package app_test

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"math"
	"path/filepath"
	"reflect"
	"slices"
	"time"

	"github.com/hone-ml/hone/encode"
	"github.com/hone-ml/hone/encode/encoders"
	"github.com/hone-ml/hone/event"
	"github.com/hone-ml/hone/internal/app/core"
	"github.com/hone-ml/hone/labelstudio"
	"github.com/hone-ml/hone/learner"
	"github.com/hone-ml/hone/learner/features"
	"github.com/hone-ml/hone/sampler"
	"github.com/hone-ml/hone/settings"
	"github.com/hone-ml/hone/state"
)

// threeFull is the time of three full comparisons.
const threeFull = 65 * time.Minute

// calm ends every disturbance.
func (w *world) calm() {
	w.network.heal()
	w.disk.repair()
	if !w.clockOK.IsZero() {
		w.setClock(0)
	}
	w.rest(time.Second)
}

// calmDown ends every disturbance and lets hone find and mend what came of them.
func (w *world) calmDown() {
	w.note("all is calm")
	w.calm()
	w.network.late.Wait()
	w.rest(threeFull)
	if w.nightly {
		w.note("the night is over")
		w.must(w.hone.app.Pipeline.Publish(context.Background(), &event.ReconcileDue{At: time.Now(), Full: true, Contents: true, Reason: "nightly"}))
		w.rest(time.Minute)
	}
	for range 600 {
		if len(w.symptoms) > 0 || w.settled() == "" {
			return
		}
		w.rest(time.Second)
	}
	w.wrong("hone does not come to rest: %s", w.settled())
}

// settled says what hone still has to do, "" for nothing.
func (w *world) settled() string {
	a := w.hone.app
	lags, err := a.Pipeline.Lag()
	w.must(err)
	for _, l := range lags {
		if l.Entries > 0 {
			return fmt.Sprintf("%s has %d entries of %s before it", l.Group, l.Entries, l.Topic)
		}
	}
	for _, p := range w.projects {
		st, ok := a.Learner.Status(p)
		if !ok || !st.Settled {
			return fmt.Sprintf("project %d is not settled: %s", p, a.Learner.Trouble(p))
		}
		if why := w.unpushed(p); why != "" {
			return why
		}
		q, _ := a.Sampler.Status(p)
		if s := q.Stored; s.Staging != "" || s.QueueDiffering+s.OthersDiffering > 0 || w.oldRows(p, q.Version) > 0 {
			return fmt.Sprintf("project %d: predictions are still to be written: %+v", p, s)
		}
	}
	return ""
}

// unpushed says why Label Studio does not have a project's queue.
func (w *world) unpushed(p event.ProjectID) string {
	q, ok := w.hone.app.Sampler.Status(p)
	there := map[event.TaskID]bool{}
	for _, t := range w.there(p) {
		there[t.ID] = true
	}
	places := 0 // hone may not have heard of a deletion
	for _, i := range q.Queue {
		if there[i.Task] {
			places++
		}
	}
	if !ok || q.Note != "" || q.Pushed < places {
		return fmt.Sprintf("project %d: Label Studio has %d of %d places of the queue: %s", p, q.Pushed, len(q.Queue), q.Note)
	}
	return ""
}

// check compares all that there is, when nothing moves any more.
func (w *world) check() {
	a := w.hone.app
	if n, err := a.Pipeline.CountDeadLetters(context.Background()); err != nil || n > 0 {
		letters, _ := a.Pipeline.DeadLetters(context.Background(), 1)
		w.wrong("%d dead letters (%v): %+v", n, err, letters)
	}
	for _, p := range w.projects {
		w.checkExamples(p)
		w.checkSettings(p)
		w.checkQueue(p)
		w.checkStored(p)
		w.checkRegistration(p)
		meta, err := a.Store.Meta(context.Background(), p)
		w.must(err)
		if most := w.network.excuses(p); meta.Missed > uint64(most) {
			w.wrong("project %d: reconcile found %d changes that hone should have known of, at most %d were not told", p, meta.Missed, most)
		}
	}
	w.checkPredictions()
}

// checkExamples: what hone holds is what Label Studio holds.
func (w *world) checkExamples(p event.ProjectID) {
	have := map[event.TaskID]event.TaskState{}
	for _, t := range w.stored(p) {
		have[t.Task.ID] = t
	}
	for _, t := range w.there(p) {
		h, ok := have[t.ID]
		delete(have, t.ID)
		switch {
		case !ok:
			w.wrong("project %d: hone does not know task %d", p, t.ID)
			continue
		case !alike(h.Task.Data, t.Data):
			w.wrong("project %d: of task %d hone has %.200s, Label Studio %.200s", p, t.ID, h.Task.Data, t.Data)
		}
		of := map[event.AnnotationID]event.Annotation{}
		for _, a := range h.Annotations {
			of[a.ID] = a
		}
		for _, a := range t.Annotations {
			b, ok := of[a.ID]
			delete(of, a.ID)
			if !ok {
				w.wrong("project %d: hone does not know annotation %d of task %d", p, a.ID, t.ID)
			} else if !alike(a.Result, b.Result) || a.Cancelled != b.Cancelled {
				w.wrong("project %d: of annotation %d hone has %.200s (%v), Label Studio %.200s (%v)", p, a.ID, b.Result, b.UpdatedAt, a.Result, a.UpdatedAt)
			}
		}
		for id := range of {
			w.wrong("project %d: hone has annotation %d of task %d, Label Studio does not", p, id, t.ID)
		}
	}
	for id := range have {
		w.wrong("project %d: hone has task %d, Label Studio does not", p, id)
	}
}

// alike compares JSON by value; no value is the same as an empty list.
func alike(a, b json.RawMessage) bool {
	read := func(raw json.RawMessage) (v any) {
		d := json.NewDecoder(bytes.NewReader(raw))
		d.UseNumber()
		if d.Decode(&v) != nil {
			return string(raw)
		}
		if list, ok := v.([]any); ok && len(list) == 0 {
			return nil
		}
		return v
	}
	return bytes.Equal(a, b) || reflect.DeepEqual(read(a), read(b))
}

// checkQueue: the queue is what the live model ranks, and Label Studio asks in its
// order.
func (w *world) checkQueue(p event.ProjectID) {
	a, cfg := w.hone.app, w.settings("").Sampler
	of, by := w.values(p).Ranking, w.values(p).Suggesting
	of.Strategy = a.Guard.Strategy(p, of.Strategy)
	st, _ := a.Sampler.Status(p)
	var open, skipped []event.Task
	labelled := map[event.TaskID]uint64{}
	for _, t := range w.stored(p) {
		switch {
		case t.Labelled():
			labelled[t.Task.ID] = 0
		case t.Skipped():
			skipped = append(skipped, t.Task)
		default:
			open = append(open, t.Task)
		}
	}
	drawn := w.drawn(p, of, open)
	if drawn != nil {
		of.RandomShare = 0 // random ones are among the draws
	}
	if len(open) == 0 {
		open = skipped
	}
	ranker, err := sampler.NewRanker(sampler.Options{Pool: a.Store, Scorer: a.Learner, Vectors: a.Learner, Strategy: of.Strategy, QueueSize: of.Queue, Front: cfg.Head, RandomShare: of.RandomShare})
	w.must(err)
	want, err := ranker.Rank(context.Background(), p, open, labelled, sampler.Queue{Items: st.Queue, Version: st.Version})
	w.must(err)
	if got, want := tasksOf(st.Queue), first(drawn, tasksOf(want.Items), of.Queue); !slices.Equal(got, want) || len(got) == 0 && len(open) > 0 {
		w.wrong("project %d: the queue is %v, but the model ranks %v", p, got, want)
	}
	in, err := w.user.Project(context.Background(), p)
	w.must(err)
	if len(st.Queue) > 0 && in.ModelVersion != st.Version {
		w.wrong("project %d goes by version %q, not %q", p, in.ModelVersion, st.Version)
	}
	asked := map[event.TaskID]bool{}
	for _, t := range w.there(p) {
		asked[t.ID] = slices.ContainsFunc(t.Annotations, func(a event.Annotation) bool { return !a.Cancelled })
	}
	var rows []labelstudio.PredictionRow
	for r, err := range w.user.Predictions(context.Background(), p) {
		w.must(err)
		if r.ModelVersion == st.Version && !asked[r.Task] && r.Score != nil && *r.Score < 0.01 {
			rows = append(rows, r)
		}
	}
	slices.SortFunc(rows, func(a, b labelstudio.PredictionRow) int { return cmp.Compare(*a.Score, *b.Score) })
	seen := map[event.TaskID]bool{}
	var served []event.TaskID
	for _, r := range rows {
		if seen[r.Task] {
			w.wrong("project %d: task %d was given its place twice", p, r.Task)
		}
		seen[r.Task] = true
		served = append(served, r.Task)
		w.checkSuggestion(p, r, by)
	}
	if got := served[:min(len(served), len(st.Queue))]; !slices.Equal(got, tasksOf(st.Queue)) {
		w.wrong("project %d: Label Studio asks %v, the queue is %v", p, got, tasksOf(st.Queue))
	}
}

// drawn are the tasks of a project with odds that were drawn and may still be answered, in the order in which they were drawn; nil
// without odds.
func (w *world) drawn(p event.ProjectID, of settings.Ranking, open []event.Task) []event.TaskID {
	if !of.Odds || !sampler.CanDraw(of.Strategy) {
		return nil
	}
	draws, err := w.hone.app.Store.Draws(context.Background(), p)
	w.must(err)
	out, seen := []event.TaskID{}, map[event.TaskID]bool{}
	for i, d := range draws {
		if d.Number != uint64(i) || seen[d.Task] || !(d.Q > 0 && d.Q <= 1) {
			w.wrong("project %d: draw %d of %d is %+v", p, i, len(draws), d)
		}
		seen[d.Task] = true
		if slices.ContainsFunc(open, func(t event.Task) bool { return t.ID == d.Task }) {
			out = append(out, d.Task)
		}
	}
	return out
}

// first puts tasks before others, which are there once.
func first(tasks, others []event.TaskID, most int) []event.TaskID {
	out := slices.Clone(tasks)
	for _, t := range others {
		if !slices.Contains(tasks, t) && len(out) < most {
			out = append(out, t)
		}
	}
	return out
}

func tasksOf(items []sampler.Item) []event.TaskID {
	out := make([]event.TaskID, len(items))
	for i, it := range items {
		out[i] = it.Task
	}
	return out
}

func (w *world) checkRegistration(p event.ProjectID) {
	hooks, err := w.user.Webhooks(context.Background(), p)
	w.must(err)
	backends, err := w.user.Backends(context.Background(), p)
	w.must(err)
	if len(hooks) != 1 || len(backends) != 1 {
		w.wrong("project %d has %d webhooks and %d backends", p, len(hooks), len(backends))
	}
}

// encoders are that of the configuration, and those that projects choose among.
func (w *world) encoders() (byDefault encode.Encoder, others map[string]features.Encoding) {
	e, err := encoders.Open(w.settings("").Learner.Encoder, encoders.Options{})
	w.must(err)
	others = map[string]features.Encoding{}
	for _, name := range []string{encoders.Hashed, encoders.Words, encoders.Static} {
		e, err := encoders.Open(name, encoders.Options{})
		w.must(err)
		others[name] = features.Encoding(e)
	}
	return e.Fast, others
}

// checkPredictions: hone's models predict what models predict that have learned all
// that Label Studio holds at once.
func (w *world) checkPredictions() {
	ctx := context.Background()
	store, err := state.Open(filepath.Join(w.dir, "scratch"), state.Options{})
	w.must(err)
	defer func() { w.must(store.Close()) }()
	store.DB().NoSync = true
	byDefault, others := w.encoders()
	fresh, err := learner.New(core.WithoutLog(store), learner.Options{Encoder: byDefault, Others: others, Settings: w.table()})
	w.must(err)
	w.must(fresh.Start(ctx))
	defer func() { w.must(fresh.Stop(ctx)) }()
	for i, p := range w.projects {
		of, err := w.user.Project(ctx, p)
		w.must(err)
		c := &event.Changed{Project: p, CreatedAt: of.CreatedAt.Unix(), Source: event.FromReconcile, At: time.Now(), Title: of.Title, LabelConfig: of.LabelConfig}
		var probes []event.Task
		for _, t := range w.there(p) {
			c.Tasks = append(c.Tasks, t.Task)
			c.Annotations = append(c.Annotations, t.Annotations...)
			probes = append(probes, t.Task)
		}
		set := &event.Configured{Project: p, At: time.Now(), Set: w.inForce(p)}
		w.must(fresh.Apply(ctx, []event.Event{c, set}, event.Cursor{Topic: event.Changes, Group: "learner", Offset: uint64(i + 1)}))
		w.must(fresh.WaitSettled(ctx))
		w.comparePredictions(p, w.hone.app.Learner, fresh, probes)
	}
}

func (w *world) comparePredictions(p event.ProjectID, live, fresh *learner.Learner, probes []event.Task) {
	have, _ := live.Status(p)
	want, _ := fresh.Status(p)
	if have.Labels != want.Labels || len(have.Heads) != len(want.Heads) || have.RefusedCount != want.RefusedCount {
		w.wrong("project %d has learned %d labels with %d heads and refused %d, from scratch %d with %d and %d",
			p, have.Labels, len(have.Heads), have.RefusedCount, want.Labels, len(want.Heads), want.RefusedCount)
		return
	}
	if have.Annotations != want.Annotations || have.NoText != want.NoText || have.Suggestions.Accepted != want.Suggestions.Accepted || have.Suggestions.Changed != want.Suggestions.Changed {
		w.wrong("project %d counts %+v, %+v, %d tasks without text, from scratch %+v, %+v, %d",
			p, have.Annotations, have.Suggestions, have.NoText, want.Annotations, want.Suggestions, want.NoText)
		return
	}
	w.note("project %d has learned %d labels with %d heads", p, have.Labels, len(have.Heads))
	for i, h := range have.Heads {
		if f := want.Heads[i]; h.Control != f.Control || h.Examples != f.Examples || h.Ridge != f.Ridge {
			w.wrong("project %d: head %s has %d examples and ridge %v, from scratch %s %d and %v", p, h.Control, h.Examples, h.Ridge, f.Control, f.Examples, f.Ridge)
			return
		}
	}
	// Each may be half of that from the optimum.
	const apart = 2 * 0.005
	a, _, err := live.Estimates(context.Background(), p, probes)
	w.must(err)
	b, _, err := fresh.Estimates(context.Background(), p, probes)
	w.must(err)
	threshold := w.values(p).Suggesting.Threshold
	for i := range probes {
		said := map[string]event.Estimate{}
		for _, e := range b[i] {
			said[e.Control] = e
		}
		if len(a[i]) != len(b[i]) && !slices.ContainsFunc(a[i], func(e event.Estimate) bool { return undecided(e, threshold, apart) }) {
			w.wrong("project %d: task %d has %d estimates, from scratch %d", p, probes[i].ID, len(a[i]), len(b[i]))
			return
		}
		for _, e := range a[i] {
			f, both := said[e.Control]
			if !both {
				continue
			}
			have, want := probabilities(e), probabilities(f)
			for k := range have {
				if math.Abs(have[k]-want[k]) > apart+1e-6 {
					w.wrong("project %d: of task %d control %s says %v, from scratch %v", p, probes[i].ID, e.Control, have, want)
					return
				}
			}
		}
	}
}

// undecided reports whether two models this far apart may suggest different labels: where one
// hides a control that the other shows, both are right.
func undecided(e event.Estimate, threshold, apart float64) bool {
	ps := slices.Sorted(slices.Values(probabilities(e)))
	n := len(ps)
	near := func(p float64) bool { return math.Abs(p-threshold) <= apart }
	return n > 1 && ps[n-1]-ps[n-2] <= 2*apart || slices.ContainsFunc(ps, near)
}

// probabilities are those of the classes, or of a head without any the one that its
// answer is right.
func probabilities(e event.Estimate) []float64 {
	if e.Classes == nil {
		return []float64{(1 + e.Certainty) / 2}
	}
	return e.Classes.P
}
