package state

import (
	"bytes"
	"context"
	"fmt"

	"github.com/hone-ml/hone/event"
)

// taskRecord holds the stored records of one task, undecoded. Its bytes are valid during the
// transaction only.
type taskRecord struct {
	key         []byte
	record      []byte // nil when the task's data is not known
	annotations []storedRecord
}

type storedRecord struct{ key, record []byte }

func (g *taskRecord) empty() bool { return g.record == nil && len(g.annotations) == 0 }

// task returns the task; its data are part of the record.
func (g *taskRecord) task() (event.Task, error) {
	id := idOf[event.TaskID](g.key)
	if g.record == nil {
		return event.Task{ID: id}, nil
	}
	t, _, _, err := decodeTask(id, g.record)
	return t, err
}

// state decodes and copies the whole task.
func (g *taskRecord) state() (ts event.TaskState, err error) {
	if ts.Task, err = g.task(); err != nil {
		return ts, err
	}
	ts.Task.Data = bytes.Clone(ts.Task.Data)
	if len(g.annotations) > 0 {
		ts.Annotations = make([]event.Annotation, len(g.annotations))
	}
	for i, a := range g.annotations {
		if ts.Annotations[i], err = decodeAnnotation(a.key, a.record); err != nil {
			return ts, err
		}
	}
	return ts, nil
}

// group reads the records of one task.
func (b *projectBuckets) group(id event.TaskID) *taskRecord {
	g := &taskRecord{key: idKey(id)}
	g.record = b.tasks.Get(g.key)
	_ = forRange(b.results, g.key, func(k, v []byte) error {
		g.annotations = append(g.annotations, storedRecord{k, v})
		return nil
	})
	return g
}

// walk calls f for every task by id, or only for those with annotations. The
// group is reused from call to call.
func (b *projectBuckets) walk(ctx context.Context, all bool, f func(g *taskRecord) error) error {
	return b.walkFrom(ctx, nil, all, f)
}

// walkFrom is walk that begins with the task of the key from.
func (b *projectBuckets) walkFrom(ctx context.Context, from []byte, all bool, f func(g *taskRecord) error) error {
	results, tasks := b.results.Cursor(), b.tasks.Cursor()
	rk, rv := results.Seek(from)
	var tk, tv []byte
	if all {
		tk, tv = tasks.Seek(from)
	}
	var g taskRecord
	for n := 0; rk != nil || tk != nil; n++ {
		if n%1024 == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
		if rk != nil && len(rk) != 16 || tk != nil && len(tk) != 8 {
			return fmt.Errorf("keys %x, %x: %w", rk, tk, errDamagedRecord)
		}
		g.key, g.record, g.annotations = nil, nil, g.annotations[:0]
		if rk != nil {
			g.key = rk[:8]
		}
		if g.key == nil || tk != nil && bytes.Compare(tk, g.key) < 0 {
			g.key = tk
		}
		switch {
		case tk != nil && bytes.Equal(tk, g.key):
			g.record = tv
			tk, tv = tasks.Next()
		case !all:
			g.record = b.tasks.Get(g.key)
		}
		for rk != nil && bytes.HasPrefix(rk, g.key) {
			g.annotations = append(g.annotations, storedRecord{rk, rv})
			rk, rv = results.Next()
		}
		if err := f(&g); err != nil {
			return err
		}
	}
	return nil
}
