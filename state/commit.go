package state

import (
	"context"
	"fmt"

	"go.etcd.io/bbolt"

	"github.com/hone-ml/hone/event"
)

// Commit stores deltas, checkpoints, versions, learner states and settings in one durable transaction:
// when it returns nil all of it is on disk, otherwise none is and the same
// Commit may be tried again. It does what Prepare says in a transaction of its own.
func (s *Store) Commit(ctx context.Context, c event.Commit) error {
	write, err := s.Prepare(c)
	if err != nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := s.db.Update(write); err != nil {
		return fmt.Errorf("commit (nothing was stored): %w", err)
	}
	return nil
}

// Prepare encodes deltas, checkpoints, versions, learner states and settings, and returns a function that stores
// them inside somebody else's transaction, which others may share: all of it that takes
// time is done before, since a transaction keeps webhooks waiting. The function may be
// called more than once; committing the same delta twice is harmless. c.Cursor and
// c.Learned are left to the caller.
func (s *Store) Prepare(c event.Commit) (write func(*bbolt.Tx) error, err error) {
	writes := make([]projectWrite, 0, len(c.Projects))
	for _, p := range c.Projects {
		w, err := encodeProject(p)
		if err != nil {
			return nil, fmt.Errorf("commit project %d: %w", p.Project, err)
		}
		writes = append(writes, w)
	}
	return func(tx *bbolt.Tx) error {
		for i := range writes {
			if err := writes[i].write(tx); err != nil {
				return fmt.Errorf("project %d: %w", writes[i].project, err)
			}
		}
		return nil
	}, nil
}

// projectWrite is one project's part, encoded.
type projectWrite struct {
	project event.ProjectID
	isNew   bool   // nothing stored may remain
	meta    []byte // nil without a delta

	checkpoint, versions, learnerState []byte // nil: unchanged
	settings                           []byte // nil: unchanged; empty: there are none

	tasks               []taskWrite
	bookkeptTasks       []taskWrite
	bookkeptAnnotations []annotationWrite
	deletedTasks        []tombstoneWrite
	deletedAnnotations  []tombstoneWrite

	heard heardWrite
}

type tombstoneWrite struct{ key, record []byte }

type taskWrite struct {
	key         []byte
	record      []byte // nil when its data is not known
	deleted     []byte // its tombstone; nil while it is there
	annotations []annotationWrite
}

type annotationWrite struct {
	key, resultKey, register, record []byte
}

func encodeProject(p event.ProjectCommit) (w projectWrite, err error) {
	w = projectWrite{project: p.Project, checkpoint: p.Checkpoint, learnerState: encodeLearnerState(p.LearnerState)}
	if p.Project <= 0 {
		return w, fmt.Errorf("there is no such project")
	}
	if p.Versions != nil {
		if w.versions, err = encodeJSON(p.Versions); err != nil {
			return w, err
		}
	}
	if p.Settings != nil {
		w.settings = []byte{}
	}
	if len(p.Settings) > 0 {
		if w.settings, err = encodeJSON(p.Settings); err != nil {
			return w, err
		}
	}
	d := p.Delta
	if d == nil {
		return w, nil
	}
	if d.Meta.Project != p.Project {
		return w, fmt.Errorf("its delta is about project %d", d.Meta.Project)
	}
	w.isNew = d.New
	w.heard = newHeardWrite(d.Heard)
	if w.meta, err = encodeJSON(d.Meta); err != nil {
		return w, err
	}
	w.tasks = make([]taskWrite, 0, len(d.Tasks))
	for _, ts := range d.Tasks {
		t := w.encodeTask(ts.Task)
		if ts.Deleted {
			t.deleted = encodeTombstone(d.Heard.Tasks[ts.Task.ID])
		}
		for _, a := range ts.Annotations {
			t.annotations = append(t.annotations, w.encodeAnnotation(a))
		}
		w.tasks = append(w.tasks, t)
	}
	for _, t := range d.Bookkeeping.Tasks {
		w.bookkeptTasks = append(w.bookkeptTasks, w.encodeTask(t))
	}
	for _, a := range d.Bookkeeping.Annotations {
		w.bookkeptAnnotations = append(w.bookkeptAnnotations, w.encodeAnnotation(a))
	}
	for _, id := range d.Bookkeeping.DeletedTasks {
		w.deletedTasks = append(w.deletedTasks, tombstoneWrite{idKey(id), encodeTombstone(w.heard.ofTask(id))})
	}
	for _, id := range d.Bookkeeping.DeletedAnnotations {
		r := annotationRef{deleted: true, at: w.heard.ofAnnotation(id)}
		w.deletedAnnotations = append(w.deletedAnnotations, tombstoneWrite{idKey(id), encodeRef(r)})
	}
	return w, nil
}

