package state

import (
	"encoding/json"
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/hone-ml/hone/event"
)

func webhook(at int, c event.Changed) *event.Changed {
	c.Project, c.At, c.Source = max(c.Project, 1), sec(at), event.FromWebhook
	return &c
}

func setup(at int, c event.Changed) *event.Changed {
	out := webhook(at, c)
	out.Source = event.FromSetup
	return out
}

// reading is what was read after everything up to a position was heard.
func reading(at int, from uint64, c event.Changed) *event.Changed {
	out := webhook(at, c)
	out.Source, out.Reading = event.FromReconcile, &event.Reading{From: from}
	return out
}

func tasksOf(t *testing.T, s *Store) []event.TaskState {
	t.Helper()
	got, err := s.Tasks(ctx, 1, nil)
	must(t, err)
	return got
}

func wantTasks(t *testing.T, what string, got []event.TaskState, want ...event.TaskState) {
	t.Helper()
	if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

// Label Studio moves a task's updated_at at every prediction that hone itself
// pushes: that must not come back as something to learn.
func TestATaskThatOnlyMovedInTimeIsNotTouched(t *testing.T) {
	s := open(t, t.TempDir(), Options{})
	apply(t, s, webhook(1, event.Changed{
		Tasks:       []event.Task{task(1, 1, `{"text":"h\u00e9","n":2.0}`)},
		Annotations: []event.Annotation{annotation(5, 1, 1, "x")},
	}))
	d := apply(t, s, webhook(2, event.Changed{
		Tasks:       []event.Task{task(1, 9, `{ "n": 2, "text": "hé" }`)},
		Annotations: []event.Annotation{annotation(5, 1, 8, "x")},
	}))[0]
	if !d.Empty() || d.Duplicates != 1 || d.Annotations != 0 {
		t.Errorf("got %+v, want an empty delta and one duplicate", d)
	}
	// Its later time counts all the same: what is older loses.
	d = apply(t, s, webhook(3, event.Changed{
		Tasks:       []event.Task{task(1, 5, `{"text":"older"}`)},
		Annotations: []event.Annotation{annotation(5, 1, 5, "older")},
	}))[0]
	if !d.Empty() || d.Duplicates != 1 {
		t.Errorf("an older statement won: %+v", d)
	}
	wantTasks(t, "stored", tasksOf(t, s), event.TaskState{
		Task:        task(1, 9, `{ "n": 2, "text": "hé" }`),
		Annotations: []event.Annotation{annotation(5, 1, 8, "x")},
	})
}

func TestDeletionIsForEver(t *testing.T) {
	s := open(t, t.TempDir(), Options{})
	// Never heard of: the tombstone must stay nevertheless.
	d := apply(t, s, webhook(1, event.Changed{DeletedTasks: []event.TaskID{1}, DeletedAnnotations: []event.AnnotationID{7}}))[0]
	if len(d.Tasks) != 0 || d.Annotations != 0 || d.Duplicates != 1 {
		t.Errorf("deleting what is unknown is news: %+v", d)
	}
	apply(t, s, webhook(2, event.Changed{
		Tasks:       []event.Task{task(1, 5, `{"text":"dead"}`), task(2, 5, `{"text":"alive"}`)},
		Annotations: []event.Annotation{annotation(6, 1, 5, "x"), annotation(7, 2, 5, "x"), annotation(8, 2, 5, "x")},
	}))
	alive := event.TaskState{Task: task(2, 5, `{"text":"alive"}`), Annotations: []event.Annotation{annotation(8, 2, 5, "x")}}
	wantTasks(t, "after statements about deleted things", tasksOf(t, s), alive)

	// A deletion names the annotation only; its task is found.
	d = apply(t, s, webhook(3, event.Changed{DeletedAnnotations: []event.AnnotationID{8}}))[0]
	alive.Annotations = nil
	wantTasks(t, "delta of a deleted annotation", d.Tasks, alive)

	apply(t, s, webhook(4, event.Changed{Annotations: []event.Annotation{annotation(9, 2, 6, "y"), annotation(10, 2, 6, "z")}}))
	d = apply(t, s, webhook(5, event.Changed{DeletedTasks: []event.TaskID{2}}))[0]
	wantTasks(t, "delta of a deleted task", d.Tasks, event.TaskState{Task: event.Task{ID: 2}, Deleted: true})
	if d.Annotations != 2 {
		t.Errorf("deleting a task deleted %d annotations, want 2", d.Annotations)
	}
	d = apply(t, s, webhook(6, event.Changed{Annotations: []event.Annotation{annotation(9, 2, 99, "late"), annotation(11, 2, 99, "late")}}))[0]
	if !d.Empty() || len(tasksOf(t, s)) != 0 {
		t.Errorf("an annotation raised a deleted task: %+v", d)
	}
	got, err := s.Tasks(ctx, 1, []event.TaskID{2, 77})
	must(t, err)
	wantTasks(t, "asked for", got,
		event.TaskState{Task: event.Task{ID: 2}, Deleted: true}, event.TaskState{Task: event.Task{ID: 77}, Deleted: true})
}

func TestAnAnnotationBeforeItsTask(t *testing.T) {
	s := open(t, t.TempDir(), Options{})
	a := annotation(5, 1, 1, "x")
	d := apply(t, s, webhook(1, event.Changed{Annotations: []event.Annotation{a}}))[0]
	wantTasks(t, "before", d.Tasks, event.TaskState{Task: event.Task{ID: 1}, Annotations: []event.Annotation{a}})
	if d.Tasks[0].Task.Data != nil {
		t.Errorf("data of a task not heard of is %q, want nil", d.Tasks[0].Task.Data)
	}
	d = apply(t, s, webhook(2, event.Changed{Tasks: []event.Task{task(1, 1, `{"text":"t"}`)}}))[0]
	wantTasks(t, "after", d.Tasks, event.TaskState{Task: task(1, 1, `{"text":"t"}`), Annotations: []event.Annotation{a}})
}

func TestAnAnnotationMovesToAnotherTask(t *testing.T) {
	s := open(t, t.TempDir(), Options{})
	one, two := task(1, 1, `{"text":"1"}`), task(2, 1, `{"text":"2"}`)
	apply(t, s, webhook(1, event.Changed{Tasks: []event.Task{one, two}, Annotations: []event.Annotation{annotation(5, 1, 1, "x")}}))
	moved := annotation(5, 2, 2, "x")
	d := apply(t, s, webhook(2, event.Changed{Annotations: []event.Annotation{moved}}))[0]
	want := []event.TaskState{{Task: one}, {Task: two, Annotations: []event.Annotation{moved}}}
	wantTasks(t, "delta", d.Tasks, want...)
	wantTasks(t, "stored", tasksOf(t, s), want...)
	if d.Annotations != 1 {
		t.Errorf("counted %d annotations, want 1", d.Annotations)
	}
}

func TestTheSameEventTwice(t *testing.T) {
	s := open(t, t.TempDir(), Options{})
	c := webhook(1, event.Changed{
		Title: "p", LabelConfig: "<View/>", Tasks: []event.Task{task(1, 1, `{"text":"t"}`)},
		Annotations: []event.Annotation{annotation(5, 1, 1, "x")},
	})
	// Within one batch, and again in the next.
	d := apply(t, s, c, c)[0]
	if !d.New || !d.ConfigChanged || d.Duplicates != 1 || d.Annotations != 1 || len(d.Tasks) != 1 {
		t.Errorf("first batch: %+v", d)
	}
	before := dump(t, s)
	d = apply(t, s, c)[0]
	if d.New || d.ConfigChanged || d.Duplicates != 1 || !d.Empty() {
		t.Errorf("second batch: %+v", d)
	}
	if after := dump(t, s); after != before {
		t.Errorf("the same event changed the file:\n%s", cmp.Diff(before, after))
	}
}

// Only what a reconcile had to say first, after the project was read once, is a
// gap.
func TestMissedCountsWhatOnlyReconcileFound(t *testing.T) {
	now := sec(10)
	s := open(t, t.TempDir(), Options{Now: func() time.Time { return now }})
	reconcile := func(at int, c event.Changed) event.Delta {
		c.Project, c.At, c.Source = 1, sec(at), event.FromReconcile
		return apply(t, s, &c)[0]
	}
	first := event.Changed{Tasks: []event.Task{task(1, 1, `{"text":"1"}`)}, Annotations: []event.Annotation{annotation(5, 1, 1, "x")}}
	must(t, s.SetWatermark(ctx, 1, sec(1))) // the log is applied later than it is written
	if d := reconcile(9, first); d.Meta.Missed != 0 || !d.New {
		t.Errorf("the first content was missed: %+v", d.Meta)
	}
	now = sec(20)
	must(t, s.SetWatermark(ctx, 1, sec(2)))
	if d := reconcile(15, first); d.Meta.Missed != 0 {
		t.Errorf("what was known was missed: %+v", d.Meta)
	}
	apply(t, s, webhook(16, event.Changed{Annotations: []event.Annotation{annotation(6, 1, 2, "y")}}))
	reconcile(17, event.Changed{
		Tasks:              []event.Task{task(1, 7, `{"text":"1"}`), task(2, 2, `{"text":"new"}`)},                                // 1
		Annotations:        []event.Annotation{annotation(5, 1, 3, "edited"), annotation(6, 1, 2, "y"), annotation(7, 2, 2, "z")}, // 2
		DeletedAnnotations: []event.AnnotationID{6, 99},                                                                           // 1
	})
	reconcile(18, event.Changed{DeletedTasks: []event.TaskID{2}}) // 1, with its annotation
	m, err := s.Meta(ctx, 1)
	must(t, err)
	if m.Missed != 5 {
		t.Errorf("missed %d, want 5", m.Missed)
	}
	mark, err := s.Watermark(ctx, 1)
	must(t, err)
	if !mark.Equal(sec(2)) {
		t.Errorf("watermark %v, want %v", mark, sec(2))
	}
}

func TestAReplacedDatabaseStartsAnew(t *testing.T) {
	s := open(t, t.TempDir(), Options{})
	apply(t, s, setup(1, event.Changed{
		CreatedAt: 100, Title: "old", LabelConfig: "<Old/>", Tasks: []event.Task{task(1, 50, `{"text":"old"}`), task(2, 50, `{"text":"old"}`)},
		Annotations: []event.Annotation{annotation(5, 1, 50, "x")}, DeletedTasks: []event.TaskID{3},
	}))
	must(t, s.SetWatermark(ctx, 1, sec(50)))
	must(t, s.Commit(ctx, event.Commit{Projects: []event.ProjectCommit{{Project: 1, Checkpoint: []byte("model"), Versions: []event.Version{{Name: "hone-1"}}}}}))

	fresh := event.Changed{CreatedAt: 90, Title: "new", Tasks: []event.Task{task(1, 3, `{"text":"new"}`), task(3, 3, `{"text":"3"}`)}}
	deltas, err := s.Plan(ctx, []*event.Changed{setup(2, fresh)})
	must(t, err)
	want := []event.TaskState{{Task: task(1, 3, `{"text":"new"}`)}, {Task: task(3, 3, `{"text":"3"}`)}}
	if d := deltas[0]; !d.New || d.Meta.Title != "new" || d.Meta.LabelConfig != "" {
		t.Errorf("delta: %+v", d)
	}
	wantTasks(t, "delta", deltas[0].Tasks, want...)
	for range 2 { // also when the commit is repeated
		must(t, s.Commit(ctx, commitOf(deltas)))
		wantTasks(t, "stored", tasksOf(t, s), want...)
		stored, err := s.Load(ctx, 1)
		must(t, err)
		mark, err := s.Watermark(ctx, 1)
		must(t, err)
		if stored.Checkpoint != nil || stored.Versions != nil || !mark.IsZero() {
			t.Errorf("something of the old database is left: %+v, watermark %v", stored, mark)
		}
	}
	// A late word about the old one changes nothing.
	d := apply(t, s, setup(1, event.Changed{CreatedAt: 100, Tasks: []event.Task{task(2, 99, `{"text":"old"}`)}}))[0]
	if d.New || !d.Empty() || d.Duplicates != 1 {
		t.Errorf("a late word: %+v", d)
	}
	// Back and forth within one batch ends at the last.
	back := setup(8, event.Changed{CreatedAt: 90, Tasks: []event.Task{task(4, 1, `{"text":"4"}`)}})
	apply(t, s, setup(7, event.Changed{CreatedAt: 100, Tasks: []event.Task{task(2, 99, `{"text":"old"}`)}}), back)
	wantTasks(t, "back and forth", tasksOf(t, s), event.TaskState{Task: task(4, 1, `{"text":"4"}`)})
}

func TestAGoneProjectKeepsItsTasksAndMayReturn(t *testing.T) {
	s := open(t, t.TempDir(), Options{})
	one := task(1, 1, `{"text":"1"}`)
	apply(t, s, setup(1, event.Changed{Title: "p", Tasks: []event.Task{one}}))
	if d := apply(t, s, setup(2, event.Changed{Gone: true}))[0]; !d.Meta.Gone || d.Duplicates != 0 {
		t.Errorf("gone: %+v", d)
	}
	wantTasks(t, "while gone", tasksOf(t, s), event.TaskState{Task: one})
	if d := apply(t, s, setup(1, event.Changed{}))[0]; !d.Meta.Gone {
		t.Error("an older statement brought it back")
	}
	if d := apply(t, s, setup(3, event.Changed{}))[0]; d.Meta.Gone || d.New {
		t.Errorf("returned: %+v", d)
	}
	must(t, s.Forget(ctx, 1))
	must(t, s.Forget(ctx, 1))
	if _, err := s.Meta(ctx, 1); !errors.Is(err, ErrUnknownProject) {
		t.Errorf("after Forget: %v", err)
	}
	if all, err := s.Projects(ctx); err != nil || len(all) != 0 {
		t.Errorf("after Forget: %v, %v", all, err)
	}
}

func TestPlanRefusesAChangeWithoutAProject(t *testing.T) {
	s := open(t, t.TempDir(), Options{})
	for _, c := range []*event.Changed{nil, {}, {Project: -1}} {
		if _, err := s.Plan(ctx, []*event.Changed{c}); !errors.Is(err, event.ErrUnreadable) {
			t.Errorf("%+v: %v, want ErrUnreadable", c, err)
		}
	}
}

// What comes over the wire may claim any id, time and bytes.
func TestForeignValuesSurviveTheFile(t *testing.T) {
	dir := t.TempDir()
	s, err := Open(dir, Options{})
	must(t, err)
	far, early := time.Date(292277, 1, 1, 0, 0, 0, 1, time.UTC), time.Date(-4000, 1, 1, 0, 0, 0, 999_999_999, time.UTC)
	want := []event.TaskState{
		{Task: event.Task{ID: -5, Data: json.RawMessage(`{"t":"\ud800"}`), UpdatedAt: early}},
		{Task: event.Task{ID: 0, Data: json.RawMessage(`not json`), UpdatedAt: time.Time{}}},
		{
			Task:        event.Task{ID: 1<<63 - 1, Data: json.RawMessage(`1e999`), UpdatedAt: far},
			Annotations: []event.Annotation{{ID: -1 << 63, Task: 1<<63 - 1, Result: json.RawMessage(`{`), Cancelled: true, GroundTruth: true, FromModel: true, Suggested: true, Untimed: true, CompletedBy: -3}},
		},
	}
	c := webhook(1, event.Changed{Annotations: want[2].Annotations})
	for _, ts := range want {
		c.Tasks = append(c.Tasks, ts.Task)
	}
	apply(t, s, c)
	must(t, s.Close())
	s = open(t, dir, Options{})
	wantTasks(t, "read back", tasksOf(t, s), want...)
}
