package learner

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/cespare/xxhash/v2"
	"github.com/sirupsen/logrus"

	"github.com/hone-ml/hone/encode"
	"github.com/hone-ml/hone/event"
	"github.com/hone-ml/hone/internal/backoff"
	"github.com/hone-ml/hone/learner/adapt"
	"github.com/hone-ml/hone/learner/features"
	"github.com/hone-ml/hone/learner/head"
	"github.com/hone-ml/hone/learner/model"
	"github.com/hone-ml/hone/learner/tune"
	"github.com/hone-ml/hone/settings"
)

// Adapting is what it takes to adapt a slow encoder to the labels of each project.
type Adapting struct {
	// Base is the name of the encoder that is adapted: a project that does not read it does not
	// adapt. "" stands for any.
	Base    string
	Encoder *encode.Adapters
	Trainer encode.Trainer
	Store   AdapterStore
}

// AdapterStore keeps what trainers return. It must be safe for concurrent use.
type AdapterStore interface {
	// Adapter returns an adapter of a project, nil when there is none of that name.
	Adapter(ctx context.Context, p event.ProjectID, name string) ([]byte, error)
	// PutAdapter stores an adapter durably.
	PutAdapter(ctx context.Context, p event.ProjectID, name string, adapter []byte) error
	// RetainAdapters deletes all adapters of a project but those named.
	RetainAdapters(ctx context.Context, p event.ProjectID, names ...string) error
}

// adaptation is what an encoder was adapted to: the labels that the settings of a head are chosen
// from, and what came of it. It is stored with the project. It does not change.
type adaptation struct {
	// Adapter is the name of the adapter: a hash of its weights.
	Adapter string `json:"adapter"`
	Control string `json:"control"`
	// Labels is how many labels it has learned from, and Fingerprint hashes them.
	Labels      int    `json:"labels"`
	Fingerprint uint64 `json:"sum"`
	// Settings are those of the model with the adapted part.
	Settings model.Settings `json:"settings"`
	// Trainer names how it was trained, At says when.
	Trainer string    `json:"trainer"`
	At      time.Time `json:"at"`
	// Accuracy is the cross-validated accuracy with the adapted part, Without that of the same
	// settings without it.
	Accuracy float64 `json:"accuracy"`
	Without  float64 `json:"without"`

	// heldOut are predictions of the labels by encoders that had not learned from them. They
	// are stored beside the weights.
	heldOut map[event.TaskID]event.HeldOut
}

// storedAdapter is what is stored under the name of an adapter.
type storedAdapter struct {
	Weights []byte          `json:"weights"`
	HeldOut []event.HeldOut `json:"held_out"`
}

// index sets heldOut.
func (a *adaptation) index(of []event.HeldOut) {
	a.heldOut = make(map[event.TaskID]event.HeldOut, len(of))
	for _, x := range of {
		a.heldOut[x.Task] = x
	}
}

// selection is that of the head, as if its settings had been chosen without an adapter.
func (a *adaptation) selection() tune.Selection {
	return tune.Selection{Settings: a.Settings, Size: a.Labels, Fingerprint: a.Fingerprint, Adapter: a.Adapter}
}

// adaptable returns the head whose labels an encoder adapts to: the first that chooses one label of
// several, nil without one.
func (p *project) adaptable() *onlineHead {
	for _, h := range p.heads {
		if _, probable := h.Kind.(head.Probable); probable && tune.Tunable(h.Spec) && h.Link() == model.Exclusive && len(h.Labels) > 1 {
			return h
		}
	}
	return nil
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
	if l.o.Adapting == nil || p.values.Adapt != settings.AdaptAuto || l.adaptationHeld.Load() || l.isClosed() || len(p.versions) == 0 || p.pinned {
		return
	}
	if _, running := l.adaptationRuns.Load(id); running {
		return // at its end it starts the next
	}
	h := p.adaptable()
	if h == nil || !strings.Contains(p.base.Name(), l.o.Adapting.Base) || tune.SampleSize(h.model.Len()) == 0 || h.lacks(p.base.Slow()) {
		return // applyArrivals starts it, if it waits for vectors
	}
	labels := h.firstLabels(p.base.Name() + "\x00" + l.o.Adapting.Trainer.Name())
	for _, a := range []*adaptation{p.adapted, p.adapting} {
		if a != nil && a.Fingerprint == labels.fingerprint && a.Control == h.Control.Name {
			return
		}
	}
	if labels.fingerprint == p.unadaptable {
		return
	}
	run := &adaptationRun{project: id, control: h.Control.Name, labels: labels.size, done: make(chan struct{})}
	l.adaptationRuns.Store(id, run)
	l.runsStarted.Add(1)
	generation, base := p.generation, p.base.Encoder()
	q := h.WithEncoder(base)
	spawned := l.spawn(func() {
		defer close(run.done)
		began := time.Now()
		log := l.o.Logger.WithFields(logrus.Fields{"project": id, "control": q.Control.Name, "labels": labels.size})
		a, err := l.adapt(l.ctx, id, q, base, labels)
		switch {
		case l.ctx.Err() != nil:
		case err != nil:
			log.WithError(err).Warn("the encoder does not adapt to these labels")
		default:
			log.WithFields(logrus.Fields{"settings": a.Settings, "seconds": time.Since(began).Seconds()}).Info("the encoder has adapted; making its vectors")
			err = l.goByAdapter(l.ctx, ln, generation, a)
		}
		defer l.lockLane(ln)()
		l.adaptationRuns.Delete(id)
		if l.isClosed() || l.ctx.Err() != nil {
			return
		}
		if p := ln.loaded(); p != nil {
			if err != nil {
				p.unadaptable = labels.fingerprint
			}
			p.settled = false // the status that is published must say settled
			l.startRuns(ln)
		}
	})
	if !spawned {
		l.adaptationRuns.Delete(id)
	}
}

