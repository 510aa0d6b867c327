package learner

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/hone-ml/hone/event"
)

// maxReloadPause bounds the pause between two tries to load a project.
const maxReloadPause = time.Minute

// loss is a project that must be loaded again.
type loss struct {
	fails int
	at    time.Time // not tried before
}

// lose has a project loaded again in the background; err is why that failed the
// last time, nil when it was not tried. The lock is held.
func (l *Learner) lose(id event.ProjectID, err error) {
	at := l.lost[id]
	if at == nil {
		at = &loss{}
		l.lost[id] = at
	}
	if err == nil {
		return
	}
	at.at = l.o.Now().Add(min(retryAfter<<min(at.fails, 10), maxReloadPause))
	at.fails++
	l.troubles.Store(id, fmt.Sprintf("its model cannot be loaded, and hone tries again: %v", err))
	if at.fails&(at.fails-1) == 0 { // the 1st, 2nd, 4th … time
		l.o.Logger.WithError(err).WithField("project", id).Error("a project cannot be loaded; the others go on, and it is tried again")
	}
}

// found ends a loss. The lock is held.
func (l *Learner) found(id event.ProjectID) {
	delete(l.lost, id)
	l.troubles.Delete(id)
}

// reload loads the lost projects whose time has come, and reports whether there was
// one. The lock is held.
func (l *Learner) reload(now time.Time) (did bool) {
	for _, id := range slices.Sorted(maps.Keys(l.lost)) {
		if l.lost[id].at.After(now) {
			continue
		}
		did = true
		p, err := l.project(l.ctx, id)
		if err != nil {
			l.lose(id, err)
			continue
		}
		if p != nil {
			l.publish(p)
			l.beginRetrain(p)
			l.beginChoice(p)
		}
	}
	return did
}

// nextReload is when a lost project is to be tried again; zero when there is none.
func (l *Learner) nextReload() (next time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, at := range l.lost {
		if next.IsZero() || at.at.Before(next) {
			next = at.at
		}
	}
	return next
}

// Trouble is why a project's model is not there, a sentence; "" when nothing is
// known of any. It never waits for learning.
func (l *Learner) Trouble(id event.ProjectID) string {
	why, _ := l.troubles.Load(id)
	s, _ := why.(string)
	return s
}
