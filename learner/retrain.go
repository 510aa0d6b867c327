package learner

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"math"
	"slices"
	"sync/atomic"
	"time"

	"github.com/hone-ml/hone/event"
	"github.com/hone-ml/hone/learner/model"
)

// swapTolerance is how near to its optimum a rebuilt model must be to go live; the
// rest of the way is the live model's, as after any label.
const swapTolerance = 0.05

// retrain is a full retrain: a copy of the examples, on which settings are
// chosen and a model is built from scratch beside the live one.
type retrain struct {
	project event.ProjectID
	pending pending
	epoch   uint64
	heads   []*rebuilt
	steps   int
	at      atomic.Int64
	done    chan struct{}
}

// rebuilt is one head of it.
type rebuilt struct {
	question *question
	live     model.Settings
	examples []model.Example
	sums     map[event.TaskID]uint64

	tuned tuned
	model trainer
}

func (r *retrain) report() *Retrain {
	return &Retrain{Reason: r.pending.Reason, Progress: min(1, ratio(float64(r.at.Load()), float64(r.steps)))}
}

// beginRetrain starts the retrain a project waits for, unless one is running.
func (l *Learner) beginRetrain(p *project) {
	if p.pending == nil || l.closed || len(p.versions) == 0 {
		return
	}
	if _, running := l.retrains.Load(p.meta.Project); running {
		return // it begins when that one ends
	}
	if _, running := l.choosing.Load(p.meta.Project); running {
		return // or when that has ended: the settings it compares with must stand
	}
	r := &retrain{project: p.meta.Project, pending: *p.pending, epoch: p.epoch, done: make(chan struct{})}
	for _, h := range p.heads {
		b := &rebuilt{question: h.question, live: h.model.Settings(), sums: maps.Clone(h.sums)}
		h.model.Examples(func(e model.Example) bool {
			b.examples = append(b.examples, e)
			return true
		})
		slices.SortFunc(b.examples, func(a, b model.Example) int { return cmp.Compare(a.ID, b.ID) })
		r.heads = append(r.heads, b)
		r.steps += tuneSteps(h.question) + buildSteps(len(b.examples))
	}
	l.retrains.Store(r.project, r)
	l.begun.Add(1)
	l.work.Go(func() {
		defer close(r.done)
		if err := l.rebuild(l.ctx, r); err != nil && l.ctx.Err() == nil {
			l.o.Logger.WithError(err).WithField("project", r.project).Error("full retrain failed; trying again")
			l.retrained.Store(r.project, LastRetrain{At: l.o.Now(), Outcome: "failed: " + err.Error()})
			l.metrics.retrains.WithLabelValues("failed").Inc()
			select {
			case <-l.ctx.Done():
			case <-time.After(retryAfter):
			}
		}
		l.mu.Lock()
		defer l.mu.Unlock()
		l.retrains.Delete(r.project)
		if p := l.projects[r.project]; p != nil && l.lost[r.project] == nil {
			l.beginRetrain(p) // asked for again meanwhile, or to be tried again
			l.beginChoice(p)
		}
	})
}

func (l *Learner) rebuild(ctx context.Context, r *retrain) error {
	for _, b := range r.heads {
		var err error
		if b.tuned, err = tune(ctx, b.question, b.examples, b.live, func() { r.at.Add(1) }); err != nil {
			return err
		}
		began, steps := r.at.Load(), float64(buildSteps(len(b.examples)))
		b.model, err = build(ctx, b.question, b.examples, b.tuned.settings, max(l.o.Tolerance, swapTolerance), func(share float64) {
			r.at.Store(began + int64(share*steps))
		})
		if err != nil {
			return err
		}
		r.at.Store(began + int64(steps))
	}
	return l.swap(ctx, r)
}

// buildSteps is what building a model of so many examples counts beside the losses
// that tune computes.
func buildSteps(examples int) int { return 1 + examples/mostTuned }

// swap puts the rebuilt heads in the live ones' place, after they have caught up
// with what was learned meanwhile.
func (l *Learner) swap(ctx context.Context, r *retrain) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	p := l.projects[r.project]
	if p == nil || l.lost[r.project] != nil || p.epoch != r.epoch {
		return nil // the heads are others now; pending is still set
	}
	was := *p
	wasModels := make([]trainer, len(p.heads))
	wasChoices := make([]choice, len(p.heads))
	settings := maps.Clone(p.settings)
	if settings == nil {
		settings = map[string]model.Settings{}
	}
	accuracy := map[string]float64{}
	changed := false
	for i, b := range r.heads {
		h := p.heads[i]
		wasModels[i], wasChoices[i] = h.model, h.choice
		if err := b.catchUp(h); err != nil {
			return err
		}
		name := h.control.Name
		changed = changed || !same(b.tuned.settings, b.live)
		settings[name] = b.tuned.settings
		if !math.IsNaN(b.tuned.accuracy) {
			accuracy[name] = b.tuned.accuracy
		}
	}
	for i, b := range r.heads {
		p.heads[i].model = b.model
		p.heads[i].choice = choice{Settings: b.tuned.settings, Rung: rung(len(b.examples)), Held: true}
	}
	if p.pending != nil && *p.pending == r.pending {
		p.pending = nil
	}
	labels := p.labels()
	outcome := "unchanged"
	if r.pending.Reason != ReasonSchedule || changed || p.versions[live(p.versions)].Labels != labels {
		outcome = "new_version"
		p.addVersion(event.Version{
			CreatedAt: l.o.Now().UTC(), Reason: r.pending.Reason, Labels: labels, Accuracy: accuracy,
		}, settings)
	}
	p.unsaved = true
	l.budgeted(ctx, p)
	l.publish(p)
	checkpoint := l.save(p)
	err := l.store.Commit(ctx, event.Commit{
		Projects: []event.ProjectCommit{{Project: r.project, Versions: p.stored(), Checkpoint: checkpoint}},
		Learned:  []*event.Learned{{Project: r.project, Since: p.since, Version: p.version(), Labels: labels}},
	})
	if err != nil {
		number := p.number
		*p = was
		p.number = number
		for i, m := range wasModels {
			p.heads[i].model, p.heads[i].choice = m, wasChoices[i]
		}
		l.publish(p)
		return fmt.Errorf("save the retrained project %d: %w", r.project, err)
	}
	l.saved(p, checkpoint)
	l.metrics.retrains.WithLabelValues(outcome).Inc()
	said := "unchanged: no label was added and the settings stay"
	if outcome == "new_version" {
		said = fmt.Sprintf("new version %s on %d labels", p.version(), labels)
	}
	l.retrained.Store(r.project, LastRetrain{At: l.o.Now(), Outcome: said})
	l.o.Logger.WithField("project", r.project).Info("full retrain: " + said)
	l.nudge()
	return nil
}

// catchUp makes the rebuilt model know what the live head knows.
func (b *rebuilt) catchUp(h *head) error {
	for id := range b.sums {
		if _, still := h.sums[id]; !still {
			b.model.Remove(int64(id))
		}
	}
	var err error
	h.model.Examples(func(e model.Example) bool {
		id := event.TaskID(e.ID)
		if sum, had := b.sums[id]; !had || sum != h.sums[id] {
			err = b.model.Put(e)
		}
		return err == nil
	})
	return err
}