// goByAdapter has the vectors of an adapter made, beside those in use, and then has the project go by
// them. Nothing is done when the project's heads have been replaced since a generation. The errors
// are the context's and the store's.
func (l *Learner) goByAdapter(ctx context.Context, ln *lane, generation uint64, a *adaptation) error {
	backfill := l.backfills[l.adaptedPlace()]
	if !l.announceAdapter(ln, generation, a) {
		return nil
	}
	defer func() {
		unlock := l.lockLane(ln)
		defer unlock()
		if p := ln.loaded(); p != nil && p.adapting == a {
			p.adapting, p.nextFeatures = nil, nil
			p.settled = false
		}
	}()
	for {
		if err := backfill.WaitIdle(ctx); err != nil {
			return err
		}
		if done, err := l.swapAdapter(ctx, ln, a); done || err != nil {
			return err
		}
		backoff.Sleep(ctx, retryBackoff.Min) // tasks have come meanwhile, or the encoder fails
	}
}

// announceAdapter publishes a snapshot by which the backfill makes the vectors of an adapter.
func (l *Learner) announceAdapter(ln *lane, generation uint64, a *adaptation) bool {
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
	fingerprint uint64
}

// adapt trains an adapter and stores it. The errors are those of the stores, of the training, and the
// context's.
func (l *Learner) adapt(ctx context.Context, id event.ProjectID, q *head.Spec, base encode.Encoder, labels firstLabels) (*adaptation, error) {
	states, err := l.o.Tasks.Tasks(ctx, id, labels.ids)
	if err != nil {
		return nil, err
	}
	var examples []adapt.Example
	for _, t := range states {
		if answer := q.Kind.Aggregate(q, t); !t.Deleted && len(answer.Annotations) > 0 {
			examples = append(examples, adapt.Example{
				Example: model.Example{ID: int64(t.Task.ID), Target: answer.Target, Weight: 1}, Data: t.Task.Data,
			})
		}
	}
	r, err := adapt.Adapt(ctx, q, base, examples, l.o.Adapting.Trainer, l.cores)
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256(r.Adapter)
	a := &adaptation{
		Adapter: hex.EncodeToString(sum[:8]), Control: q.Control.Name, Labels: labels.size, Fingerprint: labels.fingerprint, Settings: r.Settings,
		Trainer: l.o.Adapting.Trainer.Name(), At: l.o.Now().UTC(), Accuracy: r.Accuracy, Without: r.Without,
	}
	a.index(r.HeldOut)
	if err := l.o.Adapting.Store.PutAdapter(ctx, id, a.Adapter, marshal(storedAdapter{r.Adapter, r.HeldOut})); err != nil {
		return nil, fmt.Errorf("store the adapter: %w", err)
	}
	l.o.Adapting.Encoder.Put(a.Adapter, r.Encoder)
	return a, nil
}

// adaptedPlace is the place of the adapted encoder among the slow ones, the last.
func (l *Learner) adaptedPlace() int { return len(l.backfills) - 1 }

