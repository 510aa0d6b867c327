package state

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"slices"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"github.com/hone-ml/hone/event"
)

// truth is what a Label Studio holds. It is copied when a backup is made.
type truth struct {
	tasks          map[event.TaskID]event.TaskState
	nextTask       event.TaskID
	nextAnnotation event.AnnotationID
}

func (h truth) clone() truth {
	h.tasks = maps.Clone(h.tasks)
	for id, ts := range h.tasks {
		ts.Annotations = slices.Clone(ts.Annotations)
		h.tasks[id] = ts
	}
	return h
}

// world is a Label Studio with a clock that may be wrong, webhooks that may do
// anything, strangers who make them up, a log, and a hone that falls behind.
type world struct {
	t     *rapid.T
	truth truth
	saved truth // its backup
	clock int

	under   []*event.Changed // webhooks under way
	log     []*event.Changed
	applied int
	reading *openReading
	store   *Store
	heard   follower
	said    int
}

// openReading is one that has begun.
type openReading struct {
	from  uint64
	known []event.KnownTask // before anything was asked
	left  []event.TaskID
}

func (w *world) now() time.Time {
	// Mostly it goes on, and now and then somebody sets it.
	if w.clock++; rapid.IntRange(0, 11).Draw(w.t, "clock is set") == 0 {
		w.clock = rapid.SampledFrom([]int{0, 50, 5_000_000}).Draw(w.t, "clock")
	}
	return sec(w.clock)
}

func (w *world) append(c *event.Changed) {
	placed := *c
	placed.Position = uint64(len(w.log) + 1)
	w.said++
	placed.At = sec(w.said)
	w.log = append(w.log, &placed)
}

// tell sends a webhook on its way, unless it is lost.
func (w *world) tell(c event.Changed) {
	c.Project, c.Source = 1, event.FromWebhook
	for range rapid.SampledFrom([]int{1, 1, 1, 0, 2}).Draw(w.t, "copies") {
		w.under = append(w.under, &c)
	}
}

func (w *world) deliver() {
	if len(w.under) == 0 {
		return
	}
	i := rapid.IntRange(0, len(w.under)-1).Draw(w.t, "which webhook")
	w.append(w.under[i])
	w.under = slices.Delete(w.under, i, i+1)
}

// apply plans and commits some of what is in the log, and checks that a reading at
// the end of it stands, or is doubted.
func (w *world) apply() {
	if w.applied == len(w.log) {
		return
	}
	n := rapid.IntRange(1, len(w.log)-w.applied).Draw(w.t, "batch")
	batch := w.log[w.applied : w.applied+n]
	w.applied += n
	deltas, err := w.store.Plan(ctx, batch)
	must(w.t, err)
	w.heard.hear(deltas)
	for range rapid.IntRange(1, 2).Draw(w.t, "commits") {
		must(w.t, w.store.Commit(ctx, commitOf(deltas)))
	}
	last := batch[n-1]
	if last.Reading == nil {
		return
	}
	for _, task := range last.Tasks {
		want := event.TaskState{Task: task}
		for _, a := range last.Annotations {
			if a.Task == task.ID {
				want.Annotations = append(want.Annotations, a)
			}
		}
		got, err := w.store.Tasks(ctx, 1, []event.TaskID{task.ID})
		must(w.t, err)
		told := taught([]event.TaskState{want})
		if diff := gocmp.Diff(told, taught(got)); diff != "" && !slices.Contains(deltas[0].Doubts.Tasks, task.ID) {
			w.t.Fatalf("task %d is not as it was read, and nobody doubts it (-read +stored):\n%s", task.ID, diff)
		}
	}
}

