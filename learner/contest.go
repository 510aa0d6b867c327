package learner

import (
	"context"

	"github.com/hone-ml/hone/event"
	"github.com/hone-ml/hone/learner/contest"
)

// Contest compares models of the entrants, with the settings and features of the live ones, as
// contest.Run says; tasks that a head has no example of are left out. It holds the project's lane
// for as long as it takes to find the examples. The error is the store's, that of a
// model, the context's, or ErrClosed. Safe for concurrent use.
func (l *Learner) Contest(ctx context.Context, id event.ProjectID, of event.Entrants) (event.Contest, error) {
	entries, newest, err := l.contestEntries(ctx, id, of)
	out := event.Contest{Newest: newest}
	if err != nil {
		return out, err
	}
	for _, e := range entries {
		c, err := contest.Run(ctx, e)
		if err != nil {
			return out, err
		}
		out.Controls = append(out.Controls, c)
	}
	return out, nil
}

func (l *Learner) contestEntries(ctx context.Context, id event.ProjectID, of event.Entrants) (entries []contest.Entry, newest event.AnnotationID, err error) {
	ln := l.lane(id)
	defer l.lockLane(ln)()
	p, err := l.ensureLoaded(ctx, ln)
	if err != nil || p == nil {
		return nil, 0, err
	}
	for a := range p.annotationRefs {
		newest = max(newest, a)
	}
	roles := contest.RolesOf(of)
	for _, h := range p.heads {
		entries = append(entries, contest.NewEntry(h.Spec, h.model, h.annotationsByTask, roles))
	}
	return entries, newest, nil
}
