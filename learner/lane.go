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

// lane holds the lock, the models and the failures of one project. No project waits for the
// lane of another.
//
// Locks, in the order in which they may be taken:
//
//	lane.mu     guards the project. It is held while the project is read from the store,
//	            encoded, optimized and committed. No goroutine holds two. The background
//	            and the workers of the encoders serve all projects and never wait for one.
//	backfill's  guards what is to be encoded. It is never held during disk reads, encoding
//	            or optimizing.
//	Learner.mu  guards the list of lanes. It is held for moments.
//
// Readers take no lock: they read snapshots.
type lane struct {
	id event.ProjectID

	mu          sync.Mutex     // guards all below
	project     *project       // nil when there is no such project in the store
	needsReload *pendingReload // not nil when memory may differ from the store, so that it must be loaded again

	unstored *unstored // changes in memory whose commit failed, nil if none

	failures int       // consecutive failures in the background
	retryAt  time.Time // before this the background skips the lane
}

// pendingReload says that a project must be loaded again.
type pendingReload struct {
	failures int
	retryAt  time.Time // not before this
	loading  bool      // a goroutine loads it
}

// unstored holds what a batch changed in memory before its commit failed. The batch is
// delivered again, but with later events in it, and the common delta need not mention all
// of these changes.
type unstored struct {
	tasks        map[event.TaskID]bool
	wholeProject bool // more than tasks changed
}

// add records the changes of a delta.
func (u *unstored) add(d *event.Delta, goneChanged bool) {
	u.wholeProject = u.wholeProject || d.New || d.ConfigChanged || goneChanged
	for _, t := range d.Tasks {
		u.tasks[t.Task.ID] = true
	}
}

// coveredBy reports whether a delta states all of these changes again.
func (u *unstored) coveredBy(d *event.Delta) bool {
	n := 0
	for _, t := range d.Tasks {
		if u.tasks[t.Task.ID] {
			n++
		}
	}
	return !u.wholeProject && n == len(u.tasks)
}

// loaded returns the project if memory equals the store, else nil. mu is held.
func (ln *lane) loaded() *project {
	if ln.needsReload != nil {
		return nil
	}
	return ln.project
}

// lane returns the lane of a project, a new one if there is none.
func (l *Learner) lane(id event.ProjectID) *lane {
	l.mu.Lock()
	defer l.mu.Unlock()
	ln := l.byID[id]
	if ln == nil {
		ln = &lane{id: id}
		l.byID[id] = ln
		// Readers of the list hold no lock, so it is replaced and never changed.
		at, _ := slices.BinarySearchFunc(l.lanes, id, func(ln *lane, id event.ProjectID) int { return int(min(max(ln.id-id, -1), 1)) })
		l.lanes = slices.Insert(slices.Clone(l.lanes), at, ln)
	}
	return ln
}

// lockLane locks a lane. release unlocks it and wakes the background, which may have skipped
// the lane.
func (l *Learner) lockLane(ln *lane) (release func()) {
	ln.mu.Lock()
	return func() {
		ln.mu.Unlock()
		l.wake.Set()
	}
}

// allLanes returns all lanes in the order of ids. The caller must not write to the list.
func (l *Learner) allLanes() []*lane {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.lanes
}

func (l *Learner) isClosed() bool { return l.life.Stopped() }

// spawn runs f in a goroutine that Stop waits for. After Stop has begun it does nothing and
// returns false.
func (l *Learner) spawn(f func()) bool {
	return l.life.Go(func(context.Context) { f() })
}

// ensureLoaded returns the project of a lane and loads it if needed; nil when the store knows
// nothing of it. The lane's lock is held. The errors are the store's, and ErrClosed.
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

// requestReload has the background load a project again. err is why the last attempt failed,
// nil if there was none. The lane's lock is held.
func (l *Learner) requestReload(ln *lane, err error) {
	if ln.needsReload == nil {
		ln.needsReload = &pendingReload{}
	}
	r := ln.needsReload
	if err == nil {
		return
	}
	r.retryAt = l.o.Now().Add(retryBackoff.Delay(r.failures))
	r.failures++
	l.troubles.Store(ln.id, fmt.Sprintf("its model cannot be loaded, and hone tries again: %v", err))
	if backoff.ShouldLog(r.failures) {
		l.o.Logger.WithError(err).WithField("project", ln.id).Error("a project cannot be loaded; the others go on, and it is tried again")
	}
}

// markLoaded records that memory equals the store. The lane's lock is held.
func (l *Learner) markLoaded(ln *lane) {
	ln.needsReload, ln.unstored = nil, nil
	l.troubles.Delete(ln.id)
}

// reload loads a project again. The lane's lock is not held.
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
		l.scan(ln.id, p.slow()) // while nothing was loaded, nothing was scanned
		l.startRuns(ln)
	}
}

// Trouble returns a sentence that says why a project's model could not be loaded, "" when no
// failure is known. It never waits for learning. Safe for concurrent use.
func (l *Learner) Trouble(id event.ProjectID) string {
	why, _ := l.troubles.Load(id)
	s, _ := why.(string)
	return s
}

// forget deletes everything stored of a project and drops its models; twice is harmless. The
// lane's lock is held.
func (l *Learner) forget(ctx context.Context, ln *lane) error {
	if err := l.store.Forget(ctx, ln.id); err != nil {
		return err
	}
	gone := l.newProject(ln.id)
	gone.meta.Project, gone.meta.Gone = ln.id, true
	if l.publish(gone); ln.project != nil {
		ln.project.generation = lastGeneration.Add(1) // what runs for it is void
	}
	if ln.project != nil {
		l.dropAdapters(ln.project)
	}
	ln.project = nil
	l.markLoaded(ln)
	for _, b := range l.backfills { // which deletes the vectors that nobody needs any more
		b.OnCommit(ln.id, &event.Delta{Meta: event.Meta{Project: ln.id}, New: true})
	}
	return nil
}

// metaBefore is what is known of the project, the zero Meta if nothing is. mu is held.
func (ln *lane) metaBefore() event.Meta {
	if ln.project == nil {
		return event.Meta{}
	}
	return ln.project.meta
}
