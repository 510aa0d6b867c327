package learner

import (
	"context"
	"time"

	"github.com/hone-ml/hone/event"
	"github.com/hone-ml/hone/learner/adapt"
	"github.com/hone-ml/hone/learner/head"
	"github.com/hone-ml/hone/learner/tune"
)

// LeaveOneOut predicts labelled tasks, each by models of all others; tasks that are not labelled
// are left out, and so are the last of many when a head takes longer than the budget, unless it
// is 0. It holds the project's lane for as long as it takes to copy the examples. The
// error is the store's, the context's, or ErrClosed. Safe for concurrent use.
func (l *Learner) LeaveOneOut(ctx context.Context, p event.ProjectID, tasks []event.TaskID, budget time.Duration) (event.LeftOut, error) {
	out := event.LeftOut{Heads: map[string][]event.HeldOut{}, Asked: map[string]float64{}}
	copies, err := l.copyExamples(ctx, p, tasks, &out)
	if err != nil {
		return out, err
	}
	for _, c := range copies {
		held, err := tune.LeaveOneOut(ctx, c.spec, c.examples, c.others, budget)
		if err != nil {
			return out, err
		}
		out.Heads[c.spec.Control.Name] = append(c.known, held...)
	}
	return out, nil
}

// headCopy is what it takes to predict examples of a head without them.
type headCopy struct {
	spec     *head.Spec
	examples tune.Examples
	// known are predictions of those tasks that trained an adapter, as they were made when that
	// was trained: a model of all other examples would know these texts by way of the encoder.
	known  []event.HeldOut
	others []event.TaskID
}

// copyExamples copies the examples of all heads.
func (l *Learner) copyExamples(ctx context.Context, id event.ProjectID, tasks []event.TaskID, out *event.LeftOut) (copies []headCopy, err error) {
	ln := l.lane(id)
	defer l.lockLane(ln)()
	p, err := l.ensureLoaded(ctx, ln)
	if err != nil || p == nil {
		return nil, err
	}
	out.Labels, out.Snapshot = p.labels(), p.sequence
	for _, h := range p.heads {
		c := headCopy{spec: h.Spec, examples: tune.CopyOf(h.model), others: tasks}
		if h.selection.Adapter != "" {
			c.known, c.others = heldOutOf(p.adapted, h, tasks)
		}
		copies = append(copies, c)
		if h.progress.Cumulative.Tasks > 0 {
			out.Asked[h.Control.Name] = h.progress.Cumulative.Accuracy()
		}
	}
	return copies, nil
}

// heldOutOf returns the predictions of those tasks that trained the adapter and are examples of the
// head still, and the other tasks.
func heldOutOf(a *adapt.Adaptation, h *onlineHead, tasks []event.TaskID) (known []event.HeldOut, others []event.TaskID) {
	for _, id := range tasks {
		x, trained := a.HeldOut(id)
		if _, is := h.fingerprints[id]; trained && is {
			known = append(known, x)
		} else {
			others = append(others, id)
		}
	}
	return known, others
}

// ControlAnswers returns what is learned of each control whose answers are labels, as LeaveOneOut does.
func (l *Learner) ControlAnswers(ctx context.Context, id event.ProjectID) (out []event.ControlAnswers, err error) {
	ln := l.lane(id)
	defer l.lockLane(ln)()
	p, err := l.ensureLoaded(ctx, ln)
	for i := 0; p != nil && i < len(p.heads); i++ {
		if a, ok := head.AnswersOf(p.heads[i].Spec, p.heads[i].model); ok {
			out = append(out, a)
		}
	}
	return out, err
}
