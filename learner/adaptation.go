package learner

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/sirupsen/logrus"

	"github.com/hone-ml/hone/encode"
	"github.com/hone-ml/hone/event"
	"github.com/hone-ml/hone/internal/backoff"
	"github.com/hone-ml/hone/learner/adapt"
	"github.com/hone-ml/hone/learner/head"
	"github.com/hone-ml/hone/learner/tune"
	"github.com/hone-ml/hone/settings"
)

// adaptable returns the head whose labels an encoder adapts to, the first that can be adapted to, nil
// without one.
func (p *project) adaptable() *onlineHead {
	for _, h := range p.heads {
		if adapt.Adaptable(h.Spec) {
			return h
		}
	}
	return nil
}

// adaptationSize returns to how many first labels the encoder is to adapt, 0 for none: as many as a version
// had that a rollback holds, else those that settings are chosen from.
func (p *project) adaptationSize(h *onlineHead) int {
	n := h.model.Len()
	if p.pinned {
		n = min(n, p.heldAdaptation)
	}
	return tune.SampleSize(n)
}

// adaptationRun is a training that is running.
type adaptationRun struct {
	project event.ProjectID
	control string
	labels  int
	done    chan struct{}
}

// startAdaptation starts to adapt to the labels of a project when they are others than those of its
// adapter. The lane's lock is held and its project loaded.
func (l *Learner) startAdaptation(ln *lane) {
	id, p := ln.id, ln.project
	if l.o.Adapting == nil || p.values.Adapt != settings.AdaptAuto || l.adaptationHeld.Load() || l.isClosed() || len(p.versions) == 0 {
		return
	}
	if _, running := l.adaptationRuns.Load(id); running {
		return // at its end it starts the next
	}
	h := p.adaptable()
	if h == nil || !strings.Contains(p.base.Name(), l.o.Adapting.Base) {
		return
	}
	size := p.adaptationSize(h)
	if size == 0 && p.adapted != nil {
		l.leaveAdapter(ln, "there are too few labels")
		return
	}
	if size == 0 || size == h.adaptedSize && !h.relabelled || h.lacks(p.base.Slow()) {
		return // applyArrivals starts it, if it waits for vectors
	}
	encoder := p.base.Name() + "\x00" + l.o.Adapting.Trainer.Name()
	labels := h.firstLabels(encoder, size)
	h.adaptedSize, h.newestAdapted, h.relabelled = size, labels.newest, false
	for _, a := range []*adapt.Adaptation{p.adapted, p.adapting} {
		if a != nil && a.Fingerprint == labels.fingerprint && a.Control == h.Control.Name {
			return
		}
	}
	if labels.fingerprint == p.unadaptable {
		if a := p.adapted; a != nil && h.firstLabels(encoder, a.Labels).fingerprint != a.Fingerprint {
			l.leaveAdapter(ln, "its labels have changed")
		}
		return
	}
	run := &adaptationRun{project: id, control: h.Control.Name, labels: labels.size, done: make(chan struct{})}
	l.adaptationRuns.Store(id, run)
	l.runsStarted.Add(1)
	generation, base := p.generation, p.base.Encoder()
	q := h.WithEncoder(base)
	spawned := l.spawn(func() {
		defer close(run.done)
		err := l.runAdaptation(l.ctx, ln, q, base, labels, generation)
		defer l.lockLane(ln)()
		l.adaptationRuns.Delete(id)
		if l.isClosed() || l.ctx.Err() != nil {
			return
		}
		if p := ln.loaded(); p != nil {
			p.staleAdapters = true // what was trained may be void
			if err != nil {
				p.unadaptable = labels.fingerprint
			}
			for _, h := range p.heads {
				h.relabelled = true // labels that came meanwhile may lead to another adapter
			}
			p.settled = false // the status that is published must say settled
			l.startRuns(ln)
		}
	})
	if !spawned {
		l.adaptationRuns.Delete(id)
	}
}

