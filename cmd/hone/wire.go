package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/sirupsen/logrus"
	"go.etcd.io/bbolt"

	"github.com/hone-ml/hone/api"
	"github.com/hone-ml/hone/config"
	"github.com/hone-ml/hone/connect"
	"github.com/hone-ml/hone/encode/encoders"
	"github.com/hone-ml/hone/event"
	"github.com/hone-ml/hone/internal/fault"
	"github.com/hone-ml/hone/internal/logging"
	"github.com/hone-ml/hone/labelstudio"
	"github.com/hone-ml/hone/learner"
	"github.com/hone-ml/hone/pipeline"
	"github.com/hone-ml/hone/pipeline/boltlog"
	"github.com/hone-ml/hone/sampler"
	"github.com/hone-ml/hone/state"
	"github.com/hone-ml/hone/webhook"
)

// firstVersion is what a project's first version is called; /setup may have to
// answer before the learner has heard of the project.
const firstVersion = "hone-1"

// ledger is the learner's store: what a batch changed, the model, the log's
// cursor and what follows for the sampler become durable together.
type ledger struct {
	*state.Store
	pipe *pipeline.Pipeline
	log  *boltlog.Log
}

var _ learner.Store = ledger{}

func (l ledger) Commit(ctx context.Context, c event.Commit) error {
	if fault.On(fault.CursorAlone) && c.Cursor != nil {
		cur := *c.Cursor
		if err := l.DB().Update(func(tx *bbolt.Tx) error { return l.log.AdvanceTx(tx, cur) }); err != nil {
			return err
		}
	}
	events := make([]event.Event, 0, len(c.Learned)+len(c.Projects))
	for _, e := range c.Learned {
		events = append(events, e)
	}
	for _, p := range c.Projects {
		if e := asked(p); e != nil {
			events = append(events, e)
		}
	}
	write, err := l.Prepare(c)
	if err != nil {
		return err
	}
	also, err := l.pipe.InTx(c.Cursor, events...)
	if err != nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	// Lanes, and webhooks, share a transaction where they come at the same time; what is
	// refused is taken out of it.
	err = l.log.Update(func(tx *bbolt.Tx) error {
		if err := write(tx); err != nil {
			return err
		}
		return also(tx)
	})
	if err != nil {
		return fmt.Errorf("commit (nothing was stored): %w", err)
	}
	return nil
}

// encoderOf makes the encoder of a name, with what the configuration says of it.
func encoderOf(c config.Learner, name string) (encoders.Encoder, error) {
	return encoders.Open(name, encoders.Options{OpenAIModel: c.OpenAIModel, OpenAIKey: c.OpenAIKey.Reveal, OpenAITimeout: c.OpenAITimeout})
}

// next is what will be asked next, for the learner to encode first.
func (a *app) next(id event.ProjectID) []event.TaskID {
	if a.sampler == nil { // not wired yet
		return nil
	}
	items := a.sampler.Next(id)
	ids := make([]event.TaskID, len(items))
	for i, it := range items {
		ids[i] = it.Task
	}
	return ids
}

// vault keeps what /setup taught in the state.
type vault struct {
	store *state.Store
	log   *logrus.Logger
}

var _ connect.Vault = vault{}

func (v vault) Credential(ctx context.Context) (string, labelstudio.Secret, error) {
	c, err := v.store.Credential(ctx)
	logging.Redact(v.log, c.Token)
	return c.Host, labelstudio.Secret(c.Token), err
}

func (v vault) SetCredential(ctx context.Context, url string, token labelstudio.Secret) error {
	return v.store.SetCredential(ctx, state.Credential{Host: url, Token: token.Reveal(), At: time.Now()})
}

// adopter takes in the projects that /setup tells of.
type adopter struct{ *app }

var _ webhook.Adopter = adopter{}

func (a adopter) Setup(ctx context.Context, info webhook.SetupInfo) (string, error) {
	cfg, err := labelstudio.ParseLabelConfig(info.LabelConfig)
	if err == nil {
		err = cfg.Check()
	}
	if err != nil {
		return "", fmt.Errorf("%w: %w", webhook.ErrUnusable, err)
	}
	if err := a.meet(ctx, &event.Changed{
		Project: info.Project, CreatedAt: info.CreatedAt, Source: event.FromSetup, At: time.Now(), LabelConfig: info.LabelConfig,
	}); err != nil {
		return "", err
	}
	logging.Redact(a.log.Logger, info.AccessToken.Reveal())
	a.link.Heard(connect.Setup{Project: info.Project, Hostname: info.Hostname, Token: info.AccessToken, BackendURL: info.BackendURL, Proof: info.Proof, Local: info.Local})
	if v := a.learner.Version(info.Project); v != "" {
		return v, nil
	}
	return firstVersion, nil
}

