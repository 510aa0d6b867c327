package state

import (
	"context"
	"encoding/binary"
	"fmt"
	"maps"

	"go.etcd.io/bbolt"

	"github.com/hone-ml/hone/event"
	"github.com/hone-ml/hone/internal/fault"
)

// heardWrite stores the positions at which things were stated. Most are part of a record
// that the commit writes anyway; where a statement had no effect only the position changes.
type heardWrite struct {
	event.Heard
	tasks       map[event.TaskID]uint64
	annotations map[event.AnnotationID]uint64
}

func newHeardWrite(h event.Heard) heardWrite {
	return heardWrite{Heard: h, tasks: maps.Clone(h.Tasks), annotations: maps.Clone(h.Annotations)}
}

// ofTask returns the position for a task's record that is written.
func (w *heardWrite) ofTask(id event.TaskID) uint64 {
	delete(w.tasks, id)
	return w.Tasks[id]
}

func (w *heardWrite) ofAnnotation(id event.AnnotationID) uint64 {
	delete(w.annotations, id)
	return w.Annotations[id]
}

// write moves the positions of records that are not written otherwise.
func (w *heardWrite) write(b *projectBuckets) error {
	for id, at := range w.tasks {
		key := idKey(id)
		if v := b.tombstones.Get(key); v != nil {
			was, err := decodeTombstone(id, v)
			if err == nil && was != at {
				err = b.tombstones.Put(key, encodeTombstone(at))
			}
			if err != nil {
				return err
			}
			continue
		}
		v := b.tasks.Get(key)
		if v == nil {
			continue
		}
		t, st, was, err := decodeTask(id, v)
		if err == nil && was != at {
			err = b.tasks.Put(key, encodeTask(t, st, at))
		}
		if err != nil {
			return err
		}
	}
	for id, at := range w.annotations {
		v := b.annotations.Get(idKey(id))
		if v == nil {
			continue
		}
		r, err := decodeRef(id, v)
		if err == nil && r.at != at {
			r.at = at
			err = b.annotations.Put(idKey(id), encodeRef(r))
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// Confirm records that a reading that began at a position has compared all ids of a project.
// It deletes tombstones that the reading before had confirmed, since no webhook from before
// either reading can still be on its way, and the times of annotations that were deleted
// with their task.
func (s *Store) Confirm(ctx context.Context, p event.ProjectID, from uint64) error {
	if fault.On(fault.Tombstone) {
		return nil
	}
	var tasks, annotations [][]byte
	var last uint64
	first := true
	err := s.view(ctx, "tombstones", p, func(b *projectBuckets) error {
		if b == nil {
			return nil
		}
		if v := b.project.Get(keyConfirmed); len(v) == 9 && v[0] == recordVersion {
			last, first = binary.BigEndian.Uint64(v[1:]), false
		} else {
			return nil
		}
		err := b.tombstones.ForEach(func(k, v []byte) error {
			if at, err := decodeTombstone(0, v); err == nil && at <= last {
				tasks = append(tasks, append([]byte(nil), k...))
			}
			return ctx.Err()
		})
		if err != nil {
			return err
		}
		return b.annotations.ForEach(func(k, v []byte) error {
			if b.forgettable(k, v, last) {
				annotations = append(annotations, append([]byte(nil), k...))
			}
			return nil
		})
	})
	if err != nil || !first && from <= last && len(tasks)+len(annotations) == 0 {
		return err
	}
	err = s.db.Update(func(tx *bbolt.Tx) error {
		b := openProject(tx, p)
		if b == nil {
			return nil
		}
		// What was found may have been heard of again meanwhile.
		for _, k := range tasks {
			if at, err := decodeTombstone(0, b.tombstones.Get(k)); err == nil && at <= last {
				if err := b.tombstones.Delete(k); err != nil {
					return err
				}
			}
		}
		for _, k := range annotations {
			if b.forgettable(k, b.annotations.Get(k), last) {
				if err := b.annotations.Delete(k); err != nil {
					return err
				}
			}
		}
		return b.project.Put(keyConfirmed, binary.BigEndian.AppendUint64([]byte{recordVersion}, max(from, last)))
	})
	if err != nil {
		return fmt.Errorf("forget the tombstones of project %d: %w", p, err)
	}
	return nil
}

// forgettable reports whether a record says only that an annotation was deleted, by itself or
// with its task, and was stated at a position of at most last.
func (b *projectBuckets) forgettable(key, record []byte, last uint64) bool {
	id := idOf[event.AnnotationID](key)
	r, err := decodeRef(id, record)
	if err != nil || r.at > last {
		return false
	}
	return r.deleted || b.results.Get(resultKey(r.task, id)) == nil
}
