package sampler

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/hone-ml/hone/event"
	"github.com/hone-ml/hone/labelstudio"
)

var (
	// errGone: Label Studio no longer has the project.
	errGone = errors.New("label studio no longer has the project")
	// errReplan: what Label Studio holds is not what was thought; plan again.
	errReplan = errors.New("label studio holds other predictions than thought")
)

// push makes Label Studio's order that of the queue and its version the live one.
// It returns errSuperseded as soon as there is a newer queue, though after one
// write at least, so that a stream of news still moves the front.
func (w *worker) push(ctx context.Context) error {
	ls := w.s.labelStudio()
	if ls == nil {
		w.note(func(st *Status) {
			st.Note = "not connected to Label Studio: the queue is ranked but not written; set LABEL_STUDIO_URL and LABEL_STUDIO_API_KEY"
		})
		return nil
	}
	if w.version == "" {
		w.note(func(st *Status) { st.Note = "the project has no model version yet: nothing to write the queue under" })
		return nil
	}
	var err error
	for round := 0; round < 5+len(w.theirs.refused); round++ {
		if !w.theirs.known || w.theirs.version != w.version {
			if err := w.list(ctx, ls); err != nil {
				return err
			}
		}
		if err = w.pushOnce(ctx, ls); !errors.Is(err, errReplan) {
			return err
		}
	}
	return err
}

func (w *worker) pushOnce(ctx context.Context, ls LabelStudio) error {
	if err := w.removeExtra(ctx, ls); err != nil {
		return err
	}
	if err := w.writeQueue(ctx, ls); err != nil {
		return err
	}
	w.note(func(st *Status) { st.Note = w.theirs.noted })
	w.observe(Pushed, nil)
	if err := w.freshen(ctx, ls); err != nil {
		return err
	}
	if err := w.tidy(ctx, ls); err != nil {
		return err
	}
	return w.clean(ctx, ls)
}

// writeQueue writes the differences: the head at once, the rest when no newer
// queue has come for a while.
func (w *worker) writeQueue(ctx context.Context, ls LabelStudio) error {
	target := w.target()
	writes, ready, ok := plan(target, w.visible())
	if !ok {
		for _, x := range compact(w.visible(), 1) {
			if err := w.do(ctx, ls, x); err != nil {
				return err
			}
		}
		return errReplan
	}
	w.placed(ready, len(target))
	head := min(w.s.o.Head, len(target))
	for ready < head {
		x := writes[0]
		writes = writes[1:]
		if err := w.do(ctx, ls, x); err != nil {
			return err
		}
		ready = x.ready
		w.placed(ready, len(target))
		if ready < head && w.pending() {
			// Rows enough may be there even if the order of the head never gets done.
			if err := w.maintain(ctx, ls, false); err != nil {
				return err
			}
			return errSuperseded
		}
	}
	if err := w.maintain(ctx, ls, true); err != nil {
		return err
	}
	if len(writes) == 0 {
		return nil
	}
	if err := w.settled(ctx, w.s.o.Settle); err != nil {
		return err
	}
	if err := w.importMany(ctx, ls, writes); err != nil {
		return err
	}
	for _, x := range writes {
		if err := w.do(ctx, ls, x); err != nil {
			return err
		}
		w.placed(x.ready, len(target))
		if w.pending() {
			return errSuperseded
		}
	}
	return nil
}

// placed notes how much of the queue Label Studio has.
func (w *worker) placed(ready, of int) {
	now := time.Now()
	var lag time.Duration
	if (ready > 0 || of == 0) && !w.since.IsZero() {
		lag = now.Sub(w.since)
		w.since, w.seen = time.Time{}, w.newest
		if of > 0 {
			w.s.metrics.lag.Observe(lag.Seconds())
		}
	}
	w.note(func(st *Status) {
		st.Pushed = ready
		if lag > 0 {
			st.HeadLag = lag
		}
	})
	if ready >= min(w.s.o.Head, of) && w.theirs.head < w.rank {
		w.theirs.head = w.rank
		w.observe(HeadPushed, nil)
	}
}

// do makes one write and keeps count of what Label Studio holds.
func (w *worker) do(ctx context.Context, ls LabelStudio, x write) error {
	if err := w.s.limit.Wait(ctx); err != nil {
		return err
	}
	err := w.send(ctx, ls, x)
	if err != nil {
		return err
	}
	w.s.metrics.writes.WithLabelValues(string(x.op)).Inc()
	w.note(func(st *Status) { st.LastPush = time.Now() })
	return nil
}

