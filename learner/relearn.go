package learner

import (
	"context"
	"errors"
	"slices"

	"github.com/hone-ml/hone/event"
	"github.com/hone-ml/hone/learner/features"
	"github.com/hone-ml/hone/learner/model"
	"github.com/hone-ml/hone/learner/stored"
)

// applyArrivals applies vectors that have arrived to the models of a project. After an error
// it is to be called again with the same arrivals.
func (l *Learner) applyArrivals(ctx context.Context, id event.ProjectID, a features.Arrivals) error {
	// relearn reads the labels of tasks under the lane's lock: a label may have come just now.
	if err := l.relearn(ctx, id, a.Tasks); err != nil {
		return err
	}
	if a.LabelNames {
		if err := l.rebuildPriors(ctx, id); err != nil {
			return err
		}
	}
	ln := l.lane(id)
	defer l.lockLane(ln)()
	if a.Publish {
		if p := ln.project; p != nil && len(p.versions) > 0 {
			p.settled = false // the background publishes and commits it
		}
	}
	if ln.project != nil {
		l.startAdaptation(ln) // it may have waited for these vectors
	}
	return nil
}

// relearn learns the tasks whose features have got more parts again. Their examples keep their
// duals, so the new optimum is near.
func (l *Learner) relearn(ctx context.Context, id event.ProjectID, ids []event.TaskID) error {
	if len(ids) == 0 {
		return nil
	}
	ln := l.lane(id)
	defer l.lockLane(ln)()
	p, err := l.ensureLoaded(ctx, ln)
	if err != nil || p == nil {
		return ignoreClosed(err)
	}
	states, err := l.o.Tasks.Tasks(ctx, id, ids)
	if err != nil {
		return err
	}
	for _, h := range p.heads {
		incomplete := len(h.incomplete)
		changed := map[event.TaskID]event.TaskState{}
		for _, t := range states {
			if sum, ok := h.fingerprints[t.Task.ID]; ok {
				x, missing := p.features.Example(h.Spec, t.Task.Data)
				h.markMissing(t.Task.ID, missing)
				if sum != stored.Fingerprint(h.Kind.Aggregate(h.Spec, t).Target, x, t.Task.Data) {
					changed[t.Task.ID] = t
				}
			}
		}
		if len(h.incomplete) != incomplete {
			p.settled = false // the background publishes that fewer vectors are missing
		}
		if len(changed) == 0 {
			continue
		}
		duals := map[event.TaskID][]float32{}
		h.model.Duals(func(e model.Example, d []float32) bool {
			if id := event.TaskID(e.ID); changed[id].Task.ID == id {
				duals[id] = slices.Clone(d)
			}
			return len(duals) < len(changed)
		})
		for _, t := range states {
			if _, ok := changed[t.Task.ID]; !ok {
				continue
			}
			ch := l.learnTask(p, h, t, duals[t.Task.ID], false)
			if ch.learned || ch.forgotten {
				p.settled, p.unsaved = false, true
			}
		}
	}
	l.startRetrain(ln) // a retrain may have waited for these vectors
	return nil
}

// rebuildPriors builds all models of a project again, with the vectors of its labels' names and
// lines that have arrived.
func (l *Learner) rebuildPriors(ctx context.Context, id event.ProjectID) error {
	ln := l.lane(id)
	defer l.lockLane(ln)()
	p, err := l.ensureLoaded(ctx, ln)
	if err != nil || p == nil {
		return ignoreClosed(err)
	}
	p.rebuildPriors(p.heads)
	l.startRetrain(ln)
	return nil
}

// rebuildPriors builds the models of some heads again with the priors that their labels make now.
// They keep their examples and duals: the optimum does not depend on where the ascent starts.
func (p *project) rebuildPriors(heads []*onlineHead) {
	for _, h := range heads {
		h.Spec = h.WithEncoder(p.features.Encoder())
		h.rebuildModel(h.model.Settings())
		h.dirty, h.relabelled = true, true
	}
	p.settled, p.unsaved = false, true
	p.generation = lastGeneration.Add(1)
}

func ignoreClosed(err error) error {
	if errors.Is(err, ErrClosed) {
		return nil
	}
	return err
}
