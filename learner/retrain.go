package learner

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"sync/atomic"

	"github.com/hone-ml/hone/event"
	"github.com/hone-ml/hone/internal/backoff"
	"github.com/hone-ml/hone/learner/head"
	"github.com/hone-ml/hone/learner/model"
	"github.com/hone-ml/hone/learner/score"
	"github.com/hone-ml/hone/learner/tune"
)

// promoteTolerance is how near to its optimum a rebuilt model must be to go live; the
// rest of the way is the live model's, as after any label.
const promoteTolerance = 0.05

// retrain is a full retrain: a copy of the examples, from which settings are chosen
// and a model is built from scratch beside the live one. Nothing of the live model
// goes into it.
type retrain struct {
	project    event.ProjectID
	pending    pending
	epoch      uint64
	candidates []*candidate
	// incomplete is how many examples lacked vectors that did not come within patience,
	// 0 if none.
	incomplete int
	examples   int
	steps      int
	at         atomic.Int64
	done       chan struct{}
}

// candidate is what a retrain makes of one head.
type candidate struct {
	question *head.Spec
	live     model.Settings // compared with, and nothing else
	examples []model.Example
	sums     map[event.TaskID]uint64
	from     selection

	chosen tune.Selection
	scores tune.Comparison
	model  head.Incremental
}

func (r *retrain) report() *Retrain {
	return &Retrain{Reason: r.pending.Reason, Progress: min(1, score.Ratio(float64(r.at.Load()), float64(r.steps)))}
}

// orderRetrain has a retrain wanted. The schedule's does not take the place of one
// that a person asked for, which always makes a version.
func (p *project) orderRetrain(e *event.RetrainDue) {
	if p.pending == nil || e.Reason != ReasonSchedule || p.pending.Reason == ReasonSchedule {
		p.pending = &pending{At: e.At, Reason: e.Reason}
	}
}

// beginRetrain starts the retrain a project waits for, unless one is running or
// vectors are to be waited for. The lane's lock is held, and its project loaded.
func (l *Learner) beginRetrain(ln *lane) {
	id, p := ln.id, ln.p
	if p.pending == nil {
		l.endWait(id)
	}
	if p.pending == nil || l.isClosed() || len(p.versions) == 0 {
		return
	}
	if p.pending.Reason == ReasonSchedule && p.held() {
		l.finishRetrain(p, "unchanged", "unchanged: a rollback holds "+p.version()+" and its settings until you run `hone retrain`")
		p.pending, p.settled = nil, false // the idle work stores it
		l.endWait(id)
		l.wake.Set()
		return
	}
	if l.waitsForVectors(p) {
		return // it begins when they are there
	}
	if _, running := l.retrains.Load(id); running {
		return // it begins when that one ends
	}
	if _, running := l.choosing.Load(id); running {
		return // or when that has ended
	}
	l.endWait(id) // also where it goes on without
	r := &retrain{project: id, pending: *p.pending, epoch: p.epoch, done: make(chan struct{})}
	for _, h := range p.heads {
		c := &candidate{question: h.Spec, live: h.model.Settings(), sums: maps.Clone(h.sums), from: h.selection(l.features.encoder.Name())}
		h.collect(&c.from)
		h.model.Examples(func(e model.Example) bool {
			c.examples = append(c.examples, e)
			return true
		})
		slices.SortFunc(c.examples, func(a, b model.Example) int { return cmp.Compare(a.ID, b.ID) })
		r.candidates = append(r.candidates, c)
		r.steps += tune.Steps(h.Spec) + tune.CompareSteps + buildSteps(len(c.examples))
		if n := len(h.incomplete); n > r.incomplete {
			r.incomplete, r.examples = n, h.model.Len()
		}
	}
	l.retrains.Store(r.project, r)
	l.begun.Add(1)
	began := l.spawn(func() {
		defer close(r.done)
		if err := l.rebuild(l.ctx, r); err != nil && l.ctx.Err() == nil {
			l.o.Logger.WithError(err).WithField("project", r.project).Error("full retrain failed; trying again")
			l.retrained.Store(r.project, LastRetrain{At: l.o.Now(), Outcome: "failed: " + err.Error()})
			l.metrics.retrains.WithLabelValues("failed").Inc()
			backoff.Sleep(l.ctx, retry.Min)
		}
		defer l.hold(ln)()
		l.retrains.Delete(r.project)
		if ln.live() != nil {
			l.beginRetrain(ln) // asked for again meanwhile, or to be tried again
			l.beginChoice(ln)
		}
	})
	if !began {
		l.retrains.Delete(r.project)
	}
}

