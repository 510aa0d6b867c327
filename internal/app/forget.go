package app

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/hone-ml/hone/api"
	"github.com/hone-ml/hone/event"
	"github.com/hone-ml/hone/internal/app/core"
	"github.com/hone-ml/hone/state"
)

// forgetTime bounds the wait until everything of a project is deleted.
const forgetTime = 2 * time.Minute

// Forget takes hone out of a project in Label Studio, if it can, and deletes everything that
// is stored of it. What Label Studio sends of it later begins from nothing.
func (c connector) Forget(ctx context.Context, id event.ProjectID) (api.Report, error) {
	a := c.App
	if err := a.requireKnown(ctx, id); err != nil {
		return api.Report{}, err
	}
	meta, err := a.Store.Meta(ctx, id)
	if err != nil {
		return api.Report{}, err
	}
	counts, err := a.Store.Count(ctx, id)
	if err != nil {
		return api.Report{}, err
	}
	rep := api.Report{Project: id}
	add := func(level, name, fix, format string, args ...any) {
		rep.Steps = append(rep.Steps, api.Step{Level: level, Name: name, What: fmt.Sprintf(format, args...), Fix: fix})
	}
	if !meta.Gone {
		gone, err := c.Connection.Disconnect(ctx, id, false, func() { c.Sampler.Refresh(id) })
		if rep.Steps = append(rep.Steps, gone.Steps...); err != nil {
			add("warn", "Label Studio", "delete hone's model and webhook there by hand (Settings > Model, Settings > Webhooks): what they send begins the project anew",
				"hone could not be disconnected: %v", err)
		}
	}
	ctx, cancel := context.WithTimeout(ctx, forgetTime)
	defer cancel()
	release, err := a.Reconciler.Hold(ctx, id)
	if err != nil {
		return rep, a.notForgotten(id, err)
	}
	err = a.forgetStored(ctx, id)
	release(err == nil)
	if err != nil {
		return rep, a.notForgotten(id, err)
	}
	add("ok", "project", "", "deleted: %d tasks, %d annotations, its models, versions, settings, queue and accuracy", counts.Tasks, counts.Annotations)
	letters, err := a.dropLetters(ctx, id)
	if err != nil {
		return rep, a.notForgotten(id, err)
	}
	add("ok", "log", "", "its events are deleted, and %d dead letters", letters)
	add("ok", "vectors", "", "those of texts that no other project has are deleted in the background")
	add("ok", "database file", "", "free pages may hold what was deleted until hone starts again, which writes the file anew")
	add("warn", "backups", "delete the copies that must not hold it", "what `hone backup` wrote before still holds the project: its tasks with their texts, annotations and settings")
	return rep, nil
}

func (a *App) notForgotten(id event.ProjectID, err error) error {
	if errors.Is(err, context.DeadlineExceeded) {
		return withStatus{fmt.Errorf("project %d is not forgotten within %v: hone's log says what holds it up; ask again", id, forgetTime), http.StatusGatewayTimeout}
	}
	return err
}

// forgetStored deletes what is stored of a project, by way of the log, so that what was heard
// before is deleted too. No comparison of the project runs meanwhile.
func (a *App) forgetStored(ctx context.Context, id event.ProjectID) error {
	if err := (publisher{a.Pipeline}).Publish(ctx, &event.Forgotten{Project: id, At: time.Now()}); err != nil {
		return err
	}
	heard, err := a.EventLog.Last(string(event.Changes))
	if err != nil {
		return err
	}
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for {
		done, err := a.Pipeline.Handled(core.LearnerGroup, event.Changes, id)
		if err != nil {
			return err
		}
		if done >= heard {
			break
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
	}
	if err := a.Connection.Forget(ctx, id); err != nil {
		return err
	}
	if err := a.Sampler.Forget(ctx, id); err != nil {
		return err
	}
	a.Guard.Forget(id)
	// The worker may have stored something of the queue since.
	if _, err := a.Store.Meta(ctx, id); errors.Is(err, state.ErrUnknownProject) {
		return a.Store.Forget(ctx, id)
	}
	return nil
}

// dropLetters deletes the dead letters of a project and returns how many there were.
func (a *App) dropLetters(ctx context.Context, id event.ProjectID) (int, error) {
	letters, err := deadLetters{a.Pipeline}.all(ctx)
	if err != nil {
		return 0, err
	}
	var ids []uint64
	for _, l := range letters {
		if e, err := event.Decode(l.Payload); err == nil && e.ProjectOf() == id {
			ids = append(ids, l.Offset)
		}
	}
	if len(ids) == 0 {
		return 0, nil
	}
	return a.Pipeline.Drop(ctx, ids...)
}
