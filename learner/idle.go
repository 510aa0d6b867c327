package learner

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/hone-ml/hone/event"
)

const (
	// slice is how long the idle work keeps Apply waiting at most.
	slice = time.Millisecond
	// breather is between two slices.
	breather = 50 * time.Microsecond
	// retryAfter is the pause after a failure in the background.
	retryAfter = time.Second
)

// idle walks to the optimum what Apply had no time for.
func (l *Learner) idle() {
	retry := time.NewTimer(0)
	defer retry.Stop()
	breath := time.NewTimer(0)
	defer breath.Stop()
	for {
		select {
		case <-l.ctx.Done():
			return
		case <-l.wake:
		case <-retry.C:
		}
		for {
			more, err := l.step(l.ctx)
			if err != nil && l.ctx.Err() == nil {
				l.o.Logger.WithError(err).Error("learning in the background; trying again")
				retry.Reset(retryAfter)
			}
			if err == nil && !more {
				if at := l.nextReload(); !at.IsZero() {
					retry.Reset(max(0, at.Sub(l.o.Now())))
				}
			}
			if err != nil || !more {
				break
			}
			// On one core all others wait for their turn: Apply for the lock, and requests
			// for somebody to look at the network, which nobody does for ten milliseconds
			// while there is work.
			breath.Reset(breather)
			select {
			case <-l.ctx.Done():
				return
			case <-breath.C:
			}
		}
	}
}

// step does one slice of what is left to do and reports whether there may be
// more.
func (l *Learner) step(ctx context.Context) (more bool, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed || ctx.Err() != nil {
		return false, ctx.Err()
	}
	if l.reload(l.o.Now()) {
		return true, nil
	}
	for _, id := range slices.Sorted(maps.Keys(l.projects)) {
		p := l.projects[id]
		if p.settled && p.since.IsZero() || l.lost[id] != nil {
			continue
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
		l.beginChoice(p)
		l.publish(p)
		checkpoint := l.save(p)
		err := l.store.Commit(ctx, event.Commit{
			Projects: []event.ProjectCommit{{Project: id, Versions: p.stored(), Checkpoint: checkpoint}},
			Learned:  []*event.Learned{{Project: id, Since: p.since, Version: p.version(), Labels: p.labels()}},
		})
		if err != nil {
			p.settled = false // tell it again
			return false, fmt.Errorf("save project %d: %w", id, err)
		}
		l.saved(p, checkpoint)
		if !began.IsZero() {
			l.metrics.settle.Observe(max(0, l.o.Now().Sub(began).Seconds()))
		}
		return true, nil
	}
	return false, nil
}

// Rest returns when everything that was applied is at its optimum, told and
// saved, and no retrain is under way, or with the context's error. One that waits
// for vectors is not under way yet: wait with Encoded first. It helps with
// the work; nobody needs to call it.
func (l *Learner) Rest(ctx context.Context) error {
	for {
		// Looked at first: what ends after the step has left something to do, and so
		// has what others begin meanwhile.
		begun := l.begun.Load()
		what, id, done := l.running()
		more, err := l.step(ctx)
		if err != nil {
			return err
		}
		if more || l.begun.Load() != begun {
			continue
		}
		l.mu.Lock()
		closed := l.closed
		l.mu.Unlock()
		if closed {
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
