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

	mu   sync.Mutex // guards all below
	p    *project   // nil when nothing is known of it
	lost *loss      // not nil when it must be loaded again: memory may differ from what is stored

	unstored *unstored // what is in memory and could not be stored, nil for nothing

	failures int       // of storing what was done in the background, in a row
	retryAt  time.Time // the background leaves it alone until then
}

// loss is a project that must be loaded again.
type loss struct {
	fails   int
	at      time.Time // not tried before
	loading bool      // a goroutine is at it
}

// unstored is what a batch did that could not be stored. The batch comes again, but with
// others behind it: together they may say nothing any more of what it did.
type unstored struct {
	tasks map[event.TaskID]bool
	whole bool // it changed more than tasks
}

// add notes what a delta did.
func (u *unstored) add(d *event.Delta, went bool) {
	u.whole = u.whole || d.New || d.ConfigChanged || went
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
	return !u.whole && n == len(u.tasks)
}

// live is the project if it is loaded, nil if not. mu is held.
func (ln *lane) live() *project {
	if ln.lost != nil {
		return nil
	}
	return ln.p
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

// hold locks a lane. What it returns lets go of it, and wakes the idle work, which may
// have passed the lane over.
func (l *Learner) hold(ln *lane) (release func()) {
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

// project returns a lane's project, loading it if need be; nil when nothing is known
// of it. The lane's lock is held.
func (l *Learner) project(ctx context.Context, ln *lane) (*project, error) {
	if l.isClosed() {
		return nil, ErrClosed
	}
	if p := ln.live(); p != nil {
		return p, nil
	}
	p, err := l.load(ctx, ln.id)
	if err != nil {
		return nil, err
	}
	if ln.p != nil {
		p.number = max(p.number, ln.p.number)
	}
	l.found(ln)
	if len(p.versions) == 0 && p.meta.LabelConfig == "" && len(p.heads) == 0 {
		ln.p = nil
		return nil, nil
	}
	ln.p = p
	return p, nil
}

// lose has a project loaded again in the background; err is why that failed the
// last time, nil when it was not tried. The lane's lock is held.
func (l *Learner) lose(ln *lane, err error) {
	if ln.lost == nil {
		ln.lost = &loss{}
	}
	at := ln.lost
	if err == nil {
		return
	}
	at.at = l.o.Now().Add(retry.Delay(at.fails))
	at.fails++
	l.troubles.Store(ln.id, fmt.Sprintf("its model cannot be loaded, and hone tries again: %v", err))
	if backoff.ShouldLog(at.fails) {
		l.o.Logger.WithError(err).WithField("project", ln.id).Error("a project cannot be loaded; the others go on, and it is tried again")
	}
}

// found ends a loss. The lane's lock is held.
func (l *Learner) found(ln *lane) {
	ln.lost, ln.unstored = nil, nil
	l.troubles.Delete(ln.id)
}

// reload loads a lost project.
func (l *Learner) reload(ln *lane) {
	defer l.hold(ln)()
	if ln.lost == nil {
		return
	}
	ln.lost.loading = false
	p, err := l.project(l.ctx, ln)
	if err != nil {
		if l.ctx.Err() == nil {
			l.lose(ln, err)
		}
		return
	}
	if p != nil {
		l.publish(p)
		l.beginRetrain(ln)
		l.beginChoice(ln)
	}
}

// Trouble is why a project's model is not there, a sentence; "" when nothing is
// known of any. It never waits for learning.
func (l *Learner) Trouble(id event.ProjectID) string {
	why, _ := l.troubles.Load(id)
	s, _ := why.(string)
	return s
}

// metaBefore is what is known of the project, the zero Meta if nothing is. mu is held.
func (ln *lane) metaBefore() event.Meta {
	if ln.p == nil {
		return event.Meta{}
	}
	return ln.p.meta
}
