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
	"github.com/hone-ml/hone/learner/report"
	"github.com/hone-ml/hone/learner/score"
	"github.com/hone-ml/hone/learner/stored"
	"github.com/hone-ml/hone/learner/tune"
)

// promoteTolerance is the bound up to which a candidate is optimized before it goes live. After
// that it is optimized as the live model is after any label.
const promoteTolerance = 0.05

// retrain is a full retrain under way. It copies the examples, chooses settings, and builds a
// model from scratch beside the live one. It uses nothing else of the live model.
type retrain struct {
	project    event.ProjectID
	pending    stored.PendingRetrain
	generation uint64
	candidates []*candidate
	// incomplete is the number of examples without vectors that did not come within
	// vectorPatience, of the head with the most, and examples is that head's number of
	// examples.
	incomplete int
	examples   int
	steps      int
	stepsDone  atomic.Int64
	done       chan struct{}
}

// candidate is the new model of one head.
type candidate struct {
	spec         *head.Spec
	live         model.Settings // only for the comparison
	examples     []model.Example
	fingerprints map[event.TaskID]uint64
	sample       searchSample
	adapted      tune.Selection // that of the adapter, the zero one without
	// heldOutAccuracy is the cross-validated accuracy that came with the adapter.
	heldOutAccuracy float64

	selection tune.Selection
	scores    tune.Comparison
	model     head.Incremental
}

func (r *retrain) report() *report.Retrain {
	return &report.Retrain{Reason: r.pending.Reason, Progress: min(1, score.Ratio(float64(r.stepsDone.Load()), float64(r.steps)))}
}

// requestRetrain records that a retrain was requested. One of the schedule does not replace one
// that a person requested, which always makes a version.
func (p *project) requestRetrain(e *event.RetrainDue) {
	if p.pending == nil || e.Reason != ReasonSchedule || p.pending.Reason == ReasonSchedule {
		p.pending = &stored.PendingRetrain{At: e.At, Reason: e.Reason}
	}
}

