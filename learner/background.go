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
	// stepBudget is how long the idle work keeps a project's lane at most.
	stepBudget = time.Millisecond
	// yieldPause is between two slices.
	yieldPause = 50 * time.Microsecond
)

// retryBackoff is how long a project is left alone after a failure in the background.
var retryBackoff = backoff.Exponential{Min: time.Second, Max: time.Minute}

// idleTimeout is until something is heard.
const idleTimeout = 24 * time.Hour

// runBackground walks to the optimum what Apply had no time for, a slice of each project in
// turn. A project whose lane is busy is passed over: who holds the lane wakes this
// when something is left to do.
func (l *Learner) runBackground(context.Context) {
	timer := time.NewTimer(idleTimeout)
	defer timer.Stop()
	breath := time.NewTimer(0)
	defer breath.Stop()
	for {
		more, next := l.stepAll(breath)
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

// stepAll gives every project a slice. It reports whether one has more to do, and when the
// first of those in trouble is to be tried again, zero when none is.
func (l *Learner) stepAll(breath *time.Timer) (more bool, next time.Time) {
	for _, ln := range l.allLanes() {
		if l.ctx.Err() != nil {
			return false, time.Time{}
		}
		if !ln.mu.TryLock() {
			continue
		}
		did, at := l.backgroundStep(l.ctx, ln)
		ln.mu.Unlock()
		if !at.IsZero() && (next.IsZero() || at.Before(next)) {
			next = at
		}
		if !did {
			continue
		}
		more = true
		// On one core all others wait for their turn: Apply for the lane, and requests
		// for somebody to look at the network, which nobody does for ten milliseconds
		// while there is work.
		breath.Reset(yieldPause)
		select {
		case <-l.ctx.Done():
		case <-breath.C:
		}
	}
	return more, next
}

// backgroundStep does one slice of what is left to do in a lane. It reports whether there may be
// more, or when to try again what failed, else zero. The lane's lock is held.
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
		ln.needsReload.loading = l.spawn(func() { l.reload(ln) }) // others do not wait for it
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

// settleStep walks on for a slice, and tells and stores when the optimum is reached. The
// lane's lock is held.
func (l *Learner) settleStep(ctx context.Context, ln *lane) (more bool, err error) {
	p := ln.project
	if p == nil || p.settled && p.oldestPending.IsZero() {
		return false, nil
	}
	began := p.oldestPending
	work, cancel := l.withBudget(ctx, stepBudget)
	done := p.optimize(work, l.o.Tolerance)
	cancel()
	if !done || len(p.versions) == 0 {
		return !done, nil
	}
	// Before it is told: who reads that the project has settled must not find other
	// settings chosen after that.
	l.startSelection(ln)
	l.publish(p)
	checkpoint := l.dueCheckpoint(p)
	err = l.store.Commit(ctx, event.Commit{
		Projects: []event.ProjectCommit{p.forCommit(nil, checkpoint)},
		Learned:  []*event.Learned{{Project: ln.id, Since: p.oldestPending, Version: p.version(), Labels: p.labels()}},
	})
	if err != nil {
		p.settled = false // tell it again
		return false, fmt.Errorf("save project %d: %w", ln.id, err)
	}
	l.markSaved(p, checkpoint)
	if !began.IsZero() {
		l.metrics.settle.Observe(max(0, l.o.Now().Sub(began).Seconds()))
	}
	return true, nil
}

// WaitSettled returns when everything that was applied is at its optimum, told and
// saved, and no retrain is under way, or with the context's error. One that waits
// for vectors is not under way yet: wait with Encoded first. It helps with
// the work; nobody needs to call it.
func (l *Learner) WaitSettled(ctx context.Context) error {
	for {
		// Looked at first: what ends after the steps has left something to do, and so
		// has what others begin meanwhile.
		begun := l.runsStarted.Load()
		what, id, done := l.activeRun()
		more := false
		for _, ln := range l.allLanes() {
			m, err := l.waitStep(ctx, ln)
			if err != nil {
				return err
			}
			more = more || m
		}
		if more || l.runsStarted.Load() != begun {
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

// waitStep is a step of Rest: it waits for the lane, and for nothing else.
func (l *Learner) waitStep(ctx context.Context, ln *lane) (more bool, err error) {
	ln.mu.Lock()
	lost := ln.needsReload != nil && !ln.needsReload.retryAt.After(l.o.Now())
	if lost {
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

// activeRun is some work beside the models that is under way; done is nil when
// there is none.
func (l *Learner) activeRun() (what string, id event.ProjectID, done <-chan struct{}) {
	l.retrainRuns.Range(func(_, r any) bool {
		what, id, done = "a retrain", r.(*retrain).project, r.(*retrain).done
		return false
	})
	l.selectionRuns.Range(func(_, c any) bool {
		what, id, done = "a choice of settings", c.(*selectionRun).project, c.(*selectionRun).done
		return false
	})
	return what, id, done
}
