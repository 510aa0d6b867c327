package learner

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/hone-ml/hone/event"
	"github.com/hone-ml/hone/learner/feature"
	"github.com/hone-ml/hone/learner/model"
)

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
				x, complete := l.features.example(h.question, t.Task.Data)
				h.markComplete(t.Task.ID, complete)
				if sum != fingerprint(h.kind.lesson(h.question, t).target, x, t.Task.Data) {
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
		h.question = h.question.under(l.features.encoder)
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

// labelRequests are what the heads read of the slow encoder, of their labels' names.
func (l *Learner) labelRequests(s *snapshot) map[event.TextKey]feature.Need {
	all := map[event.TextKey]feature.Need{}
	for _, h := range s.heads {
		for _, n := range l.features.labelRequests(h.question) {
			all[n.Key()] = n
		}
	}
	return all
}

// sweep drops vectors that no task needs: those of tasks that are deleted or have
// another text now, and those of other encoders.
func (f *filler) sweep(ctx context.Context) error {
	needed := map[event.TextKey]struct{}{}
	f.mu.Lock()
	var ids []event.ProjectID
	for id := range f.projects {
		ids = append(ids, id)
	}
	f.mu.Unlock()
	for _, id := range ids {
		s := f.l.snapshot(id)
		if s == nil {
			continue
		}
		for k := range f.l.labelRequests(s) {
			needed[k] = struct{}{}
		}
		known, err := f.l.o.Tasks.Known(ctx, id)
		if err != nil {
			return err
		}
		for part := range slices.Chunk(known, lookTasks) {
			tasks := make([]event.TaskID, len(part))
			for i, k := range part {
				tasks[i] = k.Task
			}
			states, err := f.l.o.Tasks.Tasks(ctx, id, tasks)
			if err != nil {
				return err
			}
			needs := map[event.TextKey]feature.Need{}
			for _, t := range states {
				f.needs(s, t, needs)
			}
			for k := range needs {
				needed[k] = struct{}{}
			}
		}
	}
	if err := f.vectors.sweep(ctx, needed); err != nil {
		return err
	}
	if err := f.vectors.store.RetainEncoders(ctx, []string{f.vectors.slow.Name()}); err != nil {
		return err
	}
	f.unswept = false
	return nil
}

// onTheSpot has texts encoded that nobody has seen yet, for as long as somebody
// may be kept waiting; what is not done by then is answered with what is there.
func (l *Learner) onTheSpot(ctx context.Context, heads []frozen, tasks []event.Task) {
	if l.filler == nil {
		return
	}
	v := l.filler.vectors
	var needs []feature.Need
	seen := map[event.TextKey]bool{}
	for _, t := range tasks {
		for _, h := range heads {
			if len(l.features.entry(h.question, t.Data).missing) == 0 {
				continue
			}
			of := map[event.TextKey]feature.Need{}
			l.features.requests(h.question, t.Data, of)
			for k, n := range of {
				if !seen[k] && !v.has(k) {
					seen[k] = true
					needs = append(needs, n)
				}
			}
		}
	}
	if len(needs) == 0 || v.pause() > 0 {
		return
	}
	until := time.Now().Add(l.o.SlowWait)
	ctx, cancel := context.WithDeadline(ctx, until)
	defer cancel()
	var longest time.Duration
	for part := range slices.Chunk(needs, batchTasks/2) {
		began := time.Now()
		if began.Add(longest).After(until) {
			return // to be cut off would look like a failure
		}
		if err := v.encode(ctx, part, false); err != nil {
			l.metrics.encodeFailures.Inc()
			l.o.Logger.WithError(err).Debug("predicting with what is there")
			return
		}
		l.metrics.encoded.Add(float64(len(part)))
		longest = max(longest, 2*time.Since(began))
	}
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
func (f *filler) encoding(id event.ProjectID) *Encoding {
	if f == nil {
		return nil
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	e := &Encoding{Encoder: f.vectors.slow.Name(), PerSecond: f.rate}
	if p := f.projects[id]; p != nil {
		e.Tasks, e.Encoded = len(p.tasks), len(p.tasks)-len(p.missing)
		e.Done = !p.relist && len(p.fresh) == 0 && len(p.missing) == 0 && len(p.names) == 0
	}
	if err := f.vectors.fault(); err != nil {
		e.Fault = err.Error()
	}
	return e
}

// Encoded returns when every text has its vector and every example has taken it
// in, or with the context's error. Without a slow encoder it returns at once.
func (l *Learner) Encoded(ctx context.Context) error {
	for l.filler != nil {
		f := l.filler
		f.mu.Lock()
		busy, changed := f.busy, f.changed
		f.mu.Unlock()
		if !busy {
			break
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-l.ctx.Done():
			return ErrClosed
		case <-changed:
		}
	}
	return nil
}
