package learner

import (
	"context"
	"errors"
	"slices"

	"github.com/hone-ml/hone/encode"
	"github.com/hone-ml/hone/encode/backfill"
	"github.com/hone-ml/hone/event"
	"github.com/hone-ml/hone/learner/model"
)

// takeIn has a project's model take in vectors, and has readers hear of them.
func (l *Learner) takeIn(ctx context.Context, id event.ProjectID, a backfill.Arrivals) error {
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
		stale := map[event.TaskID]event.TaskState{}
		for _, t := range states {
			if sum, ok := h.sums[t.Task.ID]; ok {
				x, complete := l.features.example(h.Spec, t.Task.Data)
				h.markComplete(t.Task.ID, complete)
				if sum != fingerprint(h.Kind.Aggregate(h.Spec, t).Target, x, t.Task.Data) {
					stale[t.Task.ID] = t
				}
			}
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

// Encoding is how far the slow encoder is with a project.
type Encoding struct {
	// Encoder is its name.
	Encoder string `json:"encoder"`
	// Tasks is how many tasks there are, Encoded how many of them have all their
	// vectors.
	Tasks   int `json:"tasks"`
	Encoded int `json:"encoded"`
	// Done is true when nothing is left to do.
	Done bool `json:"done"`
	// PerSecond is how many texts were encoded a second, lately; 0 before any were.
	PerSecond float64 `json:"per_second"`
	// Fault is why it does not go on, "" when it does.
	Fault string `json:"fault,omitempty"`
}

// encoding is nil without a slow encoder.
func (l *Learner) encoding(id event.ProjectID) *Encoding {
	if l.backfill == nil {
		return nil
	}
	p := l.backfill.Progress(id)
	e := &Encoding{Encoder: l.backfill.Name(), Tasks: p.Tasks, Encoded: p.Encoded, Done: p.Done, PerSecond: p.PerSecond}
	if p.Err != nil {
		e.Fault = p.Err.Error()
	}
	return e
}

// Encoded returns when every text has its vector and every example has taken it
// in, or with the context's error. Without a slow encoder it returns at once.
func (l *Learner) Encoded(ctx context.Context) error {
	if l.backfill == nil {
		return nil
	}
	err := l.backfill.WaitIdle(ctx)
	if errors.Is(err, backfill.ErrStopped) {
		return ErrClosed
	}
	return err
}

// newBackfill makes the worker that has a slow encoder make its vectors.
func (l *Learner) newBackfill() (*backfill.Service, error) {
	return backfill.New(backfill.Options{
		Encoder: l.o.Slow, Vectors: l.o.Vectors, Tasks: l.o.Tasks, Next: l.o.Next, Cores: l.o.SlowCores,
		Now: l.o.Now, Logger: l.o.Logger,
		Metrics: backfill.Metrics{Encoded: l.metrics.encoded, Failures: l.metrics.encodeFailures, Unencoded: l.metrics.unencoded},
		Consume: l.takeIn,
		Needed: func(id event.ProjectID) backfill.Needed {
			if s := l.snapshot(id); s != nil {
				return needed{&l.features, s.heads}
			}
			return nil
		},
	})
}

// needed is what heads read of a slow encoder.
type needed struct {
	features *featurizer
	heads    []frozen
}

func (n needed) LabelNames() (all []encode.Request) {
	for _, h := range n.heads {
		all = append(all, n.features.labelRequests(h.Spec)...)
	}
	return all
}

func (n needed) Requests(data []byte, all map[event.TextKey]encode.Request) {
	for _, h := range n.heads {
		n.features.requests(h.Spec, data, all)
	}
}

// encodeNow has texts encoded that nobody has seen yet, for as long as somebody
// may be kept waiting; what is not done by then is answered with what is there.
func (l *Learner) encodeNow(ctx context.Context, heads []frozen, tasks []event.Task) {
	if l.backfill == nil {
		return
	}
	var needs []encode.Request
	seen := map[event.TextKey]bool{}
	for _, t := range tasks {
		for _, h := range heads {
			if len(l.features.entry(h.Spec, t.Data).missing) == 0 {
				continue
			}
			of := map[event.TextKey]encode.Request{}
			l.features.requests(h.Spec, t.Data, of)
			for k, n := range of {
				if !seen[k] && !l.backfill.Has(k) {
					seen[k] = true
					needs = append(needs, n)
				}
			}
		}
	}
	if len(needs) == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, l.o.SlowWait)
	defer cancel()
	if err := l.backfill.Now(ctx, needs); err != nil {
		l.o.Logger.WithError(err).Debug("predicting with what is there")
	}
}
