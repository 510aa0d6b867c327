package push

import (
	"context"
	"maps"
	"slices"

	"github.com/hone-ml/hone/event"
)

// A new version begins with no predictions. Those that people asked for, beside the
// queue's, are made under it first, while the project still goes by the version before and
// its queue is kept under that. Then the project goes by the new version, and then the old
// rows go: at no moment has a task that had a prediction none.

// chooseVersion says under which version the queue is written, and whether most tasks
// have a prediction that people asked for.
func (p *Project) chooseVersion(r *remoteState) {
	r.version = r.target
	r.keepsAll = p.keepsAll(r)
	if p.pusher.o.ManageModelVersion && r.live != r.target && ownVersion.MatchString(r.live) && r.counts[r.live] > 0 && len(p.lacking(r)) > 0 {
		r.version = r.live
	}
}

// keepsAll reports whether more than half of the open tasks that no queue row stands for
// have an answer.
func (p *Project) keepsAll(r *remoteState) bool {
	if p.pool == nil || p.pusher.o.Suggester == nil {
		return false
	}
	queued, answered := map[event.TaskID]bool{}, map[event.TaskID]bool{}
	for _, o := range r.others {
		if o.isAnswer() {
			answered[o.task] = true
		} else {
			queued[o.task] = true
		}
	}
	with, without := 0, 0
	for t := range p.pool.IDs() {
		switch {
		case p.pool.IsLabelled(t):
		case answered[t]:
			with++
		case !queued[t]:
			without++
		}
	}
	return with > without
}

// lacking are the tasks, in order, that have a prediction of hone's which has to outlive
// its version, and none of the target version.
func (p *Project) lacking(r *remoteState) []event.TaskID {
	if p.pusher.o.Suggester == nil {
		return nil
	}
	need := map[event.TaskID]bool{}
	for _, o := range r.others {
		if o.version != r.target && !o.unfit && (r.keepsAll || o.isAnswer()) && p.pool.Has(o.task) {
			need[o.task] = true
		}
	}
	if r.version != r.target && r.keepsAll {
		for t, row := range r.rows {
			if !row.unfit && p.pool.Has(t) {
				need[t] = true
			}
		}
	}
	for _, o := range r.others {
		if o.version == r.target && o.isAnswer() {
			delete(need, o.task)
		}
	}
	for t := range r.excluded {
		delete(need, t)
	}
	for t := range r.deleted {
		delete(need, t)
	}
	return slices.Sorted(maps.Keys(need))
}

// carryOver makes, under the target version, the predictions that are to outlive theirs.
// When all are there it has the queue written anew under it: errReplan.
func (p *Project) carryOver(ctx context.Context, ls LabelStudio) error {
	r := &p.remote
	lacking := p.lacking(r)
	for i, t := range lacking {
		p.report(func(s *Stored) { s.Staging, s.StagingLeft = r.target, len(lacking)-i })
		if err := p.restForBudget(ctx, ls); err != nil {
			return err
		}
		if r.live != r.version && r.version != r.target {
			r.known = false // somebody chose another version meanwhile
			return errReplan
		}
		if err := p.createAnswer(ctx, ls, t, r.target, true); err != nil {
			return err
		}
	}
	if r.version != r.target {
		r.known = false
		return errReplan
	}
	p.report(func(s *Stored) { s.Staging, s.StagingLeft = "", 0 })
	return nil
}
