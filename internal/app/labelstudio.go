package app

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"time"

	"github.com/sirupsen/logrus"

	"github.com/hone-ml/hone/config"
	"github.com/hone-ml/hone/connect"
	"github.com/hone-ml/hone/event"
	"github.com/hone-ml/hone/internal/logging"
	"github.com/hone-ml/hone/internal/netguard"
	"github.com/hone-ml/hone/internal/secret"
	"github.com/hone-ml/hone/labelstudio"
	"github.com/hone-ml/hone/reconcile"
	"github.com/hone-ml/hone/state"
)

// ClientOptions returns the options of a Label Studio client for this configuration. The error says
// what is wrong with tls.ca.
func ClientOptions(cfg config.Config, log *logrus.Entry) (labelstudio.Options, error) {
	retries := cfg.LabelStudio.Retries
	if retries == 0 {
		retries = -1 // the client's 0 is its default
	}
	o := labelstudio.Options{
		URL: cfg.LabelStudio.URL, Token: cfg.LabelStudio.APIKey, Logger: log,
		MaxInFlight: cfg.LabelStudio.MaxInFlight, Timeout: cfg.LabelStudio.Timeout, SlowTimeout: cfg.LabelStudio.SlowTimeout, Retries: retries,
	}
	if cfg.TLS.CA != "" {
		pool, err := netguard.LoadCA(cfg.TLS.CA)
		if err != nil {
			return o, fmt.Errorf("tls.ca: %w", err)
		}
		o.TLS = &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}
	}
	return o, nil
}

// credentialStore stores the address and the token that `hone login` or /setup stated.
type credentialStore struct {
	store *state.Store
	log   *logrus.Logger
}

var _ connect.Vault = credentialStore{}

func (v credentialStore) Credential(ctx context.Context) (connect.Credential, error) {
	c, err := v.store.Credential(ctx)
	logging.Redact(v.log, c.Token)
	return connect.Credential{URL: c.Host, Token: secret.Secret(c.Token), Chosen: c.Chosen, FromPage: c.FromPage}, err
}

func (v credentialStore) SetCredential(ctx context.Context, c connect.Credential) error {
	return v.store.SetCredential(ctx, state.Credential{Host: c.URL, Token: c.Token.Reveal(), At: time.Now(), Chosen: c.Chosen, FromPage: c.FromPage})
}

// SaveLogin stores an administrator's credential where no hone runs; the next one to start uses
// it. The error is state.ErrInUse where one runs.
func SaveLogin(ctx context.Context, cfg config.Config, url string, token secret.Secret) error {
	s, err := state.Open(cfg.DataDir, state.Options{})
	if err != nil {
		return err
	}
	err = credentialStore{store: s}.SetCredential(ctx, connect.Credential{URL: url, Token: token, Chosen: true})
	return errors.Join(err, s.Close())
}

// createdAt returns when Label Studio made a project, in unix seconds, 0 if that is not known.
func (a *App) createdAt(ctx context.Context, id event.ProjectID) (int64, error) {
	m, err := a.Store.Meta(ctx, id)
	return m.CreatedAt, err
}

// onClient is called when `hone login` or /setup has stated a Label Studio that answers.
func (a *App) onClient(c *labelstudio.Client) {
	a.Sampler.SetLabelStudio(c)
	a.Reconciler.SetSource(c)
	a.publishDue(&event.ReconcileDue{At: time.Now(), Reason: "found Label Studio"})
}

// onChange is called when the connection to a project has changed.
func (a *App) onChange(p event.ProjectID, why string) {
	a.Sampler.Refresh(p)
	a.publishDue(&event.ReconcileDue{Project: p, At: time.Now(), Full: true, Reason: why})
}

// onReconciled is called after each comparison of a project.
func (a *App) onReconciled(p event.ProjectID, st reconcile.Status) {
	a.Connection.Compared(p, connect.Comparison{
		Sampling: st.Sampling, Full: st.Error == "" && !st.LastFull.IsZero() && st.LastFull.Equal(st.LastRun), Failed: st.Error != "",
	})
}

// isDisconnected reports whether somebody has disconnected a project.
func (a *App) isDisconnected(p event.ProjectID) bool {
	return a.Connection.Remembered(p).LeftAlone == event.Disconnected
}

// loopProblems are what keeps a project's loop with Label Studio from working, as sentences
// with their fix.
func (a *App) loopProblems(p event.ProjectID) (out []string) {
	for _, s := range a.Connection.Problems(p) {
		if s.Name == "project" {
			continue // reconcile makes sure of it, and then says so
		}
		out = append(out, fmt.Sprintf("%s: %s (fix: %s)", s.Name, s.What, s.Fix))
	}
	return out
}

// counters is what the doctor wants to know of the running hone.
func (a *App) counters(p event.ProjectID) connect.Counters {
	hook := a.Webhook.Stats()
	n := connect.Counters{Duplicates: hook.Duplicates, Unsigned: hook.Unsigned}
	var err error
	if n.DeadLetters, err = a.Pipeline.CountDeadLetters(context.Background()); err != nil {
		a.log.WithError(err).Warn("the dead letters could not be counted")
	}
	if m, err := a.Store.Meta(context.Background(), p); err == nil {
		n.Missed = m.Missed
	}
	if k, err := a.Store.Count(context.Background(), p); err == nil {
		n.Pool = k.Tasks - k.Labelled
	}
	return n
}
