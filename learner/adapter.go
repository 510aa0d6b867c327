package learner

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/sirupsen/logrus"

	"github.com/hone-ml/hone/event"
	"github.com/hone-ml/hone/learner/adapt"
	"github.com/hone-ml/hone/learner/features"
	"github.com/hone-ml/hone/learner/model"
	"github.com/hone-ml/hone/settings"
)

// adaptedPlace is the place of the adapted encoder among the slow ones, the last.
func (l *Learner) adaptedPlace() int { return len(l.backfills) - 1 }

// swapAdapter has a project go by an adapter if all vectors of it are there. It reports whether nothing is
// left to wait for. The error is the store's.
func (l *Learner) swapAdapter(ctx context.Context, ln *lane, a *adapt.Adaptation) (done bool, err error) {
	defer l.lockLane(ln)()
	p := ln.loaded()
	if p == nil || p.adapting != a {
		return true, nil // something else goes on
	}
	h := p.adaptable()
	if h == nil || !a.Of(h.Spec) {
		return true, nil // the label config is another
	}
	if size := p.adaptationSize(h); a.Labels > size || p.pinned && a.Labels != size {
		return true, nil // labels are gone, or a rollback holds another version
	}
	if !l.backfills[l.adaptedPlace()].Progress(ln.id).Done {
		return false, nil
	}
	old := p.adapted
	if err := l.useAdapter(ctx, p, a); err != nil {
		return false, err
	}
	p.adapting, p.nextFeatures = nil, nil
	l.settleWithin(ctx, p)
	l.publish(p)
	l.wake.Set()
	l.o.Logger.WithFields(logrus.Fields{"project": ln.id, "labels": a.Labels}).Info("the project goes by the adapted encoder")
	if old != nil && old.Adapter != a.Adapter {
		l.o.Adapting.Encoder.Drop(old.Adapter)
	}
	return true, nil
}

// leaveAdapter has a project go by its encoder as it was before it adapted. It logs the store's error, after
// which all is as before until the next call of startAdaptation. The lane's lock is held.
func (l *Learner) leaveAdapter(ln *lane, why string) {
	p, log := ln.project, l.o.Logger.WithField("project", ln.id)
	old := p.adapted
	if err := l.useAdapter(l.ctx, p, nil); err != nil {
		p.adaptable().relabelled = true
		log.WithError(err).Error("the project still goes by the adapted encoder")
		return
	}
	log.WithFields(logrus.Fields{"labels": old.Labels, "why": why}).Info("the project goes by the encoder as it was before it adapted")
	l.o.Adapting.Encoder.Drop(old.Adapter)
	l.startSelection(ln)
	l.publish(p)
	l.backfills[l.adaptedPlace()].Scan(ln.id)
	l.wake.Set()
}

// deleteStaleAdapters deletes the weights of adapters that a project does not go by, once what is stored of the
// project does not name them any more: they know labels that may be gone. An error of the store is logged, and
// the next commit tries again. The lane's lock is held.
func (l *Learner) deleteStaleAdapters(ctx context.Context, p *project) {
	if !p.staleAdapters || l.o.Adapting == nil {
		return
	}
	if _, running := l.adaptationRuns.Load(p.meta.Project); running {
		return // it may have stored another one; there is a commit after it
	}
	var keep []string
	if p.adapted != nil {
		keep = []string{p.adapted.Adapter}
	}
	err := l.o.Adapting.Store.RetainAdapters(ctx, p.meta.Project, keep...)
	if p.staleAdapters = err != nil; err != nil {
		l.o.Logger.WithError(err).WithField("project", p.meta.Project).Warn("an adapter that is not used any more was not deleted yet")
	}
}