// change is something that people do in Label Studio.
func (w *world) change() {
	h := &w.truth
	ids := slices.Sorted(maps.Keys(h.tasks))
	op := rapid.SampledFrom([]string{"task", "annotate", "annotate", "edit", "edit", "data", "unannotate", "remove"}).Draw(w.t, "change")
	if op == "task" || len(ids) == 0 {
		h.nextTask++
		task := event.Task{ID: h.nextTask, UpdatedAt: w.now(), Data: json.RawMessage(rapid.SampledFrom(taskContents[:4]).Draw(w.t, "data"))}
		h.tasks[task.ID] = event.TaskState{Task: task}
		w.tell(event.Changed{Tasks: []event.Task{task}})
		return
	}
	id := rapid.SampledFrom(ids).Draw(w.t, "task")
	ts := h.tasks[id]
	at := w.now()
	var say event.Changed
	n := len(ts.Annotations)
	switch {
	case op == "annotate":
		h.nextAnnotation++
		a := annotation(int(h.nextAnnotation), int(id), 0, rapid.StringMatching("[a-c]").Draw(w.t, "label"))
		a.UpdatedAt = at
		ts.Annotations = append(ts.Annotations, a)
		say.Annotations = []event.Annotation{a}
	case op == "edit" && n > 0:
		a := &ts.Annotations[n-1]
		edited := annotation(int(a.ID), int(id), 0, rapid.StringMatching("[a-c]").Draw(w.t, "label"))
		edited.UpdatedAt = at
		*a = edited
		say.Annotations = []event.Annotation{edited}
	case op == "data":
		ts.Task.Data = json.RawMessage(rapid.SampledFrom(taskContents[:4]).Draw(w.t, "data"))
	case op == "unannotate" && n > 0:
		say.DeletedAnnotations = []event.AnnotationID{ts.Annotations[n-1].ID}
		ts.Annotations = ts.Annotations[:n-1]
	case op == "remove":
		delete(h.tasks, id)
		w.tell(event.Changed{DeletedTasks: []event.TaskID{id}})
		return
	}
	ts.Task.UpdatedAt = at
	h.tasks[id] = ts
	say.Tasks = []event.Task{ts.Task}
	w.tell(say)
}

// forge makes up news: late dates, contents, deletions of what is there or not.
func (w *world) forge() {
	c := genStatement(false).Draw(w.t, "forged")
	c.Gone, c.CreatedAt, c.Source = false, 0, event.FromWebhook
	for i := range c.Annotations {
		c.Annotations[i].UpdatedAt = c.Annotations[i].UpdatedAt.AddDate(rapid.SampledFrom([]int{0, 7000}).Draw(w.t, "years"), 0, 0)
	}
	if rapid.Bool().Draw(w.t, "many") {
		for i := range 8 {
			c.DeletedAnnotations = append(c.DeletedAnnotations, event.AnnotationID(i))
			c.DeletedTasks = append(c.DeletedTasks, event.TaskID(i))
		}
	}
	c.Project = 1
	w.append(c)
}

// read goes on with a reading, or begins one.
func (w *world) read() {
	if w.reading == nil {
		r := &openReading{from: uint64(len(w.log))}
		for w.applied < len(w.log) {
			w.apply()
		}
		var err error
		r.known, err = w.store.Known(ctx, 1)
		must(w.t, err)
		r.left = slices.Sorted(maps.Keys(w.truth.tasks))
		w.reading = r
		return
	}
	r := w.reading
	c := &event.Changed{Project: 1, Source: event.FromReconcile, Reading: &event.Reading{From: r.from}}
	n := min(len(r.left), rapid.IntRange(0, 3).Draw(w.t, "page"))
	for _, id := range r.left[:n] {
		if ts, there := w.truth.clone().tasks[id]; there {
			c.Tasks, c.Annotations = append(c.Tasks, ts.Task), append(c.Annotations, ts.Annotations...)
		}
	}
	if r.left = r.left[n:]; len(r.left) == 0 {
		for _, k := range r.known {
			if _, there := w.truth.tasks[k.Task]; !there {
				c.DeletedTasks = append(c.DeletedTasks, k.Task)
			}
		}
		w.reading = nil
	}
	w.append(c)
	if w.reading == nil && rapid.Bool().Draw(w.t, "confirm") {
		must(w.t, w.store.Confirm(ctx, 1, r.from))
	}
}

