package app

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"time"

	"github.com/hone-ml/hone/api"
	"github.com/hone-ml/hone/event"
	"github.com/hone-ml/hone/internal/logging"
	"github.com/hone-ml/hone/internal/secret"
	"github.com/hone-ml/hone/pipeline"
	"github.com/hone-ml/hone/pipeline/boltlog"
)

// connector implements the API's port to package connect: registering hone and the doctor.
type connector struct{ *App }

var _ api.Connector = connector{}

func (c connector) Connect(ctx context.Context, id event.ProjectID, url string) (api.Report, error) {
	rep, err := c.Connection.Connect(ctx, id, url)
	if err != nil {
		return rep, err
	}
	if err := c.stopPolling(ctx, id, &rep, "Label Studio tells hone of changes now"); err != nil {
		return rep, err
	}
	c.Sampler.Refresh(id)
	if err := c.Pipeline.Publish(ctx, &event.ReconcileDue{Project: id, At: time.Now(), Reason: "connect"}); err != nil {
		return rep, err
	}
	c.awaitProject(ctx, id)
	return rep, nil
}

func (c connector) Login(ctx context.Context, url string, token secret.Secret) (api.Report, error) {
	logging.Redact(c.log.Logger, token.Reveal())
	return c.Connection.Login(ctx, url, token)
}

func (c connector) Disconnect(ctx context.Context, id event.ProjectID, deletePredictions bool) (api.Report, error) {
	if err := c.requireKnown(ctx, id); err != nil {
		return api.Report{}, err
	}
	rep, err := c.Connection.Disconnect(ctx, id, deletePredictions, func() { c.Sampler.Refresh(id) })
	if err != nil {
		return rep, err
	}
	err = c.stopPolling(ctx, id, &rep, "hone reads nothing of the project any more")
	return rep, err
}

func (c connector) Doctor(ctx context.Context, id event.ProjectID) (api.Report, error) {
	return c.Connection.Doctor(ctx, id)
}

// awaitProjectTime bounds the wait of awaitProject.
const awaitProjectTime = 5 * time.Second

// awaitProject waits until the learner has applied what /setup stated about a project, so that the
// command after `hone connect` finds it.
func (c connector) awaitProject(ctx context.Context, id event.ProjectID) {
	ctx, cancel := context.WithTimeout(ctx, awaitProjectTime)
	defer cancel()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !slices.Contains(c.Learner.Projects(), id) {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// publisher reports a full disk with a status of its own: it is no mistake of the caller.
type publisher struct{ *pipeline.Pipeline }

var _ api.Publisher = publisher{}

func (p publisher) Publish(ctx context.Context, events ...event.Event) error {
	err := p.Pipeline.Publish(ctx, events...)
	if errors.Is(err, boltlog.ErrStorage) {
		return withStatus{err, http.StatusServiceUnavailable}
	}
	return err
}

// withStatus is an error with the HTTP status for hone's API.
type withStatus struct {
	error
	status int
}

func (e withStatus) HTTPStatus() int { return e.status }
func (e withStatus) Unwrap() error   { return e.error }

// deadLetters implements the API's port to the pipeline's dead letters.
type deadLetters struct{ *pipeline.Pipeline }

var _ api.DeadLetters = deadLetters{}

func (l deadLetters) List(ctx context.Context, limit int) ([]api.DeadLetter, error) {
	ls, err := l.DeadLetters(ctx, limit)
	out := make([]api.DeadLetter, len(ls))
	for i, d := range ls {
		out[i] = api.DeadLetter{ID: d.Offset, Topic: string(d.Topic), At: d.At, Reason: d.Reason, Event: string(d.Payload)}
	}
	return out, err
}

func (l deadLetters) Replay(ctx context.Context, ids ...uint64) (int, error) {
	if len(ids) == 0 {
		all, err := l.all(ctx)
		if err != nil {
			return 0, err
		}
		for _, d := range all {
			if d.Topic != "" { // those without one can only be dropped
				ids = append(ids, d.Offset)
			}
		}
	}
	return l.Pipeline.Replay(ctx, ids...)
}

func (l deadLetters) Drop(ctx context.Context, ids ...uint64) (int, error) {
	if len(ids) == 0 {
		all, err := l.all(ctx)
		if err != nil {
			return 0, err
		}
		for _, d := range all {
			ids = append(ids, d.Offset)
		}
	}
	return l.Pipeline.Drop(ctx, ids...)
}

// all are the letters there are now: one that fails again is a new one.
func (l deadLetters) all(ctx context.Context) ([]pipeline.DeadLetter, error) {
	n, err := l.CountDeadLetters(ctx)
	if err != nil || n == 0 {
		return nil, err
	}
	return l.DeadLetters(ctx, n)
}