// useAdapter makes the features of a project those with an adapter, or without one if a is nil. The
// heads keep their examples and duals, so that the new optimum is near. After an error, which is the
// store's, all is as before.
func (l *Learner) useAdapter(ctx context.Context, p *project, a *adapt.Adaptation) error {
	next := p.base
	if a != nil {
		next = p.base.Adapted(l.adaptedPlace(), a.Adapter)
	}
	st, err := l.store.Load(ctx, p.meta.Project)
	if err != nil {
		return fmt.Errorf("load project %d: %w", p.meta.Project, err)
	}
	heads := make([]onlineHead, len(p.heads))
	duals := make([]map[event.TaskID][]float32, len(p.heads))
	for i, h := range p.heads {
		heads[i], duals[i] = p.adaptedHead(h, next, a), map[event.TaskID][]float32{}
		h.model.Duals(func(e model.Example, d []float32) bool {
			duals[i][event.TaskID(e.ID)] = slices.Clone(d)
			return true
		})
	}
	for t, err := range st.Labelled {
		if err != nil {
			return err
		}
		for i, was := range p.heads {
			if _, learned := was.fingerprints[t.Task.ID]; !learned {
				continue
			}
			h := &heads[i]
			x, missing := next.Example(h.Spec, t.Task.Data)
			if _, err := h.learn(t, x, duals[i][t.Task.ID], false); err != nil {
				h.forget(t.Task.ID) // it was learned before, so this does not happen
			}
			h.markMissing(t.Task.ID, missing)
		}
	}
	for i, h := range p.heads {
		*h = heads[i]
	}
	p.adapted, p.features, p.staleAdapters = a, next, true
	p.settled, p.unsaved = false, true
	p.generation = lastGeneration.Add(1)
	return nil
}

// adaptedHead returns a head as it is with an adapter, before it has
// learned its examples again by these features.
func (p *project) adaptedHead(h *onlineHead, next *features.Extractor, a *adapt.Adaptation) onlineHead {
	out := *h
	out.Spec, out.encoder = h.WithEncoder(next.Encoder()), next.Name()
	out.selection = a.SelectionFor(out.Spec, h.selection)
	out.model = out.Kind.NewModel(out.Spec, out.selection.Settings)
	out.annotationsByTask = maps.Clone(h.annotationsByTask)
	out.fingerprints, out.labelSums = map[event.TaskID]uint64{}, map[event.TaskID]uint64{}
	out.incomplete = map[event.TaskID]features.EncoderSet{}
	out.dirty, out.relabelled = true, true
	return out
}

// slow returns the slow encoders that the project reads now, or will with its next adapter.
func (p *project) slow() features.EncoderSet {
	s := p.features.Slow()
	if p.nextFeatures != nil {
		s |= p.nextFeatures.Slow()
	}
	return s
}

// lacks reports whether an example lacks the vector of one of some slow encoders.
func (h *onlineHead) lacks(encoders features.EncoderSet) bool {
	for _, missing := range h.incomplete {
		if missing&encoders != 0 {
			return true
		}
	}
	return false
}

// loadAdapter opens the adapter of a project that is loaded. Without its weights the project goes by the
// encoder as it was before, until it has adapted again.
func (l *Learner) loadAdapter(ctx context.Context, p *project, a *adapt.Adaptation) {
	if a == nil || l.o.Adapting == nil || p.values.Adapt != settings.AdaptAuto {
		return // the first commit deletes the weights
	}
	if err := l.o.Adapting.Open(ctx, p.meta.Project, a); err != nil {
		l.o.Logger.WithError(err).WithField("project", p.meta.Project).Warn("the adapter is gone; adapting again")
		return
	}
	p.adapted, p.features = a, p.base.Adapted(l.adaptedPlace(), a.Adapter)
}

// dropAdapters forgets the encoders with the adapters of a project, not what is stored.
func (l *Learner) dropAdapters(p *project) {
	for _, a := range []*adapt.Adaptation{p.adapted, p.adapting} {
		if a != nil {
			l.o.Adapting.Encoder.Drop(a.Adapter)
		}
	}
	p.adapted, p.adapting, p.nextFeatures = nil, nil, nil
}
