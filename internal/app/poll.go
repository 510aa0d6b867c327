package app

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/hone-ml/hone/api"
	"github.com/hone-ml/hone/connect"
	"github.com/hone-ml/hone/event"
	"github.com/hone-ml/hone/poll"
	"github.com/hone-ml/hone/reconcile"
	"github.com/hone-ml/hone/settings"
	"github.com/hone-ml/hone/state"
)

// connectionKey is the setting that says how hone hears of a project's changes.
const connectionKey = "connection"

// pollPatience is how long polls may fail before the status names it as a problem.
const pollPatience = 15 * time.Second

func (a *App) wirePoller() (err error) {
	a.Poller, err = poll.New(poll.Options{
		Reader: a.Reconciler, Projects: a.polledProjects, Interval: a.cfg.LabelStudio.PollInterval,
		Logger: a.part("poll"), Registerer: a.Registry,
	})
	return err
}

// polled reports whether hone polls a project.
func (a *App) polled(id event.ProjectID) bool {
	have, err := a.Store.ProjectSettings(context.Background(), id)
	return err == nil && a.table.Values(have).Connection == settings.ConnectionPoll
}

// polledProjects returns the projects that hone polls. Those that Label Studio no longer has
// are among them: nothing else tells hone when it has one again.
func (a *App) polledProjects(ctx context.Context) ([]event.ProjectID, error) {
	if _, none := a.Connection.Client(); none != nil {
		return nil, nil //nolint:nilerr // whoever looks for a Label Studio says so
	}
	metas, err := a.Store.Projects(ctx)
	if err != nil {
		return nil, err
	}
	var ids []event.ProjectID
	for _, m := range metas {
		if a.polled(m.Project) {
			ids = append(ids, m.Project)
		}
	}
	return ids, nil
}

// count is reconcile's port to what hone holds.
func (a *App) count(ctx context.Context, id event.ProjectID) (reconcile.Counts, error) {
	n, err := a.Store.Count(ctx, id)
	return reconcile.Counts{Tasks: n.Tasks, Annotations: n.Annotations}, err
}

// polling says how the polls of a project go, and whether hone polls it.
func (a *App) polling(id event.ProjectID) (connect.Polling, bool) {
	if !a.polled(id) {
		return connect.Polling{}, false
	}
	st, ok := a.Poller.Status(id)
	if !ok {
		st.Interval = a.cfg.LabelStudio.PollInterval
	}
	return connect.Polling(st), true
}

// addPolling tells how hone hears of a project's changes.
func (a *App) addPolling(out *api.Project) {
	out.Connection = settings.ConnectionWebhook
	st, polled := a.polling(out.ID)
	if !polled {
		return
	}
	out.Connection = settings.ConnectionPoll
	out.Poll = &api.Poll{IntervalSeconds: st.Interval.Seconds(), Last: timePtr(st.Last), FailingSince: timePtr(st.FailingSince), Error: st.Error}
	if !st.FailingSince.IsZero() && time.Since(st.FailingSince) > pollPatience {
		out.Problems = append(out.Problems, fmt.Sprintf("since %s its changes cannot be read from Label Studio, and hone tries again: %s; `hone doctor --project %d` looks for the cause",
			st.FailingSince.UTC().Format(time.RFC3339), st.Error, out.ID))
	}
}

// ConnectPolled makes hone know a project and poll it. The log has both in this order, so
// that they hold over a restart.
func (c connector) ConnectPolled(ctx context.Context, id event.ProjectID) (api.Report, error) {
	p, rep, err := c.Connection.ConnectPolled(ctx, id)
	if err != nil {
		return rep, err
	}
	now := time.Now()
	if err := (publisher{c.Pipeline}).Publish(ctx,
		&event.Changed{Project: id, CreatedAt: p.CreatedAt.Unix(), Source: event.FromSetup, At: now, Title: p.Title, LabelConfig: p.LabelConfig},
		&event.Configured{Project: id, At: now, Set: map[string]string{connectionKey: settings.ConnectionPoll}},
		&event.ReconcileDue{Project: id, At: now, Full: true, Reason: "connect"},
	); err != nil {
		return rep, err
	}
	c.Sampler.Refresh(id)
	c.awaitProject(ctx, id)
	return rep, nil
}

// stopPolling ends the polling of a project, where hone polls it, and says why.
func (c connector) stopPolling(ctx context.Context, id event.ProjectID, rep *api.Report, why string) error {
	have, err := c.Store.ProjectSettings(ctx, id)
	if errors.Is(err, state.ErrUnknownProject) {
		return nil
	}
	if _, set := have[connectionKey]; err != nil || !set {
		return err
	}
	if c.polled(id) {
		rep.Steps = append(rep.Steps, api.Step{Level: "ok", Name: "poll", What: "turned off: " + why})
	}
	return (publisher{c.Pipeline}).Publish(ctx, &event.Configured{Project: id, At: time.Now(), Reset: []string{connectionKey}})
}
