package push

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

// apply makes one edit in Label Studio and in the remote state.
func (p *Project) apply(ctx context.Context, ls LabelStudio, e edit) error {
	if e.op == deleteRow {
		if left, err := p.leaveQueue(ctx, ls, e); left || err != nil {
			return err
		}
	}
	if e.op != createRow || !p.runsOut() { // a row that is needed does not wait for others
		if err := p.pusher.limit.Wait(ctx); err != nil {
			return err
		}
	}
	if err := p.write(ctx, ls, e); err != nil {
		return err
	}
	op := e.op
	if op == removeRow {
		op = deleteRow
	}
	p.pusher.o.Metrics.Writes.WithLabelValues(string(op)).Inc()
	p.listener.Wrote()
	return nil
}

// applyAll makes edits that can wait, and gives way to a newer queue.
func (p *Project) applyAll(ctx context.Context, ls LabelStudio, edits []edit) error {
	for _, e := range edits {
		if p.interrupt.Pending() {
			return ErrSuperseded
		}
		if err := p.apply(ctx, ls, e); err != nil {
			return err
		}
	}
	return nil
}

// giveWay waits for the request for the next task that follows an answer, when Label Studio has
// rows enough to serve. A stream of news does not hold the front up.
func (p *Project) giveWay(ctx context.Context, writes bool) error {
	left := p.pusher.o.GiveWay - time.Since(p.queue.Changed)
	if left <= 0 || !writes || p.runsOut() {
		return nil
	}
	err := p.interrupt.WaitQuiet(ctx, min(left, p.pusher.o.GiveWay)) // clocks may have been set back
	if errors.Is(err, ErrSuperseded) {
		return nil
	}
	return err
}

// runsOut reports whether Label Studio may soon have nothing to serve: it answers that there are no tasks
// when others hold all that have a prediction of the live version (next_task.py,
// _try_uncertainty_sampling). People who label faster than queues are written use up the rows, and those who
// are heard of next are not counted yet, so there are to be twice as many as the front has.
func (p *Project) runsOut() bool {
	return len(p.servedRows()) < 2*p.pusher.o.Front && !p.interrupt.LeftAlone()
}

func (p *Project) write(ctx context.Context, ls LabelStudio, e edit) error {
	switch e.op {
	case createRow:
		regions := p.regions(ctx, e.task)
		created, refused, err := p.create(ctx, ls, p.prediction(e, regions))
		if err != nil {
			return err
		}
		if refused != nil {
			if len(p.target()) == 0 {
				return fmt.Errorf("label studio takes no prediction of any queued task: %w", refused)
			}
			return errReplan
		}
		p.recordWrite(e, created, regions)
	case updateRow:
		regions := p.regions(ctx, e.task)
		updated, err := p.update(ctx, ls, e.id, p.prediction(e, regions))
		if err != nil {
			return err
		}
		p.recordWrite(e, updated, regions)
	case deleteRow, removeRow:
		if err := ls.DeletePrediction(ctx, e.id); err != nil && !labelstudio.IsNotFound(err) {
			return fmt.Errorf("delete prediction %d of task %d: %w", e.id, e.task, err)
		}
		p.remote.remove(e.task, e.id)
	}
	return nil
}

// create creates a prediction in Label Studio. A task that Label Studio takes none for is
// excluded, and refused is its error; most often the task has been deleted and the webhook
// that says so is still on its way.
func (p *Project) create(ctx context.Context, ls LabelStudio, w labelstudio.PredictionWrite) (created labelstudio.PredictionRow, refused, err error) {
	w.Project = p.id
	created, err = ls.CreatePrediction(ctx, w)
	if isRefusal(err) {
		if _, _, gone := p.readProject(ctx, ls); gone != nil {
			return created, nil, gone
		}
		p.log.WithError(err).WithField("task", int64(w.Task)).Warn("queue: Label Studio takes no prediction for the task, leaving it out")
		p.pusher.o.Metrics.Failures.WithLabelValues("refused").Inc()
		p.remote.exclude(w.Task)
		return created, err, nil
	}
	if err != nil {
		return created, nil, fmt.Errorf("create the prediction of task %d: %w", w.Task, err)
	}
	r := &p.remote
	if created.ID <= r.highest {
		return created, nil, r.disproved("it gave the id %d to a new prediction, which it has given before", created.ID)
	}
	r.highest = created.ID
	if w.ModelVersion == r.version {
		r.held[w.Task]++
		r.total++
	}
	return created, nil, nil
}