// runAdaptation trains an adapter and has the project go by it. It logs the errors that it returns: those of
// the store and the training, and the context's.
func (l *Learner) runAdaptation(ctx context.Context, ln *lane, q *head.Spec, base encode.Encoder, labels firstLabels, generation uint64) error {
	log := l.o.Logger.WithFields(logrus.Fields{"project": ln.id, "control": q.Control.Name, "labels": labels.size})
	select {
	case l.trainingTurn <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	began := time.Now()
	var a *adapt.Adaptation
	var e encode.BatchEncoder
	tasks, err := l.o.Tasks.Tasks(ctx, ln.id, labels.ids)
	if err == nil {
		a, e, err = l.o.Adapting.Train(ctx, ln.id, q, base, tasks, l.cores)
	}
	<-l.trainingTurn
	if err == nil {
		a.At, a.Labels, a.Fingerprint = l.o.Now().UTC(), labels.size, labels.fingerprint
		log.WithFields(logrus.Fields{"settings": a.Settings, "seconds": time.Since(began).Seconds()}).Info("the encoder has adapted; making its vectors")
		l.o.Adapting.Encoder.Put(a.Adapter, e)
		err = l.goByAdapter(ctx, ln, generation, a)
	}
	switch {
	case err == nil || ctx.Err() != nil:
	case errors.Is(err, adapt.ErrTooFewLabels):
		log.WithError(err).Info("the encoder does not adapt to these labels yet")
	default:
		log.WithError(err).Warn("the encoder does not adapt to these labels")
	}
	return err
}

// goByAdapter has the vectors of an adapter made, beside those in use, and then has the project go by
// them. Nothing is done when the project's heads have been replaced since a generation. What the project
// does not go by in the end is dropped. The errors are the context's and the store's.
func (l *Learner) goByAdapter(ctx context.Context, ln *lane, generation uint64, a *adapt.Adaptation) error {
	defer l.endAdapting(ln, a)
	if !l.announceAdapter(ln, generation, a) {
		return nil
	}
	for {
		if err := l.backfills[l.adaptedPlace()].WaitIdle(ctx); err != nil {
			return err
		}
		if done, err := l.swapAdapter(ctx, ln, a); done || err != nil {
			return err
		}
		backoff.Sleep(ctx, retryBackoff.Min) // tasks have come meanwhile, or the encoder fails
	}
}

// endAdapting ends the making of an adapter's vectors, and drops the adapter if the project does not go by
// it.
func (l *Learner) endAdapting(ln *lane, a *adapt.Adaptation) {
	defer l.lockLane(ln)()
	p := ln.loaded()
	if p != nil && p.adapting == a {
		p.adapting, p.nextFeatures = nil, nil
		if !l.isClosed() {
			l.publish(p)
		}
	}
	if p != nil && p.adapted != nil && p.adapted.Adapter == a.Adapter {
		return
	}
	l.o.Adapting.Encoder.Drop(a.Adapter)
	l.backfills[l.adaptedPlace()].Scan(ln.id) // it may have been asked for vectors of label names
}

// announceAdapter publishes a snapshot by which the backfill makes the vectors of an adapter.
func (l *Learner) announceAdapter(ln *lane, generation uint64, a *adapt.Adaptation) bool {
	defer l.lockLane(ln)()
	p := ln.loaded()
	if p == nil || p.generation != generation || p.values.Adapt != settings.AdaptAuto {
		return false
	}
	p.adapting, p.nextFeatures = a, p.base.Adapted(l.adaptedPlace(), a.Adapter)
	l.publish(p)
	l.scan(ln.id, p.nextFeatures.Slow())
	return true
}

// HoldAdaptation has no encoder begin to adapt until it is called with false, for callers that know when
// an adapted encoder is needed. Safe for concurrent use.
func (l *Learner) HoldAdaptation(hold bool) {
	l.adaptationHeld.Store(hold)
	if hold {
		return
	}
	for _, ln := range l.allLanes() {
		unlock := l.lockLane(ln)
		if ln.loaded() != nil {
			l.startAdaptation(ln)
		}
		unlock()
	}
}

// firstLabels are the labels that an encoder adapts to.
type firstLabels struct {
	size        int
	ids         []event.TaskID
	newest      event.AnnotationID // the highest first annotation id among them
	fingerprint uint64
}

// firstLabels returns the size labels, at least one, that an encoder adapts to. encoder says which, and
// how it adapts.
func (h *onlineHead) firstLabels(encoder string, size int) firstLabels {
	out := firstLabels{size: size, ids: h.firstTasks(size)}
	out.newest = h.firstAnnotation(out.ids[len(out.ids)-1])
	out.fingerprint = adapt.Fingerprint(h.Spec, encoder, out.ids, h.labelSums)
	return out
}
