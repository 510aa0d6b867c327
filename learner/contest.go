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
	var out event.Contest
	entries, err := l.contestEntries(ctx, id, of, &out)
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

func (l *Learner) contestEntries(ctx context.Context, id event.ProjectID, of event.Entrants, out *event.Contest) (entries []contest.Entry, err error) {
	ln := l.lane(id)
	defer l.lockLane(ln)()
	p, err := l.ensureLoaded(ctx, ln)
	if err != nil || p == nil {
		return nil, err
	}
	for a := range p.annotationRefs {
		out.Newest = max(out.Newest, a)
	}
	roles := contest.RolesOf(of)
	for _, h := range p.heads {
		entries = append(entries, contest.NewEntry(h.Spec, h.model, h.annotationsByTask, roles))
	}
	return entries, nil
}
