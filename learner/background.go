package learner

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/hone-ml/hone/event"
	"github.com/hone-ml/hone/internal/backoff"
)

const (
	// stepBudget is how long one step in the background holds a project's lane at most.
	stepBudget = time.Millisecond
	// yieldPause is the pause after each step.
	yieldPause = 50 * time.Microsecond
)

// retryBackoff is the pause of a project after failures in the background.
var retryBackoff = backoff.Exponential{Min: time.Second, Max: time.Minute}

// idleTimeout is how long runBackground sleeps when there is no work; a wake-up ends it earlier.
const idleTimeout = 24 * time.Hour

// runBackground optimizes what Apply had no time for, a step of each project in turn, until
// the learner stops. It skips a project whose lane is locked: releasing the lane wakes it.
func (l *Learner) runBackground(context.Context) {
	timer := time.NewTimer(idleTimeout)
	defer timer.Stop()
	pause := time.NewTimer(0)
	defer pause.Stop()
	for {
		more, next := l.stepAll(pause)
		if l.ctx.Err() != nil {
			return
		}
		if more {
			continue
		}
		if !next.IsZero() {
			timer.Reset(max(0, next.Sub(l.o.Now())))
		}
		select {
		case <-l.ctx.Done():
			return
		case <-l.wake:
		case <-timer.C:
		}
	}
}

// stepAll does one step of each project. It reports whether a project has more to do, and the
// earliest time at which a failed one is to be tried again, zero if none has failed.
func (l *Learner) stepAll(pause *time.Timer) (more bool, next time.Time) {
	for _, ln := range l.allLanes() {
		if l.ctx.Err() != nil {
			return false, time.Time{}
		}
		if !ln.mu.TryLock() {
			continue
		}
		again, at := l.backgroundStep(l.ctx, ln)
		ln.mu.Unlock()
		if !at.IsZero() && (next.IsZero() || at.Before(next)) {
			next = at
		}
		if !again {
			continue
		}
		more = true
		// On one core others must get their turn: Apply waits for the lane, and requests
		// for the network poller, which does not run for ten milliseconds while there is
		// work.
		pause.Reset(yieldPause)
		select {
		case <-l.ctx.Done():
		case <-pause.C:
		}
	}
	return more, next
}

// backgroundStep does one step of the work of a lane. It reports whether there may be more, and
// when to retry a failure, else zero. The lane's lock is held.
func (l *Learner) backgroundStep(ctx context.Context, ln *lane) (more bool, again time.Time) {
	now := l.o.Now()
	switch {
	case l.isClosed() || ctx.Err() != nil:
		return false, time.Time{}
	case ln.needsReload != nil:
		if ln.needsReload.loading {
			return false, time.Time{}
		}
		if ln.needsReload.retryAt.After(now) {
			return false, ln.needsReload.retryAt
		}
		ln.needsReload.loading = l.spawn(func() { l.reload(ln) }) // in a goroutine, so that others need not wait
		return false, time.Time{}
	case ln.retryAt.After(now):
		return false, ln.retryAt
	}
	more, err := l.settleStep(ctx, ln)
	if err == nil {
		ln.failures, ln.retryAt = 0, time.Time{}
		return more, time.Time{}
	}
	ln.retryAt = now.Add(retryBackoff.Delay(ln.failures))
	if ln.failures++; backoff.ShouldLog(ln.failures) {
		l.o.Logger.WithError(err).WithField("project", ln.id).Error("learning in the background; other projects go on, and it is tried again")
	}
	return false, ln.retryAt
}

// settleStep optimizes for one step budget. At the optimum it publishes a snapshot and commits
// it. It reports whether there is more to do. The lane's lock is held.
func (l *Learner) settleStep(ctx context.Context, ln *lane) (more bool, err error) {
	p := ln.project
	if p == nil || p.settled && p.oldestPending.IsZero() {
		return false, nil
	}
	began := p.oldestPending
	stepCtx, cancel := l.withBudget(ctx, stepBudget)
	done := p.optimize(stepCtx, l.o.Tolerance)
	cancel()
	if !done || len(p.versions) == 0 {
		return !done, nil
	}
	// Start the selection first: after the published status says settled, no other settings
	// may be chosen.
	l.startSelection(ln)
	l.publishAnnounced(p)
	learned := &event.Learned{Project: ln.id}
	p.describe(learned)
	checkpoint := l.dueCheckpoint(p)
	err = l.store.Commit(ctx, event.Commit{
		Projects: []event.ProjectCommit{p.forCommit(nil, checkpoint)},
		Learned:  []*event.Learned{learned},
	})
	if err != nil {
		p.settled = false // commit again
		return false, fmt.Errorf("save project %d: %w", ln.id, err)
	}
	l.markSaved(ctx, p, checkpoint)
	if !began.IsZero() {
		l.metrics.Settle.Observe(max(0, l.o.Now().Sub(began).Seconds()))
	}
	return true, nil
}

// WaitSettled returns when all models are at their optimum, published and committed, and no
// retrain or selection is running. It does not wait for a retrain that waits for vectors: call
// WaitEncoded first. It does work of the background itself. The errors are ErrClosed, the
// store's and the context's. Safe for concurrent use.
func (l *Learner) WaitSettled(ctx context.Context) error {
	for {
		// Read before the steps: a run that ends after them has left work, and so has one
		// that starts meanwhile.
		started := l.runsStarted.Load()
		what, id, done := l.activeRun()
		more := false
		for _, ln := range l.allLanes() {
			m, err := l.waitStep(ctx, ln)
			if err != nil {
				return err
			}
			more = more || m
		}
		if more || l.runsStarted.Load() != started {
			continue
		}
		if l.isClosed() {
			return ErrClosed
		}
		if done == nil {
			return ctx.Err()
		}
		select {
		case <-done:
		case <-ctx.Done():
			return errors.Join(ctx.Err(), fmt.Errorf("%s of project %d is under way", what, id))
		}
	}
}

// waitStep does one step of a lane for WaitSettled. It waits for the lane's lock only.
func (l *Learner) waitStep(ctx context.Context, ln *lane) (more bool, err error) {
	ln.mu.Lock()
	reload := ln.needsReload != nil && !ln.needsReload.retryAt.After(l.o.Now())
	if reload {
		ln.needsReload.loading = true
		ln.mu.Unlock()
		l.reload(ln)
		return true, ctx.Err()
	}
	defer ln.mu.Unlock()
	if l.isClosed() || ctx.Err() != nil || ln.needsReload != nil {
		return false, ctx.Err()
	}
	return l.settleStep(ctx, ln)
}

// activeRun returns a retrain or a selection run that is under way: what it is, its project,
// and a channel that is closed at its end. done is nil when there is none.
func (l *Learner) activeRun() (what string, id event.ProjectID, done <-chan struct{}) {
	l.retrainRuns.Range(func(_, r any) bool {
		what, id, done = "a retrain", r.(*retrain).project, r.(*retrain).done
		return false
	})
	l.selectionRuns.Range(func(_, c any) bool {
		what, id, done = "a choice of settings", c.(*selectionRun).project, c.(*selectionRun).done
		return false
	})
	l.adaptationRuns.Range(func(_, r any) bool {
		what, id, done = "adapting the encoder", r.(*adaptationRun).project, r.(*adaptationRun).done
		return false
	})
	return what, id, done
}