func (w *projectWrite) encodeTask(t event.Task) taskWrite {
	out := taskWrite{key: idKey(t.ID)}
	at := w.heard.ofTask(t.ID)
	if t.Data != nil {
		out.record = encodeTask(t, taskVersion(t), at)
	}
	return out
}

func (w *projectWrite) encodeAnnotation(a event.Annotation) annotationWrite {
	st := annotationVersion(a)
	return annotationWrite{
		key: idKey(a.ID), resultKey: resultKey(a.Task, a.ID),
		register: encodeRef(annotationRef{task: a.Task, stamp: st, at: w.heard.ofAnnotation(a.ID)}),
		record:   encodeAnnotation(a, st),
	}
}

func (w *projectWrite) write(tx *bbolt.Tx) error {
	if w.isNew {
		if err := w.dropReplaced(tx); err != nil {
			return err
		}
	}
	b, err := createProject(tx, w.project)
	if err != nil {
		return err
	}
	for _, kv := range []struct{ k, v []byte }{
		{keyMeta, w.meta}, {keyCheckpoint, w.checkpoint}, {keyVersions, w.versions}, {keyLearnerState, w.learnerState},
	} {
		if kv.v == nil {
			continue
		}
		if err := b.project.Put(kv.k, kv.v); err != nil {
			return err
		}
	}
	if err := b.putSettings(w.settings); err != nil {
		return err
	}
	for i := range w.tasks {
		if err := b.putTask(&w.tasks[i]); err != nil {
			return err
		}
	}
	if err := w.writeBookkeeping(b); err != nil {
		return err
	}
	return w.heard.write(b)
}

// dropReplaced deletes what is stored when the delta says that it belonged to
// another Label Studio database. What a reconcile may have set before the first
// delta of a project stays.
func (w *projectWrite) dropReplaced(tx *bbolt.Tx) error {
	b := openProject(tx, w.project)
	if b == nil || b.project.Get(keyMeta) == nil {
		return nil
	}
	return projectsBucket(tx).DeleteBucket(idKey(w.project))
}

func (w *projectWrite) writeBookkeeping(b *projectBuckets) error {
	for i := range w.bookkeptTasks {
		if err := b.tasks.Put(w.bookkeptTasks[i].key, w.bookkeptTasks[i].record); err != nil {
			return err
		}
	}
	for _, a := range w.bookkeptAnnotations {
		if err := b.annotations.Put(a.key, a.register); err != nil {
			return err
		}
		// On a deleted task only its time is kept.
		if b.results.Get(a.resultKey) != nil {
			if err := b.results.Put(a.resultKey, a.record); err != nil {
				return err
			}
		}
	}
	for _, t := range w.deletedTasks {
		if err := b.tombstones.Put(t.key, t.record); err != nil {
			return err
		}
	}
	for _, a := range w.deletedAnnotations {
		if err := b.annotations.Put(a.key, a.record); err != nil {
			return err
		}
	}
	return nil
}

// putTask replaces the stored records of a task by w.
func (b *projectBuckets) putTask(w *taskWrite) error {
	keep := make(map[string]bool, len(w.annotations))
	for _, a := range w.annotations {
		keep[string(a.resultKey)] = true
	}
	var stale [][]byte // deleting under a cursor would make it skip
	err := forRange(b.results, w.key, func(k, _ []byte) error {
		if !keep[string(k)] {
			stale = append(stale, append([]byte(nil), k...))
		}
		return nil
	})
	if err != nil {
		return err
	}
	for _, k := range stale {
		if err := b.results.Delete(k); err != nil {
			return err
		}
	}
	if w.deleted != nil {
		if err := b.tasks.Delete(w.key); err != nil {
			return err
		}
		return b.tombstones.Put(w.key, w.deleted)
	}
	if err := b.tombstones.Delete(w.key); err != nil { // a reading found it there
		return err
	}
	if w.record != nil {
		if err := b.tasks.Put(w.key, w.record); err != nil {
			return err
		}
	}
	for _, a := range w.annotations {
		if err := b.annotations.Put(a.key, a.register); err != nil {
			return err
		}
		if err := b.results.Put(a.resultKey, a.record); err != nil {
			return err
		}
	}
	return nil
}
