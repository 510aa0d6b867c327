package state

import (
	"fmt"
	"testing"
	"time"

	"go.etcd.io/bbolt"

	"github.com/google/go-cmp/cmp"
	"github.com/hone-ml/hone/event"
)

// at places a statement in the log.
func at(position uint64, c *event.Changed) *event.Changed {
	c.Position = position
	return c
}

var (
	one  = task(1, 1, `{"text":"1"}`)
	mine = annotation(5, 1, 1, "x")
)

// known is a store that heard of one task and its annotation at position 1.
func known(t *testing.T) *Store {
	t.Helper()
	s := open(t, t.TempDir(), Options{})
	apply(t, s, at(1, webhook(1, event.Changed{CreatedAt: 100, Title: "p", LabelConfig: "<A/>", Tasks: []event.Task{one}, Annotations: []event.Annotation{mine}})))
	return s
}

func TestAFalseDeletionLivesUntilTheNextReading(t *testing.T) {
	for name, c := range map[string]event.Changed{
		"annotation": {DeletedAnnotations: []event.AnnotationID{5}},
		"task":       {DeletedTasks: []event.TaskID{1}},
	} {
		t.Run(name, func(t *testing.T) {
			s := known(t)
			d := apply(t, s, at(2, webhook(2, c)))[0]
			if diff := cmp.Diff([]event.TaskID{1}, d.Doubts.Tasks); diff != "" {
				t.Errorf("it is not doubted: %s", diff)
			}
			// One that began before it is not the last word.
			d = apply(t, s, at(3, reading(3, 1, event.Changed{Tasks: []event.Task{one}, Annotations: []event.Annotation{mine}})))[0]
			if len(d.Tasks) != 0 || len(d.Doubts.Tasks) != 1 {
				t.Errorf("an earlier reading brought it back, or was not repeated: %+v", d)
			}
			d = apply(t, s, at(4, reading(4, 2, event.Changed{Tasks: []event.Task{one}, Annotations: []event.Annotation{mine}})))[0]
			if len(d.Doubts.Tasks) != 0 {
				t.Errorf("doubted: %+v", d.Doubts)
			}
			wantTasks(t, "read", tasksOf(t, s), event.TaskState{Task: one, Annotations: []event.Annotation{mine}})
		})
	}
}

func TestAFalseDateLivesUntilTheNextReading(t *testing.T) {
	s := known(t)
	far := annotation(5, 1, 1, "forged")
	far.UpdatedAt = time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC)
	apply(t, s, at(2, webhook(2, event.Changed{Annotations: []event.Annotation{far}})))
	d := apply(t, s, at(3, reading(3, 2, event.Changed{Tasks: []event.Task{one}, Annotations: []event.Annotation{mine}})))[0]
	if d.Annotations != 1 {
		t.Errorf("changed %d annotations, want 1", d.Annotations)
	}
	// Nor is the date in the way of what comes next.
	next := annotation(5, 1, 2, "y")
	apply(t, s, at(4, webhook(4, event.Changed{Annotations: []event.Annotation{next}})))
	wantTasks(t, "after an edit", tasksOf(t, s), event.TaskState{Task: one, Annotations: []event.Annotation{next}})
}

// What was heard while Label Studio was read is not lost.
func TestWhatIsHeardDuringAReadingIsKept(t *testing.T) {
	s := known(t)
	made := annotation(6, 1, 2, "made since")
	apply(t, s, at(2, webhook(2, event.Changed{Annotations: []event.Annotation{made}})))
	d := apply(t, s, at(3, reading(3, 1, event.Changed{Tasks: []event.Task{one}, Annotations: []event.Annotation{mine}})))[0]
	if len(d.Doubts.Tasks) != 1 {
		t.Error("it was not asked again whether the new annotation is there")
	}
	wantTasks(t, "kept", tasksOf(t, s), event.TaskState{Task: one, Annotations: []event.Annotation{mine, made}})
}

