package state

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"iter"

	"go.etcd.io/bbolt"

	"github.com/hone-ml/hone/event"
)

// ErrUnknownProject marks the error for a project hone has not heard of.
var ErrUnknownProject = errors.New("hone has not heard of this project")

// forRange calls f for every key that starts with prefix, in order.
func forRange(b *bbolt.Bucket, prefix []byte, f func(k, v []byte) error) error {
	c := b.Cursor()
	for k, v := c.Seek(prefix); k != nil && bytes.HasPrefix(k, prefix); k, v = c.Next() {
		if err := f(k, v); err != nil {
			return err
		}
	}
	return nil
}

func (b *projectBuckets) meta(p event.ProjectID) (m event.Meta, known bool, err error) {
	v := b.project.Get(keyMeta)
	if v == nil {
		return event.Meta{Project: p}, false, nil
	}
	err = decodeJSON("meta", v, &m)
	return m, err == nil, err
}

// view runs f on a project's buckets, nil when nothing is stored of it.
func (s *Store) view(ctx context.Context, what string, p event.ProjectID, f func(b *projectBuckets) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	err := s.db.View(func(tx *bbolt.Tx) error { return f(openProject(tx, p)) })
	if err != nil {
		return fmt.Errorf("%s of project %d: %w", what, p, err)
	}
	return nil
}

// Projects returns every project hone has heard of and not forgotten, by id,
// also those that are Gone.
func (s *Store) Projects(ctx context.Context) ([]event.Meta, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	var out []event.Meta
	err := s.db.View(func(tx *bbolt.Tx) error {
		return projectsBucket(tx).ForEachBucket(func(k []byte) error {
			p := idOf[event.ProjectID](k)
			m, known, err := openProject(tx, p).meta(p)
			if err != nil {
				return fmt.Errorf("project %d: %w", p, err)
			}
			if known {
				out = append(out, m)
			}
			return nil
		})
	})
	if err != nil {
		return nil, fmt.Errorf("list projects: %w", err)
	}
	return out, nil
}

// Meta returns a project's record; the error wraps ErrUnknownProject when there
// is none.
func (s *Store) Meta(ctx context.Context, p event.ProjectID) (m event.Meta, err error) {
	err = s.view(ctx, "record", p, func(b *projectBuckets) (err error) {
		known := false
		if b != nil {
			m, known, err = b.meta(p)
		}
		if err == nil && !known {
			err = ErrUnknownProject
		}
		return err
	})
	return m, err
}

// Load returns what the learner starts from. A project that hone has not heard
// of is empty, not an error.
func (s *Store) Load(ctx context.Context, p event.ProjectID) (event.ProjectState, error) {
	out := event.ProjectState{Meta: event.Meta{Project: p}}
	err := s.view(ctx, "load the state", p, func(b *projectBuckets) (err error) {
		if b == nil {
			return nil
		}
		if out.Meta, _, err = b.meta(p); err != nil {
			return err
		}
		out.Checkpoint = bytes.Clone(b.project.Get(keyCheckpoint))
		if v := b.project.Get(keyVersions); v != nil {
			if err := decodeJSON("versions", v, &out.Versions); err != nil {
				return err
			}
		}
		if out.Settings, err = b.settings(); err != nil {
			return err
		}
		out.LearnerState, err = decodeLearnerState(b.project.Get(keyLearnerState))
		return err
	})
	out.Labelled = s.tasksOneByOne(ctx, "read the labelled tasks", p, false)
	return out, err
}

// loadTasks is how many tasks one transaction reads where all are wanted one by one.
// What is done with them takes longer than reading them, and while a transaction is
// open the file cannot grow, so no webhook would be acknowledged.
const loadTasks = 512

var errBatchFull = errors.New("enough for one transaction")

// AllTasks yields all tasks of a project by id, whole. It reads a few hundred at a time, so one
// that changes meanwhile is yielded as it was or as it is now. An error ends it.
func (s *Store) AllTasks(ctx context.Context, p event.ProjectID) iter.Seq2[event.TaskState, error] {
	return s.tasksOneByOne(ctx, "read the tasks", p, true)
}

