package learner

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/hone-ml/hone/event"
	"github.com/hone-ml/hone/internal/backoff"
)

// lane is what belongs to one project: its lock, its model and its trouble. No project
// waits for another's.
//
// Locks, in the order in which they may be taken:
//
//	lane.mu     over all that is done to the project, its own reading, encoding, walking
//	            and storing too. Nobody holds two. What serves all projects, the idle
//	            work and the encoder's worker, never waits for one.
//	backfill's  over what is to be encoded; never over the disk, an encoder or a model
//	Learner.mu  over the list of lanes; for moments
//
// Readers take none: they have snapshots.
type lane struct {
	id event.ProjectID

	mu          sync.Mutex     // guards all below
	project     *project       // nil when nothing is known of it
	needsReload *pendingReload // not nil when it must be loaded again: memory may differ from what is stored

	unstored *unstored // what is in memory and could not be stored, nil for nothing

	failures int       // of storing what was done in the background, in a row
	retryAt  time.Time // the background leaves it alone until then
}

// pendingReload is a project that must be loaded again.
type pendingReload struct {
	failures int
	retryAt  time.Time // not tried before
	loading  bool      // a goroutine is at it
}

// unstored is what a batch did that could not be stored. The batch comes again, but with
// others behind it: together they may say nothing any more of what it did.
type unstored struct {
	tasks        map[event.TaskID]bool
	wholeProject bool // it changed more than tasks
}

// add notes what a delta did.
func (u *unstored) add(d *event.Delta, went bool) {
	u.wholeProject = u.wholeProject || d.New || d.ConfigChanged || went
	for _, t := range d.Tasks {
		u.tasks[t.Task.ID] = true
	}
}

// coveredBy reports whether a delta says anew of all of it how it is now.
func (u *unstored) coveredBy(d *event.Delta) bool {
	n := 0
	for _, t := range d.Tasks {
		if u.tasks[t.Task.ID] {
			n++
		}
	}
	return !u.wholeProject && n == len(u.tasks)
}

// loaded is the project if it is loaded, nil if not. mu is held.
func (ln *lane) loaded() *project {
	if ln.needsReload != nil {
		return nil
	}
	return ln.project
}

// lane is that of a project.
func (l *Learner) lane(id event.ProjectID) *lane {
	l.mu.Lock()
	defer l.mu.Unlock()
	ln := l.byID[id]
	if ln == nil {
		ln = &lane{id: id}
		l.byID[id] = ln
		// Readers of the list hold no lock: it is never changed, but replaced.
		at, _ := slices.BinarySearchFunc(l.lanes, id, func(ln *lane, id event.ProjectID) int { return int(min(max(ln.id-id, -1), 1)) })
		l.lanes = slices.Insert(slices.Clone(l.lanes), at, ln)
	}
	return ln
}

// lockLane locks a lane. What it returns lets go of it, and wakes the idle work, which may
// have passed the lane over.
func (l *Learner) lockLane(ln *lane) (release func()) {
	ln.mu.Lock()
	return func() {
		ln.mu.Unlock()
		l.wake.Set()
	}
}

// allLanes are all lanes in the order of ids. The list must not be written to.
func (l *Learner) allLanes() []*lane {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.lanes
}

func (l *Learner) isClosed() bool { return l.life.Stopped() }

// spawn runs f in a goroutine that Stop waits for, and reports whether it did: not
// after Stop has begun.
func (l *Learner) spawn(f func()) bool {
	return l.life.Go(func(context.Context) { f() })
}

// ensureLoaded returns a lane's project, loading it if need be; nil when nothing is known
// of it. The lane's lock is held.
func (l *Learner) ensureLoaded(ctx context.Context, ln *lane) (*project, error) {
	if l.isClosed() {
		return nil, ErrClosed
	}
	if p := ln.loaded(); p != nil {
		return p, nil
	}
	p, err := l.load(ctx, ln.id)
	if err != nil {
		return nil, err
	}
	if ln.project != nil {
		p.sequence = max(p.sequence, ln.project.sequence)
	}
	l.markLoaded(ln)
	if len(p.versions) == 0 && p.meta.LabelConfig == "" && len(p.heads) == 0 {
		ln.project = nil
		return nil, nil
	}
	ln.project = p
	return p, nil
}

// requestReload has a project loaded again in the background; err is why that failed the
// last time, nil when it was not tried. The lane's lock is held.
func (l *Learner) requestReload(ln *lane, err error) {
	if ln.needsReload == nil {
		ln.needsReload = &pendingReload{}
	}
	at := ln.needsReload
	if err == nil {
		return
	}
	at.retryAt = l.o.Now().Add(retryBackoff.Delay(at.failures))
	at.failures++
	l.troubles.Store(ln.id, fmt.Sprintf("its model cannot be loaded, and hone tries again: %v", err))
	if backoff.ShouldLog(at.failures) {
		l.o.Logger.WithError(err).WithField("project", ln.id).Error("a project cannot be loaded; the others go on, and it is tried again")
	}
}

// markLoaded ends a loss. The lane's lock is held.
func (l *Learner) markLoaded(ln *lane) {
	ln.needsReload, ln.unstored = nil, nil
	l.troubles.Delete(ln.id)
}

// reload loads a lost project.
func (l *Learner) reload(ln *lane) {
	defer l.lockLane(ln)()
	if ln.needsReload == nil {
		return
	}
	ln.needsReload.loading = false
	p, err := l.ensureLoaded(l.ctx, ln)
	if err != nil {
		if l.ctx.Err() == nil {
			l.requestReload(ln, err)
		}
		return
	}
	if p != nil {
		l.publish(p)
		l.startRetrain(ln)
		l.startSelection(ln)
	}
}

// Trouble is why a project's model is not there, a sentence; "" when nothing is
// known of any. It never waits for learning.
func (l *Learner) Trouble(id event.ProjectID) string {
	why, _ := l.troubles.Load(id)
	s, _ := why.(string)
	return s
}
