package learner

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"strings"
	"time"

	"github.com/cespare/xxhash/v2"
	"github.com/sirupsen/logrus"

	"github.com/hone-ml/hone/encode"
	"github.com/hone-ml/hone/event"
	"github.com/hone-ml/hone/internal/backoff"
	"github.com/hone-ml/hone/learner/adapt"
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
	// Adapter is the name of the adapter: a hash of the project and its weights.
	Adapter string `json:"adapter"`
	Control string `json:"control"`
	// At is when it was trained.
	At time.Time `json:"at"`
	// Labels is how many labels it has learned from, and Fingerprint hashes them.
	Labels      int    `json:"labels"`
	Fingerprint uint64 `json:"sum"`
	// Settings are those of the model with the adapted part.
	Settings model.Settings `json:"settings"`
	// Trainer names how it was trained.
	Trainer string `json:"trainer"`
	// Accuracy is the cross-validated accuracy with the adapted part, Without that of the same
	// settings without it.
	Accuracy float64 `json:"accuracy"`
	Without  float64 `json:"without"`

	// heldOut are predictions of the labels by encoders that had not learned from them. They
	// are stored beside the weights.
	heldOut map[event.TaskID]event.HeldOut
}

// selection is that of the head, as if its settings had been chosen without an adapter.
func (a *adaptation) selection() tune.Selection {
	return tune.Selection{Settings: a.Settings, Size: a.Labels, Fingerprint: a.Fingerprint, Adapter: a.Adapter}
}

// of reports whether a head is one whose labels the adapter has learned from, maybe under other labels.
func (a *adaptation) of(q *head.Spec) bool {
	return a != nil && a.Control == q.Control.Name && isAdaptable(q)
}

// isAdaptable reports whether an encoder can adapt to the labels of a head: one that chooses one label
// of several.
func isAdaptable(q *head.Spec) bool {
	_, probable := q.Kind.(head.Probable)
	return probable && tune.Tunable(q) && q.Link() == model.Exclusive && len(q.Labels) > 1
}

// adaptable returns the head whose labels an encoder adapts to, the first that can be adapted to, nil
// without one.
func (p *project) adaptable() *onlineHead {
	for _, h := range p.heads {
		if isAdaptable(h.Spec) {
			return h
		}
	}
	return nil
}

// maxAdaptedTasks is from how many tasks on a project begins no adaptation: each one makes the vectors of
// all tasks anew, which takes a minute of a core for 15,000 short texts.
const maxAdaptedTasks = 20_000

// tasks returns how many tasks of a project its slow encoders have looked at.
func (l *Learner) tasks(p *project) int {
	n := 0
	for i := range p.base.Slow().Each {
		n = max(n, l.backfills[i].Progress(p.meta.Project).Tasks)
	}
	return n
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
	if h == nil || !strings.Contains(p.base.Name(), l.o.Adapting.Base) {
		return
	}
	if l.tasks(p) > maxAdaptedTasks {
		return
	}
	size := tune.SampleSize(h.model.Len())
	if size == 0 || size == h.adaptedSize && !h.relabelled || h.lacks(p.base.Slow()) {
		return // applyArrivals starts it, if it waits for vectors
	}
	labels := h.firstLabels(p.base.Name()+"\x00"+l.o.Adapting.Trainer.Name(), size)
	h.adaptedSize, h.newestAdapted, h.relabelled = size, labels.newest, false
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
		err := l.runAdaptation(l.ctx, ln, q, base, labels, generation)
		defer l.lockLane(ln)()
		l.adaptationRuns.Delete(id)
		if l.isClosed() || l.ctx.Err() != nil {
			return
		}
		if p := ln.loaded(); p != nil {
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
// adapt and goByAdapter.
func (l *Learner) runAdaptation(ctx context.Context, ln *lane, q *head.Spec, base encode.Encoder, labels firstLabels, generation uint64) error {
	log := l.o.Logger.WithFields(logrus.Fields{"project": ln.id, "control": q.Control.Name, "labels": labels.size})
	select {
	case l.trainingTurn <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	began := time.Now()
	a, e, err := l.adapt(ctx, ln.id, q, base, labels)
	<-l.trainingTurn
	if err == nil {
		log.WithFields(logrus.Fields{"settings": a.Settings, "seconds": time.Since(began).Seconds()}).Info("the encoder has adapted; making its vectors")
		l.o.Adapting.Encoder.Put(a.Adapter, e)
		err = l.goByAdapter(ctx, ln, generation, a)
	}
	if err != nil && ctx.Err() == nil {
		log.WithError(err).Warn("the encoder does not adapt to these labels")
	}
	return err
}

// goByAdapter has the vectors of an adapter made, beside those in use, and then has the project go by
// them. Nothing is done when the project's heads have been replaced since a generation. What the project
// does not go by in the end is dropped. The errors are the context's and the store's.
func (l *Learner) goByAdapter(ctx context.Context, ln *lane, generation uint64, a *adaptation) error {
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
func (l *Learner) endAdapting(ln *lane, a *adaptation) {
	defer l.lockLane(ln)()
	p := ln.loaded()
	if p != nil && p.adapted != nil && p.adapted.Adapter == a.Adapter {
		return
	}
	if p != nil && p.adapting == a {
		p.adapting, p.nextFeatures = nil, nil
		if !l.isClosed() {
			l.publish(p)
		}
	}
	l.o.Adapting.Encoder.Drop(a.Adapter)
	l.backfills[l.adaptedPlace()].Scan(ln.id) // it may have been asked for vectors of label names
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
	newest      event.AnnotationID // the highest first annotation id among them
	fingerprint uint64
}

// adapt trains an adapter and stores it. The encoder is that with the adapter. The errors are those of the
// stores, of the training, and the context's.
func (l *Learner) adapt(ctx context.Context, id event.ProjectID, q *head.Spec, base encode.Encoder, labels firstLabels) (*adaptation, encode.BatchEncoder, error) {
	states, err := l.o.Tasks.Tasks(ctx, id, labels.ids)
	if err != nil {
		return nil, nil, err
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
		return nil, nil, err
	}
	a := &adaptation{
		Adapter: adapterName(id, r.Adapter), Control: q.Control.Name, At: l.o.Now().UTC(), Labels: labels.size, Fingerprint: labels.fingerprint, Settings: r.Settings,
		Trainer: l.o.Adapting.Trainer.Name(), Accuracy: r.Accuracy, Without: r.Without,
	}
	a.index(r.HeldOut)
	if err := l.o.Adapting.Store.PutAdapter(ctx, id, a.Adapter, marshal(storedAdapter{r.Adapter, r.HeldOut})); err != nil {
		return nil, nil, fmt.Errorf("store the adapter: %w", err)
	}
	return a, r.Encoder, nil
}

// adapterName returns the name of an adapter. It is the project's own, since projects with equal labels
// have equal weights, and one of them may drop its adapter before the other.
func adapterName(id event.ProjectID, weights []byte) string {
	sum := sha256.Sum256(append(binary.LittleEndian.AppendUint64(nil, uint64(id)), weights...)) //nolint:gosec // any bits do
	return hex.EncodeToString(sum[:8])
}

// firstLabels returns the size labels, at least one, that an encoder adapts to. encoder says which, and
// how it adapts.
func (h *onlineHead) firstLabels(encoder string, size int) firstLabels {
	out := firstLabels{size: size, ids: h.firstTasks(size)}
	out.newest = h.firstAnnotation(out.ids[len(out.ids)-1])
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
