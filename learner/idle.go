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
	// slice is how long the idle work keeps a project's lane at most.
	slice = time.Millisecond
	// breather is between two slices.
	breather = 50 * time.Microsecond
)

// retry is how long a project is left alone after a failure in the background.
var retry = backoff.Exponential{Min: time.Second, Max: time.Minute}

// forever is until something is heard.
const forever = 24 * time.Hour

// idle walks to the optimum what Apply had no time for, a slice of each project in
// turn. A project whose lane is busy is passed over: who holds the lane wakes this
// when something is left to do.
func (l *Learner) idle(context.Context) {
	timer := time.NewTimer(forever)
	defer timer.Stop()
	breath := time.NewTimer(0)
	defer breath.Stop()
	for {
		more, next := l.turn(breath)
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

// turn gives every project a slice. It reports whether one has more to do, and when the
// first of those in trouble is to be tried again, zero when none is.
func (l *Learner) turn(breath *time.Timer) (more bool, next time.Time) {
	for _, ln := range l.allLanes() {
		if l.ctx.Err() != nil {
			return false, time.Time{}
		}
		if !ln.mu.TryLock() {
			continue
		}
		did, at := l.step(l.ctx, ln)
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
		breath.Reset(breather)
		select {
		case <-l.ctx.Done():
		case <-breath.C:
		}
	}
	return more, next
}

// step does one slice of what is left to do in a lane. It reports whether there may be
// more, or when to try again what failed, else zero. The lane's lock is held.
func (l *Learner) step(ctx context.Context, ln *lane) (more bool, again time.Time) {
	now := l.o.Now()
	switch {
	case l.isClosed() || ctx.Err() != nil:
		return false, time.Time{}
	case ln.lost != nil:
		if ln.lost.loading {
			return false, time.Time{}
		}
		if ln.lost.at.After(now) {
			return false, ln.lost.at
		}
		ln.lost.loading = l.spawn(func() { l.reload(ln) }) // others do not wait for it
		return false, time.Time{}
	case ln.retryAt.After(now):
		return false, ln.retryAt
	}
	more, err := l.settleOn(ctx, ln)
	if err == nil {
		ln.failures, ln.retryAt = 0, time.Time{}
		return more, time.Time{}
	}
	ln.retryAt = now.Add(retry.Delay(ln.failures))
	if ln.failures++; backoff.ShouldLog(ln.failures) {
		l.o.Logger.WithError(err).WithField("project", ln.id).Error("learning in the background; other projects go on, and it is tried again")
	}
	return false, ln.retryAt
}

// settleOn walks on for a slice, and tells and stores when the optimum is reached. The
// lane's lock is held.
func (l *Learner) settleOn(ctx context.Context, ln *lane) (more bool, err error) {
	p := ln.p
	if p == nil || p.settled && p.since.IsZero() {
		return false, nil
	}
	began := p.since
	work, cancel := l.bounded(ctx, slice)
	done := p.settle(work, l.o.Tolerance)
	cancel()
	if !done || len(p.versions) == 0 {
		return !done, nil
	}
	// Before it is told: who reads that the project has settled must not find other
	// settings chosen after that.
	l.beginChoice(ln)
	l.publishTold(p)
	told := &event.Learned{Project: ln.id}
	p.tell(told)
	checkpoint := l.save(p)
	err = l.store.Commit(ctx, event.Commit{
		Projects: []event.ProjectCommit{p.forCommit(nil, checkpoint)},
		Learned:  []*event.Learned{told},
	})
	if err != nil {
		p.settled = false // tell it again
		return false, fmt.Errorf("save project %d: %w", ln.id, err)
	}
	l.saved(p, checkpoint)
	if !began.IsZero() {
		l.metrics.settle.Observe(max(0, l.o.Now().Sub(began).Seconds()))
	}
	return true, nil
}

// Rest returns when everything that was applied is at its optimum, told and
// saved, and no retrain is under way, or with the context's error. One that waits
// for vectors is not under way yet: wait with Encoded first. It helps with
// the work; nobody needs to call it.
func (l *Learner) Rest(ctx context.Context) error {
	for {
		// Looked at first: what ends after the steps has left something to do, and so
		// has what others begin meanwhile.
		begun := l.begun.Load()
		what, id, done := l.running()
		more := false
		for _, ln := range l.allLanes() {
			m, err := l.restStep(ctx, ln)
			if err != nil {
				return err
			}
			more = more || m
		}
		if more || l.begun.Load() != begun {
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

// restStep is a step of Rest: it waits for the lane, and for nothing else.
func (l *Learner) restStep(ctx context.Context, ln *lane) (more bool, err error) {
	ln.mu.Lock()
	lost := ln.lost != nil && !ln.lost.at.After(l.o.Now())
	if lost {
		ln.lost.loading = true
		ln.mu.Unlock()
		l.reload(ln)
		return true, ctx.Err()
	}
	defer ln.mu.Unlock()
	if l.isClosed() || ctx.Err() != nil || ln.lost != nil {
		return false, ctx.Err()
	}
	return l.settleOn(ctx, ln)
}

// running is some work beside the models that is under way; done is nil when
// there is none.
func (l *Learner) running() (what string, id event.ProjectID, done <-chan struct{}) {
	l.retrains.Range(func(_, r any) bool {
		what, id, done = "a retrain", r.(*retrain).project, r.(*retrain).done
		return false
	})
	l.choosing.Range(func(_, c any) bool {
		what, id, done = "a choice of settings", c.(*choosing).project, c.(*choosing).done
		return false
	})
	return what, id, done
}