// What lost against a false date was heard all the same: a reading that began before
// it must be repeated.
func TestWhatLostIsStillHeard(t *testing.T) {
	s := known(t)
	far := annotation(5, 1, 1, "forged")
	far.UpdatedAt = time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC)
	apply(t, s, at(2, webhook(2, event.Changed{Annotations: []event.Annotation{far}})))
	apply(t, s, at(3, webhook(3, event.Changed{Annotations: []event.Annotation{annotation(5, 1, 9, "an edit")}})))
	d := apply(t, s, at(4, reading(4, 2, event.Changed{Tasks: []event.Task{one}, Annotations: []event.Annotation{mine}})))[0]
	if len(d.Doubts.Tasks) != 1 {
		t.Error("the reading from before the edit was not repeated")
	}
}

func TestIDsThatNobodyKnowsCostNothing(t *testing.T) {
	s := known(t)
	var c event.Changed
	for i := range 100_000 {
		c.DeletedAnnotations = append(c.DeletedAnnotations, event.AnnotationID(1000+i))
		c.DeletedTasks = append(c.DeletedTasks, event.TaskID(1000+i))
	}
	before := tombstones(t, s)
	d := apply(t, s, at(2, webhook(2, c)))[0]
	if n := tombstones(t, s) - before; n != 0 || !d.Doubts.Project {
		t.Errorf("%d tombstones, doubted %v", n, d.Doubts.Project)
	}
	next := annotation(1000, 1, 2, "y")
	apply(t, s, at(3, webhook(3, event.Changed{Annotations: []event.Annotation{next}})))
	wantTasks(t, "made later", tasksOf(t, s), event.TaskState{Task: one, Annotations: []event.Annotation{mine, next}})
}

func tombstones(t *testing.T, s *Store) (n int) {
	t.Helper()
	must(t, s.db.View(func(tx *bbolt.Tx) error {
		b := openProject(tx, 1)
		n = b.tombstones.Stats().KeyN
		return b.annotations.ForEach(func(k, v []byte) error {
			r, err := decodeRef(0, v)
			n += countOf(r.deleted)
			return err
		})
	}))
	return n
}

// Two readings of all ids that began later let go of a tombstone.
func TestTombstonesAreConfirmedAndForgotten(t *testing.T) {
	s := known(t)
	other := annotation(6, 1, 1, "y")
	apply(t, s, at(1, webhook(1, event.Changed{Annotations: []event.Annotation{other}})))
	apply(t, s, at(2, webhook(2, event.Changed{DeletedAnnotations: []event.AnnotationID{5, 77}, DeletedTasks: []event.TaskID{78}})))
	for i, want := range []int{3, 3, 0, 0} {
		must(t, s.Confirm(ctx, 1, uint64(1+i)))
		if n := tombstones(t, s); n != want {
			t.Fatalf("after reading %d: %d tombstones, want %d", i+1, n, want)
		}
	}
	wantTasks(t, "what is not deleted", tasksOf(t, s), event.TaskState{Task: one, Annotations: []event.Annotation{other}})
	// It is known as before, so that its deletion finds it.
	apply(t, s, at(9, webhook(9, event.Changed{DeletedAnnotations: []event.AnnotationID{6}})))
	wantTasks(t, "what is deleted later", tasksOf(t, s), event.TaskState{Task: one})
}

// Data of a task that were told while it was read, and differ.
func TestDataHeardDuringAReadingAreDoubted(t *testing.T) {
	s := known(t)
	edited := task(1, 2, `{"text":"edited"}`)
	apply(t, s, at(2, webhook(2, event.Changed{Tasks: []event.Task{edited}})))
	d := apply(t, s, at(3, reading(3, 1, event.Changed{Tasks: []event.Task{one}, Annotations: []event.Annotation{mine}})))[0]
	if diff := cmp.Diff([]event.TaskID{1}, d.Doubts.Tasks); diff != "" {
		t.Errorf("doubts (-want +got):\n%s", diff)
	}
	wantTasks(t, "the later date stays", tasksOf(t, s), event.TaskState{Task: edited, Annotations: []event.Annotation{mine}})
}