func (l *Learner) rebuild(ctx context.Context, r *retrain) error {
	for _, c := range r.candidates {
		tick := func() { r.at.Add(1) }
		var err error
		if c.chosen, err = choose(ctx, c.question, c.from, l.cores, tick); err != nil {
			return err
		}
		if c.scores, err = tune.Compare(ctx, c.question, c.examples, c.chosen.Settings, c.live, l.cores, tick); err != nil {
			return err
		}
		began, steps := r.at.Load(), float64(buildSteps(len(c.examples)))
		c.model, err = tune.Build(ctx, c.question, c.examples, c.chosen.Settings, max(l.o.Tolerance, promoteTolerance), func(share float64) {
			r.at.Store(began + int64(share*steps))
		})
		if err != nil {
			return err
		}
		r.at.Store(began + int64(steps))
	}
	return l.promote(ctx, r)
}

// buildSteps is what building a model of so many examples counts beside the losses
// of choosing and comparing.
func buildSteps(examples int) int { return 1 + examples/tune.MaxCompared }

// promote puts the candidates in the live heads' place, after they have caught up
// with what was learned meanwhile.
func (l *Learner) promote(ctx context.Context, r *retrain) error {
	ln := l.lane(r.project)
	defer l.hold(ln)()
	p := ln.live()
	if p == nil || p.epoch != r.epoch {
		return nil // the heads are others now; pending is still set
	}
	was := *p
	wasModels := make([]head.Incremental, len(p.heads))
	wasChoices := make([]tune.Selection, len(p.heads))
	p.keepSettings()
	settings := maps.Clone(p.settings)
	accuracy := map[string]float64{}
	changed := false
	for i, c := range r.candidates {
		h := p.heads[i]
		wasModels[i], wasChoices[i] = h.model, h.choice
		if err := c.catchUp(h); err != nil {
			return err
		}
		name := h.Control.Name
		changed = changed || !tune.Equal(c.chosen.Settings, c.live)
		settings[name] = c.chosen.Settings
		if !math.IsNaN(c.scores.Candidate) {
			accuracy[name] = c.scores.Candidate
		}
	}
	for i, c := range r.candidates {
		// From here on the settings follow the labels: those that came meanwhile may ask
		// for others.
		p.heads[i].model, p.heads[i].choice, p.heads[i].stale = c.model, c.chosen, true
	}
	if p.pending != nil && *p.pending == r.pending {
		p.pending = nil
		if r.incomplete > 0 {
			p.pending = &pending{At: r.pending.At, Reason: r.pending.Reason, Again: true}
		}
	}
	labels := p.labels()
	outcome, said := "unchanged", "unchanged: no label was added and the settings stay"
	if r.pending.Reason != ReasonSchedule || changed || p.versions[liveIndex(p.versions)].Labels != labels {
		outcome = "new_version"
		p.addVersion(event.Version{
			CreatedAt: l.o.Now().UTC(), Reason: r.pending.Reason, Labels: labels, Accuracy: accuracy,
		}, settings)
		said = fmt.Sprintf("new version %s on %d labels%s", p.version(), labels, r.compared())
	}
	said += r.lacked()
	p.unsaved = true
	l.budgeted(ctx, p)
	l.publishTold(p)
	told := &event.Learned{Project: r.project}
	p.tell(told)
	checkpoint := l.save(p)
	err := l.store.Commit(ctx, event.Commit{
		Projects: []event.ProjectCommit{p.forCommit(nil, checkpoint)},
		Learned:  []*event.Learned{told},
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
	l.finishRetrain(p, outcome, said)
	return nil
}

// finishRetrain tells how a retrain ended.
func (l *Learner) finishRetrain(p *project, outcome, said string) {
	l.metrics.retrains.WithLabelValues(outcome).Inc()
	l.retrained.Store(p.meta.Project, LastRetrain{At: l.o.Now(), Outcome: said})
	l.o.Logger.WithField("project", p.meta.Project).Info("full retrain: " + said)
}

// compared says how the candidates did beside the live settings.
func (r *retrain) compared() string {
	var all []string
	for _, c := range r.candidates {
		if math.IsNaN(c.scores.Candidate) {
			continue
		}
		s := fmt.Sprintf("%s %.3f", c.question.Control.Name, c.scores.Candidate)
		if tune.Equal(c.chosen.Settings, c.live) {
			s += " (settings as before)"
		} else {
			s += fmt.Sprintf(" (with the settings before %.3f)", c.scores.Live)
		}
		all = append(all, s)
	}
	if len(all) == 0 {
		return ""
	}
	return ", cross-validated accuracy " + strings.Join(all, ", ")
}

// lacked says that it was done without vectors.
func (r *retrain) lacked() string {
	if r.incomplete == 0 {
		return ""
	}
	return fmt.Sprintf("; %d of %d labelled texts have no vector, since none came for %v: it is done again when they have",
		r.incomplete, r.examples, vectorPatience)
}

// catchUp makes the candidate know what the live head knows.
func (c *candidate) catchUp(h *onlineHead) error {
	for id := range c.sums {
		if _, still := h.sums[id]; !still {
			c.model.Remove(int64(id))
		}
	}
	var err error
	h.model.Examples(func(e model.Example) bool {
		id := event.TaskID(e.ID)
		if sum, had := c.sums[id]; !had || sum != h.sums[id] {
			err = c.model.Put(e)
		}
		return err == nil
	})
	return err
}
