package connect

import (
	"context"
	"fmt"

	"github.com/hone-ml/hone/event"
)

// Remembered returns what hone remembers of a project's registration.
func (l *Link) Remembered(p event.ProjectID) event.Registration {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.records[p]
}

// remember changes what hone remembers of a registration and stores it. What cannot be stored
// counts until hone stops, and the log says so.
func (l *Link) remember(ctx context.Context, p event.ProjectID, change func(*event.Registration)) {
	l.storing.Lock()
	defer l.storing.Unlock()
	l.mu.Lock()
	before := l.records[p]
	now := before
	change(&now)
	l.records[p] = now
	l.mu.Unlock()
	if now == before || l.o.Records == nil {
		return
	}
	if err := l.o.Records.SetRegistration(context.WithoutCancel(ctx), p, now); err != nil {
		l.o.Logger.WithField("project", p).WithError(err).Warn("what hone knows of its registration could not be stored; the next start finds out anew")
	}
}

// LeftAlone returns nil if hone writes to a project, and otherwise an error that says why it
// does not and what to do. It reads memory only.
func (l *Link) LeftAlone(p event.ProjectID) error {
	l.mu.Lock()
	why := l.records[p].LeftAlone
	if l.disconnecting[p] {
		why = event.Disconnected
	}
	l.mu.Unlock()
	switch why {
	case event.BackendDeleted:
		return fmt.Errorf("hone's model was deleted in Label Studio, so hone writes nothing to project %d: %s", p, againFix(p))
	case event.Disconnected:
		return fmt.Errorf("project %d is disconnected, so hone writes nothing to it: %s", p, againFix(p))
	}
	return nil
}

// Forget drops what is known of a project's registration, in memory: what is stored goes with
// the project. Nothing is written to the project until it is connected again. It waits for a
// check or a repair that goes on; the error is the context's.
func (l *Link) Forget(ctx context.Context, p event.ProjectID) error {
	if err := l.lock(ctx); err != nil {
		return err
	}
	defer l.unlock()
	l.mu.Lock()
	delete(l.records, p) // first, or what is found of it would be stored again
	l.mu.Unlock()
	l.setProblems(p, nil)
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.loops, p)
	delete(l.hosts, p)
	delete(l.registrations, p)
	delete(l.looks, p)
	l.disconnecting[p] = true
	return nil
}

func againFix(p event.ProjectID) string {
	return fmt.Sprintf("`hone connect --project %d` connects it again", p)
}