// News of the project itself that a webhook brings is a reason to ask.
func TestNewsOfTheProjectIsAskedFor(t *testing.T) {
	s := known(t)
	want := event.TaskState{Task: one, Annotations: []event.Annotation{mine}}
	d := apply(t, s, at(2, webhook(2, event.Changed{Gone: true})))[0]
	if d.Meta.Gone || !d.Doubts.Project {
		t.Errorf("gone: %+v", d)
	}
	d = apply(t, s, at(3, webhook(3, event.Changed{CreatedAt: 200, Title: "another"})))[0]
	if d.New || d.Meta.CreatedAt != 100 || d.Meta.Title != "p" || !d.Doubts.Project {
		t.Errorf("another database: %+v", d)
	}
	d = apply(t, s, at(4, webhook(900, event.Changed{LabelConfig: "<Forged/>", Title: "forged"})))[0]
	if !d.ConfigChanged || !d.Doubts.Project {
		t.Errorf("a label config counts until the answer is there: %+v", d)
	}
	d = apply(t, s, at(5, reading(5, 4, event.Changed{CreatedAt: 100, LabelConfig: "<A/>", Title: "p"})))[0]
	if d.Meta.LabelConfig != "<A/>" || d.Meta.Title != "p" || !d.ConfigChanged || d.Doubts.Project {
		t.Errorf("read, though by an earlier clock: %+v", d)
	}
	wantTasks(t, "stored", tasksOf(t, s), want)
	d = apply(t, s, at(6, reading(6, 5, event.Changed{Gone: true})))[0]
	if !d.Meta.Gone {
		t.Error("what was read is not believed")
	}
	d = apply(t, s, at(7, reading(7, 6, event.Changed{CreatedAt: 200, LabelConfig: "<B/>"})))[0]
	if !d.New || d.Meta.Gone || len(tasksOf(t, s)) != 0 {
		t.Errorf("a replaced database that was read: %+v", d)
	}
}

// fileOfBefore writes what the hone of schema 1 wrote: records without positions.
func fileOfBefore(t *testing.T, dir string) {
	t.Helper()
	db, err := bbolt.Open(fmt.Sprintf("%s/%s", dir, fileName), 0o600, nil)
	must(t, err)
	defer func() { must(t, db.Close()) }()
	must(t, migrate(db, migrations[:1]))
	must(t, db.Update(func(tx *bbolt.Tx) error {
		b, err := createProject(tx, 1)
		if err != nil {
			return err
		}
		st := appendVersion(nil, taskVersion(one))
		as := annotationVersion(mine)
		meta, err := encodeJSON(event.Meta{Project: 1, Title: "p"})
		if err != nil {
			return err
		}
		for _, kv := range []struct {
			b    *bbolt.Bucket
			k, v []byte
		}{
			{b.project, keyMeta, meta},
			{b.tasks, idKey(one.ID), append(append([]byte{1}, st...), one.Data...)},
			{b.results, resultKey(1, 5), encodeAnnotation(mine, as)},
			{b.annotations, idKey(mine.ID), appendVersion(appendID([]byte{1, 1}, mine.Task), as)},
			{b.annotations, idKey(event.AnnotationID(6)), []byte{1, 2}},
			{b.tombstones, idKey(event.TaskID(2)), []byte{1}},
		} {
			if err := kv.b.Put(kv.k, kv.v); err != nil {
				return err
			}
		}
		return nil
	}))
}

func TestAFileOfBeforeIsReadAndItsTombstonesGiveWay(t *testing.T) {
	dir := t.TempDir()
	fileOfBefore(t, dir)
	s := open(t, dir, Options{})
	have := event.TaskState{Task: one, Annotations: []event.Annotation{mine}}
	wantTasks(t, "read", tasksOf(t, s), have)
	// As before, a deletion wins over what is told.
	two, back := task(2, 1, `{"text":"2"}`), annotation(6, 1, 9, "y")
	apply(t, s, at(3, webhook(2, event.Changed{Tasks: []event.Task{two}, Annotations: []event.Annotation{back}})))
	wantTasks(t, "told", tasksOf(t, s), have)
	// But not over what is read.
	apply(t, s, at(4, reading(3, 3, event.Changed{Tasks: []event.Task{one, two}, Annotations: []event.Annotation{mine, back}})))
	have.Annotations = append(have.Annotations, back)
	wantTasks(t, "read again", tasksOf(t, s), have, event.TaskState{Task: two})
}