// Whatever was told, by whom, and when: after a reading during which nothing is
// told, the state is what Label Studio holds.
func TestWhatIsReadStands(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		dir, err := os.MkdirTemp("", "hone-state-")
		must(t, err)
		defer func() { must(t, os.RemoveAll(dir)) }()
		s, err := Open(dir, Options{})
		must(t, err)
		defer func() { must(t, s.Close()) }()
		s.db.NoSync = true
		w := &world{t: t, truth: truth{tasks: map[event.TaskID]event.TaskState{}}, store: s, heard: follower{1: {}}}
		w.saved = w.truth.clone()
		for range rapid.IntRange(1, 40).Draw(t, "steps") {
			switch rapid.SampledFrom([]string{"change", "change", "change", "deliver", "deliver", "apply", "apply", "forge", "read", "read", "read", "save", "restore"}).Draw(t, "step") {
			case "change":
				w.change()
			case "deliver":
				w.deliver()
			case "apply":
				w.apply()
			case "forge":
				w.forge()
			case "read":
				w.read()
			case "save":
				w.saved = w.truth.clone()
			case "restore": // ids given since then are given again
				w.truth = w.saved.clone()
			}
		}
		for len(w.under) > 0 {
			w.deliver()
		}
		for w.reading != nil {
			w.read()
		}
		for w.read(); w.reading != nil; {
			w.read()
		}
		w.isTrue()
		w.clock = 6_000_000 // later than any honest time so far
		w.afterwards()
	})
}

// afterwards lets everything be changed once more, and honestly told: nothing false
// may be left that stands in the way.
func (w *world) afterwards() {
	for _, id := range slices.Sorted(maps.Keys(w.truth.tasks)) {
		ts := w.truth.clone().tasks[id]
		w.clock++
		ts.Task.UpdatedAt, ts.Task.Data = sec(w.clock), json.RawMessage(`{"text":"after"}`)
		c := &event.Changed{Project: 1, Source: event.FromWebhook, Tasks: []event.Task{ts.Task}}
		for i := range ts.Annotations {
			a := annotation(int(ts.Annotations[i].ID), int(id), w.clock, "after")
			ts.Annotations[i] = a
			c.Annotations = append(c.Annotations, a)
		}
		w.truth.tasks[id] = ts
		w.append(c)
	}
	w.isTrue()
	for id, ts := range w.truth.tasks {
		c := &event.Changed{Project: 1, Source: event.FromWebhook}
		for _, a := range ts.Annotations {
			c.DeletedAnnotations = append(c.DeletedAnnotations, a.ID)
		}
		ts.Annotations = nil
		w.truth.tasks[id] = ts
		w.append(c)
	}
	w.isTrue()
}

// isTrue requires the state, and what the deltas told of it, to be what Label
// Studio holds once the whole log is applied.
func (w *world) isTrue() {
	for w.applied < len(w.log) {
		w.apply()
	}
	var want []event.TaskState
	for _, id := range slices.Sorted(maps.Keys(w.truth.tasks)) {
		want = append(want, w.truth.tasks[id])
	}
	got, err := w.store.Tasks(ctx, 1, nil)
	must(w.t, err)
	if diff := gocmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
		w.t.Fatalf("the last reading does not stand (-Label Studio +stored):\n%s\nlog: %s", diff, show(w.log))
	}
	if diff := gocmp.Diff(taught(want), taught(slices.Collect(maps.Values(w.heard[1])))); diff != "" {
		w.t.Fatalf("what the deltas told (-Label Studio +deltas):\n%s\nlog: %s", diff, show(w.log))
	}
}

func show(log []*event.Changed) (out string) {
	for _, c := range log {
		b, _ := json.Marshal(c)
		out += fmt.Sprintf("\n%d %s", c.Position, b)
	}
	return out
}