func (w *worker) send(ctx context.Context, ls LabelStudio, x write) error {
	t := &w.theirs
	switch x.op {
	case create:
		p := w.prediction(ctx, x)
		r, err := ls.CreatePrediction(ctx, w.id, x.task, p)
		if refused(err) {
			return w.refuse(ctx, ls, x.task, err)
		}
		if err != nil {
			return fmt.Errorf("create the prediction of task %d: %w", x.task, err)
		}
		if r.ID <= t.highest {
			return t.unknown("it gave the id %d to a new prediction, which it has given before", r.ID)
		}
		t.highest = r.ID
		t.held[x.task]++
		t.total++
		w.wrote(x, r, p)
	case update:
		p := w.prediction(ctx, x)
		r, err := ls.UpdatePrediction(ctx, w.id, x.id, p)
		if labelstudio.IsNotFound(err) {
			return t.unknown("prediction %d of task %d is gone", x.id, x.task)
		}
		if err != nil {
			return fmt.Errorf("update prediction %d of task %d: %w", x.id, x.task, err)
		}
		if r.Task != x.task {
			return t.unknown("prediction %d is of task %d, not %d", x.id, r.Task, x.task)
		}
		w.wrote(x, r, p)
	case remove:
		if err := ls.DeletePrediction(ctx, w.id, x.id); err != nil && !labelstudio.IsNotFound(err) {
			return fmt.Errorf("delete prediction %d of task %d: %w", x.id, x.task, err)
		}
		t.removed(x.task, x.id)
	}
	return nil
}

// wrote takes notice of a row as Label Studio has it now.
func (w *worker) wrote(x write, r Row, p Prediction) {
	w.writes++
	w.theirs.rows[x.task] = row{id: r.ID, task: x.task, score: x.score, said: suggestion(p.Result), updated: r.UpdatedAt, written: w.writes, seen: time.Now()}
}

// refuse leaves a task out that Label Studio takes no prediction for, most often
// because it has been deleted and the news of it is still on its way.
func (w *worker) refuse(ctx context.Context, ls LabelStudio, t event.TaskID, err error) error {
	if _, _, err := ls.ModelVersion(ctx, w.id); err != nil {
		return goneOr(err, "read the project's model versions")
	}
	w.log.WithError(err).WithField("task", int64(t)).Warn("queue: Label Studio takes no prediction for the task, leaving it out")
	w.s.metrics.failures.WithLabelValues("refused").Inc()
	if w.theirs.refused == nil {
		w.theirs.refused = map[event.TaskID]struct{}{}
	}
	w.theirs.refused[t] = struct{}{}
	if len(w.target()) == 0 {
		return fmt.Errorf("label studio takes no prediction of any queued task: %w", err)
	}
	return errReplan
}

// prediction is what annotators see of a queued task. Regions are a help, the
// order is the point: without regions it is written all the same.
func (w *worker) prediction(ctx context.Context, x write) Prediction {
	p := Prediction{Result: json.RawMessage("[]"), Score: x.score, ModelVersion: w.version}
	task, ok := w.pool.task(x.task)
	if w.s.o.Predictor == nil || !ok {
		return p
	}
	regions, err := w.s.o.Predictor.Regions(ctx, w.id, []event.Task{task})
	if err != nil || len(regions) != 1 {
		w.log.WithError(err).WithField("task", int64(x.task)).Warn("queue: no regions for the prediction")
		w.s.metrics.failures.WithLabelValues("predict").Inc()
		return p
	}
	if len(regions[0]) > 0 {
		p.Result = regions[0]
	}
	return p
}

// importMany creates the new rows among writes in one request when they are so
// many that single ones cost Label Studio more. Their ids come from the listing
// that follows.
func (w *worker) importMany(ctx context.Context, ls LabelStudio, writes []write) error {
	writes = slices.DeleteFunc(slices.Clone(writes), func(x write) bool { return x.op != create })
	if len(writes) < w.s.o.BulkAbove || w.theirs.imported {
		return nil
	}
	var tasks []event.TaskID
	var preds []Prediction
	for _, x := range writes {
		tasks = append(tasks, x.task)
		preds = append(preds, w.prediction(ctx, x))
	}
	if err := w.s.limit.Wait(ctx); err != nil {
		return err
	}
	w.theirs.imported = true
	created, err := ls.ImportPredictions(ctx, w.id, tasks, preds)
	if err != nil {
		return fmt.Errorf("import %d predictions: %w", len(tasks), err)
	}
	w.s.metrics.writes.WithLabelValues("import").Inc()
	if created < len(tasks) {
		w.log.Warnf("queue: Label Studio took %d of %d imported predictions; the others follow one by one", created, len(tasks))
	}
	w.theirs.known = false
	return errReplan
}
