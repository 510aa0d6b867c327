package connect

import (
	"context"
	"time"

	"github.com/hone-ml/hone/event"
)

// settleAfter is how long after a /setup call hone looks after the project.
// Label Studio makes its own webhook only after /setup was answered.
const settleAfter = 500 * time.Millisecond

// retryAfter is the pause after a failure; Label Studio may be starting.
const retryAfter = 15 * time.Second

// LookAfter asks for a project's registration to be checked and mended soon: its
// webhook signed and not doubled, uncertainty sampling on. It never blocks; when
// too many wait, the request is dropped, and the next /setup repeats it.
func (l *Link) LookAfter(p event.ProjectID) {
	select {
	case l.due <- p:
	default:
	}
}

// Run looks after projects until the context ends.
func (l *Link) Run(ctx context.Context) error {
	waiting := map[event.ProjectID]time.Time{}
	// done remembers when a project was last in order, so that the /setup calls
	// our own checks cause do not cause the next check.
	done := map[event.ProjectID]time.Time{}
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case p := <-l.due:
			if time.Since(done[p]) > retryAfter {
				if _, ok := waiting[p]; !ok {
					waiting[p] = time.Now().Add(settleAfter)
				}
			}
		case now := <-timer.C:
			for p, at := range waiting {
				if at.After(now) {
					continue
				}
				delete(waiting, p)
				if err := l.keep(ctx, p); err != nil {
					l.o.Logger.WithError(err).WithField("project", p).Debug("could not look after the project's registration yet")
					waiting[p] = time.Now().Add(retryAfter)
				} else {
					done[p] = time.Now()
				}
			}
		}
		next := time.Hour
		for _, at := range waiting {
			next = min(next, max(0, time.Until(at)))
		}
		timer.Reset(next)
	}
}

// keep mends one project's registration without making one: whether hone is
// connected is the user's choice.
func (l *Link) keep(ctx context.Context, p event.ProjectID) error {
	c, err := l.Client()
	if err != nil {
		return nil //nolint:nilerr // nothing to do until a Label Studio is known; OnClient asks again
	}
	r := &registration{link: l, client: c, project: p}
	if err := r.read(ctx); err != nil {
		return err
	}
	if r.url == "" {
		return nil
	}
	if err := r.mendHooks(ctx, false); err != nil {
		return err
	}
	if err := r.mendSampling(ctx, false); err != nil {
		return err
	}
	for _, s := range r.report.Steps {
		if s.Level != "ok" {
			l.o.Logger.WithField("project", p).Warnf("%s: %s (fix: %s)", s.Name, s.What, s.Fix)
		} else {
			l.o.Logger.WithField("project", p).Debugf("%s: %s", s.Name, s.What)
		}
	}
	return nil
}
