package app

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/robfig/cron/v3"

	"github.com/hone-ml/hone/event"
	"github.com/hone-ml/hone/learner"
)

// contentsEvery is the least time between two comparisons of contents, which read all tasks. The
// schedule may retrain more often.
const contentsEvery = 20 * time.Hour

// startSchedule appends an event to the log at each tick of the schedule. The order of the log decides
// its effect.
func (a *App) startSchedule() (stop func(), err error) {
	loc, err := a.cfg.Cron.Location()
	if err != nil {
		return nil, err
	}
	c := cron.New(cron.WithLocation(loc))
	jobs := []struct {
		spec string
		due  func(at time.Time) event.Event
	}{
		{a.cfg.Cron.Reconcile, func(at time.Time) event.Event { return &event.ReconcileDue{At: at, Reason: "schedule"} }},
		{a.cfg.Cron.FullReconcile, func(at time.Time) event.Event {
			return &event.ReconcileDue{At: at, Full: true, Reason: "schedule"}
		}},
		{a.cfg.Cron.Retrain, func(at time.Time) event.Event {
			return &event.RetrainDue{At: at, Reason: learner.ReasonSchedule}
		}},
	}
	for _, j := range jobs {
		s, on, err := a.cfg.Cron.Schedule(j.spec)
		if err != nil {
			return nil, err
		}
		if on {
			c.Schedule(s, cron.FuncJob(func() { a.publishDue(j.due(time.Now())) }))
		}
	}
	// Compare contents before a retrain, so that it learns what Label Studio holds.
	if s, on, err := a.cfg.Cron.Schedule(a.cfg.Cron.Retrain); err == nil && on { // read above
		var last atomic.Pointer[time.Time]
		c.Schedule(s, cron.FuncJob(func() {
			now := time.Now()
			if was := last.Load(); was == nil || now.Sub(*was) >= contentsEvery {
				last.Store(&now)
				a.publishDue(&event.ReconcileDue{At: now, Full: true, Contents: true, Reason: "nightly"})
			}
		}))
	}
	for _, j := range []struct {
		spec string
		full bool
	}{{a.cfg.Cron.Reconcile, false}, {a.cfg.Cron.FullReconcile, true}} {
		if s, on, err := a.cfg.Cron.Schedule(j.spec); err == nil && on { // read above
			c.Schedule(s, cron.FuncJob(func() { a.Connection.Check(j.full) }))
		}
	}
	c.Start()
	return func() { <-c.Stop().Done() }, nil
}

func (a *App) publishDue(e event.Event) {
	if err := a.Pipeline.Publish(context.Background(), e); err != nil {
		a.log.WithError(err).Warnf("a timer's %s could not be stored; the next tick tries again", event.Kind(e))
	}
}
