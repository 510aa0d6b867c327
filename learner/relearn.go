package learner

import (
	"context"
	"errors"
	"slices"

	"github.com/hone-ml/hone/event"
	"github.com/hone-ml/hone/learner/model"
)

// takeIn has a project's model take in vectors, and has readers hear of them.
func (l *Learner) takeIn(ctx context.Context, id event.ProjectID, a Arrivals) error {
	// Whether tasks have labels is read with the model held still: some may have got
	// theirs just now.
	if err := l.retake(ctx, id, a.Tasks); err != nil {
		return err
	}
	if a.LabelNames {
		if err := l.renamed(ctx, id); err != nil {
			return err
		}
	}
	if a.Publish {
		ln := l.lane(id)
		defer l.hold(ln)()
		if p := ln.p; p != nil && len(p.versions) > 0 {
			p.settled = false // the idle work finds it done, publishes and tells
		}
	}
	return nil
}

// retake learns tasks again whose features have become more. The examples go on
// from where they are, so the way to the new optimum is short.
func (l *Learner) retake(ctx context.Context, id event.ProjectID, ids []event.TaskID) error {
	if len(ids) == 0 {
		return nil
	}
	ln := l.lane(id)
	defer l.hold(ln)()
	p, err := l.project(ctx, ln)
	if err != nil || p == nil {
		return ignoreClosed(err)
	}
	states, err := l.o.Tasks.Tasks(ctx, id, ids)
	if err != nil {
		return err
	}
	for _, h := range p.heads {
		incomplete := len(h.incomplete)
		stale := map[event.TaskID]event.TaskState{}
		for _, t := range states {
			if sum, ok := h.sums[t.Task.ID]; ok {
				x, missing := l.features.example(h.Spec, t.Task.Data)
				h.markMissing(t.Task.ID, missing)
				if sum != fingerprint(h.Kind.Aggregate(h.Spec, t).Target, x, t.Task.Data) {
					stale[t.Task.ID] = t
				}
			}
		}
		if len(h.incomplete) != incomplete {
			p.settled = false // the idle work finds it done, and readers hear of it
		}
		if len(stale) == 0 {
			continue
		}
		duals := map[event.TaskID][]float32{}
		h.model.Duals(func(e model.Example, d []float32) bool {
			if id := event.TaskID(e.ID); stale[id].Task.ID == id {
				duals[id] = slices.Clone(d)
			}
			return len(duals) < len(stale)
		})
		for _, t := range states {
			if _, ok := stale[t.Task.ID]; !ok {
				continue
			}
			ch := l.teach(p, h, t, duals[t.Task.ID], false)
			if ch.learned || ch.forgotten {
				p.settled, p.unsaved = false, true
			}
		}
	}
	l.beginRetrain(ln) // it may have waited for these
	return nil
}

// renamed makes the models anew, from where they are, since a prior may come from
// the label names.
func (l *Learner) renamed(ctx context.Context, id event.ProjectID) error {
	ln := l.lane(id)
	defer l.hold(ln)()
	p, err := l.project(ctx, ln)
	if err != nil || p == nil {
		return ignoreClosed(err)
	}
	for _, h := range p.heads {
		h.Spec = h.Spec.WithEncoder(l.features.encoder)
		h.reset(h.model.Settings())
		h.stale = true
	}
	p.settled, p.unsaved = false, true
	p.epoch = epochs.Add(1)
	l.beginRetrain(ln)
	return nil
}

func ignoreClosed(err error) error {
	if errors.Is(err, ErrClosed) {
		return nil
	}
	return err
}