// tasksOneByOne yields all tasks, or only those with annotations.
func (s *Store) tasksOneByOne(ctx context.Context, what string, p event.ProjectID, all bool) iter.Seq2[event.TaskState, error] {
	return func(yield func(event.TaskState, error) bool) {
		var from []byte
		for {
			part := make([]event.TaskState, 0, loadTasks)
			err := s.view(ctx, what, p, func(b *projectBuckets) error {
				if b == nil {
					return nil
				}
				return b.walkFrom(ctx, from, all, func(g *taskRecord) error {
					if len(part) == loadTasks {
						from = bytes.Clone(g.key)
						return errBatchFull
					}
					ts, err := g.state()
					part = append(part, ts)
					return err
				})
			})
			more := errors.Is(err, errBatchFull)
			if err != nil && !more {
				yield(event.TaskState{}, err)
				return
			}
			for _, ts := range part {
				if !yield(ts, nil) {
					return
				}
			}
			if !more {
				return
			}
		}
	}
}

// Tasks returns tasks whole: all of them by id when ids is nil, otherwise those
// asked for, in the order asked for. One that is deleted, or was never heard of,
// comes back Deleted.
func (s *Store) Tasks(ctx context.Context, p event.ProjectID, ids []event.TaskID) ([]event.TaskState, error) {
	out := make([]event.TaskState, 0, len(ids))
	err := s.view(ctx, "read the tasks", p, func(b *projectBuckets) error {
		if ids == nil {
			if b == nil {
				return nil
			}
			return b.walk(ctx, true, func(g *taskRecord) error {
				ts, err := g.state()
				out = append(out, ts)
				return err
			})
		}
		for i, id := range ids {
			if i%256 == 0 && ctx.Err() != nil {
				return ctx.Err()
			}
			ts := event.TaskState{Task: event.Task{ID: id}, Deleted: true}
			if b != nil {
				if g := b.group(id); !g.empty() {
					var err error
					if ts, err = g.state(); err != nil {
						return err
					}
				}
			}
			out = append(out, ts)
		}
		return nil
	})
	return out, err
}

// Known returns the ids and times of the tasks and annotations that hone has stored, by task
// id and without content, for a comparison of all ids. A task that is known only from an
// annotation on it has no UpdatedAt.
func (s *Store) Known(ctx context.Context, p event.ProjectID) ([]event.KnownTask, error) {
	var out []event.KnownTask
	err := s.view(ctx, "read the ids", p, func(b *projectBuckets) error {
		if b == nil {
			return nil
		}
		return b.walk(ctx, true, func(g *taskRecord) error {
			t, err := g.task()
			k := event.KnownTask{Task: t.ID, UpdatedAt: t.UpdatedAt}
			for _, a := range g.annotations {
				k.Annotations = append(k.Annotations, idOf[event.AnnotationID](a.key[8:]))
			}
			out = append(out, k)
			return err
		})
	})
	return out, err
}

// Counts of a project. A task is labelled when a person annotated it and skipped
// when a person skipped it; both is possible with several annotators.
type Counts struct {
	Tasks, Labelled, Skipped, Annotations int
}

// Count counts what is stored of a project, by reading the keys of all its tasks.
func (s *Store) Count(ctx context.Context, p event.ProjectID) (Counts, error) {
	var n Counts
	err := s.view(ctx, "count the tasks", p, func(b *projectBuckets) error {
		if b == nil {
			return nil
		}
		return b.walk(ctx, true, func(g *taskRecord) error {
			labelled, skipped := 0, 0
			for _, a := range g.annotations {
				if len(a.record) < annotationHead {
					return fmt.Errorf("annotation %x: %w", a.key, errDamagedRecord)
				}
				if a.record[1]&flagCancelled != 0 {
					skipped = 1
				} else {
					labelled = 1
				}
			}
			n.Tasks++
			n.Labelled += labelled
			n.Skipped += skipped
			n.Annotations += len(g.annotations)
			return nil
		})
	})
	return n, err
}
