package learner

import (
	"context"
	"time"

	"github.com/hone-ml/hone/event"
	"github.com/hone-ml/hone/learner/head"
	"github.com/hone-ml/hone/learner/tune"
)

// LeaveOneOut predicts labelled tasks, each by models of all others; tasks that are not labelled
// are left out, and so are the last of many when a head takes longer than the budget, unless it
// is 0. It holds the project's lane for as long as it takes to copy the examples. The
// error is the store's, the context's, or ErrClosed. Safe for concurrent use.
func (l *Learner) LeaveOneOut(ctx context.Context, p event.ProjectID, tasks []event.TaskID, budget time.Duration) (event.LeftOut, error) {
	out := event.LeftOut{Heads: map[string][]event.HeldOut{}, Asked: map[string]float64{}}
	specs, copies, err := l.copyExamples(ctx, p, &out)
	if err != nil {
		return out, err
	}
	for i, q := range specs {
		if out.Heads[q.Control.Name], err = tune.LeaveOneOut(ctx, q, copies[i], tasks, budget); err != nil {
			return out, err
		}
	}
	return out, nil
}

// copyExamples copies the examples of all heads.
func (l *Learner) copyExamples(ctx context.Context, id event.ProjectID, out *event.LeftOut) (specs []*head.Spec, copies []tune.Examples, err error) {
	ln := l.lane(id)
	defer l.lockLane(ln)()
	p, err := l.ensureLoaded(ctx, ln)
	if err != nil || p == nil {
		return nil, nil, err
	}
	out.Labels, out.Snapshot = p.labels(), p.sequence
	for _, h := range p.heads {
		specs, copies = append(specs, h.Spec), append(copies, tune.CopyOf(h.model))
		if h.progress.Cumulative.Tasks > 0 {
			out.Asked[h.Control.Name] = h.progress.Cumulative.Accuracy()
		}
	}
	return specs, copies, nil
}