// meet puts what /setup said into the log, if it is news: Label Studio repeats
// itself with every task it serves.
func (a *app) meet(ctx context.Context, c *event.Changed) error {
	meta, err := a.store.Meta(ctx, c.Project)
	switch {
	case errors.Is(err, state.ErrUnknownProject):
		return a.pipe.Publish(ctx, c, &event.ReconcileDue{Project: c.Project, At: c.At, Reason: "first setup"})
	case err != nil:
		return err
	case meta.CreatedAt != c.CreatedAt && meta.CreatedAt != 0 && c.CreatedAt != 0 && a.hasClient():
		// The same id, but another project: Label Studio's database was replaced, or
		// another Label Studio has been given hone's address. To believe the latter
		// would forget every label, so the one hone works with is asked.
		a.log.WithField("project", c.Project).Warn("/setup tells of another project under a known id; asking Label Studio which one it is")
		return a.pipe.Publish(ctx, &event.ReconcileDue{Project: c.Project, At: c.At, Full: true, Reason: "setup of another project"})
	case meta.LabelConfig == c.LabelConfig && (meta.CreatedAt == c.CreatedAt || c.CreatedAt == 0) && !meta.Gone:
		return nil
	}
	return a.pipe.Publish(ctx, c, &event.ReconcileDue{Project: c.Project, At: c.At, Reason: "setup changed"})
}

func (a *app) hasClient() bool {
	_, none := a.link.Client()
	return none == nil
}

// known are the projects hone has heard of and Label Studio still has.
func (a *app) known(ctx context.Context) ([]event.ProjectID, error) {
	metas, err := a.store.Projects(ctx)
	if err != nil {
		return nil, err
	}
	var ids []event.ProjectID
	for _, m := range metas {
		if !m.Gone {
			ids = append(ids, m.Project)
		}
	}
	return ids, nil
}

// onClient is called when /setup has taught a Label Studio that works.
func (a *app) onClient(c *labelstudio.Client) {
	a.sampler.SetLabelStudio(sampler.Over(c))
	a.recon.SetSource(c)
	a.tick(&event.ReconcileDue{At: time.Now(), Reason: "found Label Studio"})
}

// connector lets the API register hone and look for faults.
type connector struct{ *app }

var _ api.Connector = connector{}

func (c connector) Connect(ctx context.Context, id event.ProjectID, url string) (api.Report, error) {
	rep, err := c.link.Connect(ctx, id, url)
	if err != nil {
		return rep, err
	}
	c.sampler.Refresh(id)
	if err := c.pipe.Publish(ctx, &event.ReconcileDue{Project: id, At: time.Now(), Reason: "connect"}); err != nil {
		return rep, err
	}
	c.meeting(ctx, id)
	return rep, nil
}

// meetingTime bounds the wait for a newly connected project to be known.
const meetingTime = 5 * time.Second

// meeting waits until what /setup said of a project has gone through the log, so
// that the command after `hone connect` finds it.
func (a *app) meeting(ctx context.Context, id event.ProjectID) {
	ctx, cancel := context.WithTimeout(ctx, meetingTime)
	defer cancel()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !slices.Contains(a.learner.Projects(), id) {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// publisher says of a full disk that it is not the caller's fault, nor a bug.
type publisher struct{ *pipeline.Pipeline }

var _ api.Publisher = publisher{}

func (p publisher) Publish(ctx context.Context, events ...event.Event) error {
	err := p.Pipeline.Publish(ctx, events...)
	if errors.Is(err, boltlog.ErrStorage) {
		return withStatus{err, http.StatusServiceUnavailable}
	}
	return err
}

// withStatus is an error with the status that hone's API answers.
type withStatus struct {
	error
	status int
}

func (e withStatus) HTTPStatus() int { return e.status }
func (e withStatus) Unwrap() error   { return e.error }

func (c connector) Doctor(ctx context.Context, id event.ProjectID) (api.Report, error) {
	return c.link.Doctor(ctx, id)
}

// letters shows the pipeline's dead letters.
type letters struct{ *pipeline.Pipeline }

var _ api.DeadLetters = letters{}

func (l letters) List(ctx context.Context, limit int) ([]api.DeadLetter, error) {
	ls, err := l.DeadLetters(ctx, limit)
	out := make([]api.DeadLetter, len(ls))
	for i, d := range ls {
		out[i] = api.DeadLetter{ID: d.Offset, Topic: string(d.Topic), At: d.At, Reason: d.Reason, Event: string(d.Payload)}
	}
	return out, err
}

func (l letters) Replay(ctx context.Context, ids ...uint64) (int, error) {
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

func (l letters) Drop(ctx context.Context, ids ...uint64) (int, error) {
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
func (l letters) all(ctx context.Context) ([]pipeline.DeadLetter, error) {
	n, err := l.CountDeadLetters(ctx)
	if err != nil || n == 0 {
		return nil, err
	}
	return l.DeadLetters(ctx, n)
}

// counters is what the doctor wants to know of the running hone.
func (a *app) counters(p event.ProjectID) connect.Counters {
	hook := a.hook.Stats()
	n := connect.Counters{Duplicates: hook.Duplicates, Unsigned: hook.Unsigned}
	var err error
	if n.DeadLetters, err = a.pipe.CountDeadLetters(context.Background()); err != nil {
		a.log.WithError(err).Warn("the dead letters could not be counted")
	}
	if m, err := a.store.Meta(context.Background(), p); err == nil {
		n.Missed = m.Missed
	}
	if k, err := a.store.Count(context.Background(), p); err == nil {
		n.Pool = k.Tasks - k.Labelled
	}
	return n
}