// startRetrain starts the pending retrain of a project, unless a retrain or a selection is
// running, or vectors are to be awaited. The lane's lock is held and its project loaded.
func (l *Learner) startRetrain(ln *lane) {
	id, p := ln.id, ln.project
	if p.pending == nil {
		l.endWait(id)
	}
	if p.pending == nil || l.isClosed() || len(p.versions) == 0 {
		return
	}
	if p.pending.Reason == ReasonSchedule && p.settingsPinned() {
		l.finishRetrain(p, "unchanged", "unchanged: a rollback holds "+p.version()+" and its settings until you run `hone retrain`")
		p.pending, p.settled = nil, false // the background commits it
		l.endWait(id)
		l.wake.Set()
		return
	}
	if l.waitsForVectors(p) {
		return // applyArrivals starts it
	}
	if _, running := l.retrainRuns.Load(id); running {
		return // the running one starts it at its end
	}
	if _, running := l.selectionRuns.Load(id); running {
		return // the selection starts it at its end
	}
	l.endWait(id) // it may go on without vectors
	r := &retrain{project: id, pending: *p.pending, generation: p.generation, done: make(chan struct{})}
	for _, h := range p.heads {
		c := &candidate{spec: h.Spec, live: h.model.Settings(), fingerprints: maps.Clone(h.fingerprints), sample: h.searchSample(h.encoder)}
		if h.selection.Adapter != "" {
			c.adapted, c.heldOutAccuracy = h.selection, p.adapted.Accuracy
		}
		h.collectExamples(&c.sample)
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
	l.retrainRuns.Store(r.project, r)
	l.runsStarted.Add(1)
	spawned := l.spawn(func() {
		defer close(r.done)
		if err := l.runRetrain(l.ctx, r); err != nil && l.ctx.Err() == nil {
			l.o.Logger.WithError(err).WithField("project", r.project).Error("full retrain failed; trying again")
			l.lastRetrains.Store(r.project, report.LastRetrain{At: l.o.Now(), Outcome: "failed: " + err.Error()})
			l.metrics.Retrains.WithLabelValues("failed").Inc()
			backoff.Sleep(l.ctx, retryBackoff.Min)
		}
		defer l.lockLane(ln)()
		l.retrainRuns.Delete(r.project)
		if ln.loaded() != nil {
			l.startRuns(ln) // it may have been requested again, or have failed
		}
	})
	if !spawned {
		l.retrainRuns.Delete(r.project)
	}
}

// runRetrain chooses settings, compares them with the live ones, builds the candidates and
// promotes them. The error is the context's or the store's.
func (l *Learner) runRetrain(ctx context.Context, r *retrain) error {
	for _, c := range r.candidates {
		onStep := func() { r.stepsDone.Add(1) }
		var err error
		if c.adapted.Adapter != "" {
			c.selection = c.adapted
		} else if c.selection, err = selectSettings(ctx, c.spec, c.sample, l.cores, onStep); err != nil {
			return err
		}
		if c.adapted.Adapter != "" { // the labels look better to an encoder that has learned from them
			c.scores = tune.Comparison{Candidate: c.heldOutAccuracy, Live: c.heldOutAccuracy}
		} else if c.scores, err = tune.Compare(ctx, c.spec, c.examples, c.selection.Settings, c.live, l.cores, onStep); err != nil {
			return err
		}
		began, steps := r.stepsDone.Load(), float64(buildSteps(len(c.examples)))
		c.model, err = tune.Build(ctx, c.spec, c.examples, c.selection.Settings, max(l.o.Tolerance, promoteTolerance), func(share float64) {
			r.stepsDone.Store(began + int64(share*steps))
		})
		if err != nil {
			return err
		}
		r.stepsDone.Store(began + int64(steps))
	}
	return l.promote(ctx, r)
}

// buildSteps returns how many steps of progress building a model counts. Each loss in choosing
// and comparing settings counts one.
func buildSteps(examples int) int { return 1 + examples/tune.MaxCompared }

// promote replaces the live models by the candidates, after these have learned what came
// meanwhile, and commits them. If the commit fails the project is as before.
func (l *Learner) promote(ctx context.Context, r *retrain) error {
	ln := l.lane(r.project)
	defer l.lockLane(ln)()
	p := ln.loaded()
	if p == nil || p.generation != r.generation {
		return nil // the heads were replaced; the retrain is still pending
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
		wasModels[i], wasChoices[i] = h.model, h.selection
		if err := c.catchUp(h); err != nil {
			return err
		}
		name := h.Control.Name
		changed = changed || !tune.Equal(c.selection.Settings, c.live)
		settings[name] = c.selection.Settings
		if !math.IsNaN(c.scores.Candidate) {
			accuracy[name] = c.scores.Candidate
		}
	}
	for i, c := range r.candidates {
		// dirty, since labels that came meanwhile may lead to other settings.
		p.heads[i].model, p.heads[i].selection, p.heads[i].dirty = c.model, c.selection, true
	}
	if p.pending != nil && *p.pending == r.pending {
		p.pending = nil
		if r.incomplete > 0 {
			p.pending = &stored.PendingRetrain{At: r.pending.At, Reason: r.pending.Reason, Again: true}
		}
	}
	labels := p.labels()
	outcome, sentence := "unchanged", "unchanged: no label was added and the settings stay"
	if r.pending.Reason != ReasonSchedule || changed || p.versions[event.LiveIndex(p.versions)].Labels != labels {
		outcome = "new_version"
		v := event.Version{CreatedAt: l.o.Now().UTC(), Reason: r.pending.Reason, Labels: labels, Accuracy: accuracy}
		if p.adapted != nil {
			v.AdaptedLabels, v.AdaptedBy = p.adapted.Labels, p.adapted.Trainer
		}
		p.addVersion(v, settings)
		sentence = fmt.Sprintf("new version %s on %d labels%s", p.version(), labels, r.comparisonNote())
	}
	sentence += r.missingNote()
	p.unsaved = true
	l.settleWithin(ctx, p)
	l.publishAnnounced(p)
	learned := &event.Learned{Project: r.project}
	p.describe(learned)
	checkpoint := l.dueCheckpoint(p)
	err := l.store.Commit(ctx, event.Commit{
		Projects: []event.ProjectCommit{p.forCommit(nil, checkpoint)},
		Learned:  []*event.Learned{learned},
	})
	if err != nil {
		number := p.sequence
		*p = was
		p.sequence = number
		for i, m := range wasModels {
			p.heads[i].model, p.heads[i].selection = m, wasChoices[i]
		}
		l.publish(p)
		return fmt.Errorf("save the retrained project %d: %w", r.project, err)
	}
	l.markSaved(ctx, p, checkpoint)
	l.finishRetrain(p, outcome, sentence)
	return nil
}

// finishRetrain logs and counts how a retrain ended. sentence says it to users.
func (l *Learner) finishRetrain(p *project, outcome, sentence string) {
	l.metrics.Retrains.WithLabelValues(outcome).Inc()
	l.lastRetrains.Store(p.meta.Project, report.LastRetrain{At: l.o.Now(), Outcome: sentence})
	l.o.Logger.WithField("project", p.meta.Project).Info("full retrain: " + sentence)
}

// comparisonNote returns the accuracy of the candidates and of the live settings, as a part of
// a sentence.
func (r *retrain) comparisonNote() string {
	var all []string
	for _, c := range r.candidates {
		if math.IsNaN(c.scores.Candidate) {
			continue
		}
		s := fmt.Sprintf("%s %.3f", c.spec.Control.Name, c.scores.Candidate)
		if tune.Equal(c.selection.Settings, c.live) {
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

// missingNote returns a part of a sentence that says how many vectors were missing, "" if none.
func (r *retrain) missingNote() string {
	if r.incomplete == 0 {
		return ""
	}
	return fmt.Sprintf("; %d of %d labelled texts have no vector, since none came for %v: it is done again when they have",
		r.incomplete, r.examples, vectorPatience)
}

// catchUp makes the examples of the candidate equal to those of the live head.
func (c *candidate) catchUp(h *onlineHead) error {
	for id := range c.fingerprints {
		if _, still := h.fingerprints[id]; !still {
			c.model.Remove(int64(id))
		}
	}
	var err error
	h.model.Examples(func(e model.Example) bool {
		id := event.TaskID(e.ID)
		if sum, had := c.fingerprints[id]; !had || sum != h.fingerprints[id] {
			err = c.model.Upsert(e)
		}
		return err == nil
	})
	return err
}