// update rewrites a prediction in Label Studio.
func (p *Project) update(ctx context.Context, ls LabelStudio, id labelstudio.PredictionID, w labelstudio.PredictionWrite) (labelstudio.PredictionRow, error) {
	updated, err := ls.UpdatePrediction(ctx, id, w)
	switch {
	case labelstudio.IsNotFound(err):
		return updated, p.remote.disproved("prediction %d of task %d is gone", id, w.Task)
	case err != nil:
		return updated, fmt.Errorf("update prediction %d of task %d: %w", id, w.Task, err)
	case updated.Task != w.Task:
		return updated, p.remote.disproved("prediction %d is of task %d, not %d", id, updated.Task, w.Task)
	}
	return updated, nil
}

// recordWrite stores a row as Label Studio has it after a write.
func (p *Project) recordWrite(e edit, stored labelstudio.PredictionRow, regions json.RawMessage) {
	p.writes++
	p.remote.rows[e.task] = queueRow{
		id: stored.ID, task: e.task, score: e.score, said: hashSuggestion(regions),
		updated: stored.UpdatedAt, written: p.writes, seen: time.Now(),
	}
}

func (r *remoteState) exclude(t event.TaskID) {
	if r.excluded == nil {
		r.excluded = map[event.TaskID]struct{}{}
	}
	r.excluded[t] = struct{}{}
}

// regions returns the regions that annotators see as a suggestion for a queued task, a JSON
// array. When the prediction fails it returns [], as the order of the queue matters more.
func (p *Project) regions(ctx context.Context, id event.TaskID) json.RawMessage {
	none := json.RawMessage("[]")
	task, ok := p.pool.Task(id)
	if p.pusher.o.Predictor == nil || !ok {
		return none
	}
	regions, err := p.pusher.o.Predictor.Regions(ctx, p.id, []event.Task{task})
	if err != nil || len(regions) != 1 {
		p.log.WithError(err).WithField("task", int64(id)).Warn("queue: no regions for the prediction")
		p.pusher.o.Metrics.Failures.WithLabelValues("predict").Inc()
		return none
	}
	if len(regions[0]) == 0 || p.remote.fits != nil && !p.remote.fits(regions[0]) {
		return none // the learner may hear of a new label config later than this
	}
	return regions[0]
}

func (p *Project) prediction(e edit, regions json.RawMessage) labelstudio.PredictionWrite {
	return labelstudio.PredictionWrite{Task: e.task, Result: regions, Score: e.score, ModelVersion: p.remote.version}
}

// importMany creates the new rows among edits in one request when they are so
// many that single ones cost Label Studio more. Their ids come from the listing
// that follows.
func (p *Project) importMany(ctx context.Context, ls LabelStudio, edits []edit) error {
	creates := slices.DeleteFunc(slices.Clone(edits), func(e edit) bool { return e.op != createRow })
	if len(creates) < p.pusher.o.BulkAbove || p.remote.imported {
		return nil
	}
	list := make([]labelstudio.PredictionWrite, len(creates))
	for i, e := range creates {
		list[i] = p.prediction(e, p.regions(ctx, e.task))
	}
	if err := p.pusher.limit.Wait(ctx); err != nil {
		return err
	}
	p.remote.imported = true
	err := ls.ImportPredictions(ctx, p.id, list)
	var partial *labelstudio.PartialImportError
	if err != nil && !errors.As(err, &partial) {
		return fmt.Errorf("import %d predictions: %w", len(list), err)
	}
	p.pusher.o.Metrics.Writes.WithLabelValues("import").Inc()
	if partial != nil {
		p.log.Warnf("queue: Label Studio took %d of %d imported predictions; the others follow one by one", partial.Created, len(list))
	}
	p.remote.known = false
	return errReplan
}

// fitsOf is the test of what a label config has, nil where there is none.
func (p *Project) fitsOf(config string) func(json.RawMessage) bool {
	if p.pusher.o.Fits == nil || config == "" {
		return nil
	}
	return p.pusher.o.Fits(config)
}
