package push

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/hone-ml/hone/event"
	"github.com/hone-ml/hone/labelstudio"
)

// Suggester predicts many tasks at once. Its methods are called concurrently, and must not
// wait for learning.
type Suggester interface {
	// Suggestions are regions as of Predictor, and the confidence in each answer, 0 to 1.
	Suggestions(ctx context.Context, p event.ProjectID, tasks []event.Task) (regions []json.RawMessage, scores []float64, err error)
	// Form is equal for label configs under which the same answers are learned.
	Form(p event.ProjectID) string
}

// Tasks reads tasks from the state; those that are not there come back with Deleted set.
type Tasks interface {
	Tasks(ctx context.Context, p event.ProjectID, ids []event.TaskID) ([]event.TaskState, error)
}

// suggestion is what the model says of a task. said is false when it abstains.
type suggestion struct {
	regions json.RawMessage
	score   float64
	said    bool
}

// suggestionChunk is how many tasks are predicted at a time.
const suggestionChunk = 256

// suggestions are what the model says now of tasks, at most suggestionChunk of them.
// Tasks that hone does not know are left out.
func (p *Project) suggestions(ctx context.Context, ids []event.TaskID) (map[event.TaskID]suggestion, error) {
	states, err := p.pusher.o.Tasks.Tasks(ctx, p.id, ids)
	if err != nil {
		return nil, fmt.Errorf("read %d tasks: %w", len(ids), err)
	}
	var tasks []event.Task
	for _, t := range states {
		if !t.Deleted {
			tasks = append(tasks, t.Task)
		}
	}
	regions, scores, err := p.pusher.o.Suggester.Suggestions(ctx, p.id, tasks)
	if err != nil {
		return nil, fmt.Errorf("predict %d tasks: %w", len(tasks), err)
	}
	out := make(map[event.TaskID]suggestion, len(tasks))
	for i, t := range tasks {
		s := suggestion{regions: regions[i], score: max(scores[i], maxQueueScore), said: len(regions[i]) > 0}
		if !s.said || p.remote.fits != nil && !p.remote.fits(s.regions) {
			s.regions = json.RawMessage("[]")
		}
		out[t.ID] = s
	}
	return out, nil
}

// createAnswer makes a prediction beside the queue. Where the model abstains it makes one
// without regions, or none unless always. A task that Label Studio takes none for is
// excluded.
func (p *Project) createAnswer(ctx context.Context, ls LabelStudio, t event.TaskID, version string, always bool) error {
	said, err := p.suggestions(ctx, []event.TaskID{t})
	if err != nil {
		return err
	}
	s, known := said[t]
	switch {
	case !known:
		p.remote.exclude(t)
		return nil
	case !s.said && !always:
		p.abstained[t] = struct{}{}
		return nil
	}
	if err := p.pusher.limit.Wait(ctx); err != nil {
		return err
	}
	created, refused, err := p.create(ctx, ls, labelstudio.PredictionWrite{Task: t, Result: s.regions, Score: s.score, ModelVersion: version})
	if err != nil || refused != nil {
		return err
	}
	p.remote.others[created.ID] = otherRow{task: t, version: version, score: s.score, said: hashSuggestion(s.regions), updated: created.UpdatedAt}
	p.wroteAnswer("create")
	return nil
}

// updateAnswer has a row say what the model says; score is its place, or the confidence.
func (p *Project) updateAnswer(ctx context.Context, ls LabelStudio, id labelstudio.PredictionID, o otherRow, s suggestion) error {
	if err := p.pusher.limit.Wait(ctx); err != nil {
		return err
	}
	updated, err := p.update(ctx, ls, id, labelstudio.PredictionWrite{Task: o.task, Result: s.regions, Score: s.score, ModelVersion: o.version})
	if err != nil {
		return err
	}
	p.remote.others[id] = otherRow{task: o.task, version: o.version, score: s.score, said: hashSuggestion(s.regions), updated: updated.UpdatedAt}
	p.wroteAnswer("update")
	return nil
}

func (p *Project) wroteAnswer(op string) {
	p.writes++
	p.pusher.o.Metrics.Writes.WithLabelValues(op).Inc()
	p.listener.Wrote()
}

// leaveQueue turns the row of a task that leaves the queue into an answer, where the task
// has no other and keeps its prediction. It reports whether it did.
func (p *Project) leaveQueue(ctx context.Context, ls LabelStudio, e edit) (left bool, err error) {
	r := &p.remote
	row, has := r.rows[e.task]
	if !r.keepsAll || !has || row.id != e.id || r.hasAnswer(e.task) {
		return false, nil
	}
	said, err := p.suggestions(ctx, []event.TaskID{e.task})
	if err != nil {
		return false, err
	}
	s, known := said[e.task]
	if !known {
		return false, nil
	}
	if err := p.updateAnswer(ctx, ls, row.id, otherRow{task: e.task, version: r.version}, s); err != nil {
		return false, err
	}
	delete(r.rows, e.task)
	return true, nil
}

// hasAnswer reports whether a task has an answer of the queue's version.
func (r *remoteState) hasAnswer(t event.TaskID) bool {
	for _, o := range r.others {
		if o.task == t && o.version == r.version && o.isAnswer() {
			return true
		}
	}
	return false
}

// restForBudget is rest until a write that nobody waits for is allowed.
func (p *Project) restForBudget(ctx context.Context, ls LabelStudio) error {
	turn := p.pusher.budget.Reserve()
	if err := p.interrupt.WaitQuiet(ctx, max(turn.Delay(), p.pusher.o.Settle/2)); err != nil {
		turn.Cancel()
		return err
	}
	return p.ensureModelVersion(ctx, ls, true)
}

// rest pauses before a write that nobody waits for. As such writes may go on for hours, it
// also keeps the project's model version right.
func (p *Project) rest(ctx context.Context, ls LabelStudio) error {
	if err := p.interrupt.WaitQuiet(ctx, deletePause); err != nil {
		return err
	}
	return p.ensureModelVersion(ctx, ls, true)
}

// differing is when the model began to say otherwise of a row: before, or now.
func differing(since time.Time, differs bool) time.Time {
	switch {
	case !differs:
		return time.Time{}
	case since.IsZero():
		return time.Now()
	}
	return since
}