// swapAdapter has a project go by an adapter if all vectors of it are there. It reports whether nothing is
// left to wait for. The error is the store's.
func (l *Learner) swapAdapter(ctx context.Context, ln *lane, a *adaptation) (done bool, err error) {
	defer l.lockLane(ln)()
	p := ln.loaded()
	if p == nil || p.adapting != a {
		return true, nil // something else goes on
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
	return true, l.o.Adapting.Store.RetainAdapters(ctx, ln.id, a.Adapter)
}

// useAdapter makes the features of a project those with an adapter, or without one if it is nil. The
// heads keep their examples and duals, so that the new optimum is near.
func (l *Learner) useAdapter(ctx context.Context, p *project, a *adaptation) error {
	next := p.base
	if a != nil {
		next = p.base.Adapted(l.adaptedPlace(), a.Adapter)
	}
	for _, h := range p.heads {
		ids := make([]event.TaskID, 0, len(h.fingerprints))
		for id := range h.fingerprints {
			ids = append(ids, id)
		}
		slices.Sort(ids)
		states, err := l.o.Tasks.Tasks(ctx, p.meta.Project, ids)
		if err != nil {
			return err
		}
		h.Spec = h.WithEncoder(next.Encoder())
		h.encoder = next.Name()
		h.selection = p.adaptedSelection(h, a)
		old := h.model
		duals := map[event.TaskID][]float32{}
		old.Duals(func(e model.Example, d []float32) bool {
			duals[event.TaskID(e.ID)] = slices.Clone(d)
			return true
		})
		h.model = h.Kind.NewModel(h.Spec, h.selection.Settings)
		fingerprints := h.fingerprints
		h.fingerprints = map[event.TaskID]uint64{}
		for _, t := range states {
			if _, ok := fingerprints[t.Task.ID]; !ok {
				continue
			}
			x, missing := next.Example(h.Spec, t.Task.Data)
			if _, err := h.learn(t, x, duals[t.Task.ID], false); err != nil {
				h.forget(t.Task.ID) // it was learned before, so this does not happen
			}
			h.markMissing(t.Task.ID, missing)
		}
		h.dirty = true
	}
	p.adapted, p.features = a, next
	p.settled, p.unsaved = false, true
	p.generation = lastGeneration.Add(1)
	return nil
}

// withoutAdapter makes the features of a project those without an adapter again, as a person has set.
// The error is the store's.
func (l *Learner) withoutAdapter(ctx context.Context, p *project) error {
	p.adapting, p.nextFeatures = nil, nil
	if p.adapted == nil {
		return nil
	}
	l.o.Adapting.Encoder.Drop(p.adapted.Adapter)
	if err := l.useAdapter(ctx, p, nil); err != nil {
		return err
	}
	l.deleteAdapters(ctx, p)
	return nil
}

// deleteAdapters deletes the weights that are stored for a project. It logs an error: they are nothing
// but a cache, and the next adapter replaces them.
func (l *Learner) deleteAdapters(ctx context.Context, p *project) {
	if err := l.o.Adapting.Store.RetainAdapters(ctx, p.meta.Project); err != nil {
		l.o.Logger.WithError(err).WithField("project", p.meta.Project).Warn("an adapter that is not used any more was not deleted")
	}
}

// adaptedSelection returns the selection of a head with an adapter: that which came with the adapter, or
// for another head its own, with the weight that an adapted part has by default.
func (p *project) adaptedSelection(h *onlineHead, a *adaptation) tune.Selection {
	if a != nil && h.Control.Name == a.Control && !h.selection.Pinned {
		return a.selection()
	}
	s := h.selection
	if s.Pinned || s.Size > 0 && s.Adapter == "" {
		s.Settings = tune.Fit(h.Spec, s.Settings)
		return s
	}
	return tune.Selection{Settings: tune.Defaults(h.Spec)}
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

// firstLabels returns the labels that an encoder adapts to. encoder says which, and how it adapts.
func (h *onlineHead) firstLabels(encoder string) firstLabels {
	out := firstLabels{size: tune.SampleSize(h.model.Len())}
	out.ids = h.firstTasks(out.size)
	var d xxhash.Digest
	d.Reset()
	_, _ = d.WriteString(h.Key + "\x00" + encoder)
	for class := range h.Labels {
		for _, t := range h.LabelTexts(class) {
			_, _ = d.WriteString("\x00" + t)
		}
	}
	for _, id := range out.ids {
		var b [16]byte
		binary.LittleEndian.PutUint64(b[:8], uint64(id)) //nolint:gosec // any bits do
		binary.LittleEndian.PutUint64(b[8:], h.labelSums[id])
		_, _ = d.Write(b[:])
	}
	out.fingerprint = d.Sum64()
	return out
}

// loadAdapter opens the adapter of a project that is loaded. Without its weights the project goes by the
// encoder as it was before, until it has adapted again.
func (l *Learner) loadAdapter(ctx context.Context, p *project, a *adaptation) {
	if l.o.Adapting == nil || a == nil {
		return
	}
	if p.values.Adapt != settings.AdaptAuto {
		l.deleteAdapters(ctx, p)
		return
	}
	stored, err := l.o.Adapting.Store.Adapter(ctx, p.meta.Project, a.Adapter)
	var s storedAdapter
	var e encode.BatchEncoder
	switch {
	case err == nil && stored == nil:
		err = errors.New("it is not stored")
	case err == nil:
		if err = json.Unmarshal(stored, &s); err == nil {
			e, err = l.o.Adapting.Trainer.Adapted(s.Weights)
		}
	}
	if err != nil {
		l.o.Logger.WithError(err).WithField("project", p.meta.Project).Warn("the adapter is gone; adapting again")
		return
	}
	a.index(s.HeldOut)
	l.o.Adapting.Encoder.Put(a.Adapter, e)
	p.adapted, p.features = a, p.base.Adapted(l.adaptedPlace(), a.Adapter)
}
