package app

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"time"

	"github.com/sirupsen/logrus"

	"github.com/hone-ml/hone/access"
	"github.com/hone-ml/hone/api"
	"github.com/hone-ml/hone/config"
	"github.com/hone-ml/hone/connect"
	"github.com/hone-ml/hone/internal/logging"
	"github.com/hone-ml/hone/internal/secret"
)

const wideOpen = "hone is open: whoever reaches its port may read and change everything (insecure is on); start it without --insecure"

// KeyOptions returns the credentials that the configuration names.
func KeyOptions(cfg config.Config) access.Options {
	return access.Options{
		Dir: cfg.DataDir, Secret: cfg.Secret.Reveal(),
		Basic:      access.Pair{User: cfg.BasicAuth.User, Password: cfg.BasicAuth.Password.Reveal()},
		HookHeader: cfg.Webhook.Header, HookSecret: cfg.Webhook.Secret.Reveal(),
		AdminToken: cfg.AdminToken.Reveal(), ViewToken: cfg.ViewToken.Reveal(),
	}
}

// SecretsOf returns what must never appear in a log.
func SecretsOf(cfg config.Config) []string {
	var out []string
	for _, s := range []secret.Secret{
		cfg.Secret, cfg.AdminToken, cfg.ViewToken, cfg.LabelStudio.APIKey, cfg.BasicAuth.Password, cfg.Webhook.Secret, cfg.Learner.OpenAIKey, cfg.Notify.URL, pathOf(cfg.Notify.URL),
	} {
		if s != "" {
			out = append(out, s.Reveal())
		}
	}
	return out
}

// wireKeys reads or creates hone's credentials and opens its addresses, on which it depends whether
// callers need a credential.
func (a *App) wireKeys() (err error) {
	if a.Keys, err = access.Open(KeyOptions(a.cfg)); err != nil {
		return err
	}
	logging.Redact(a.log.Logger, a.Keys.All()...)
	if err := a.listen("--listen", a.cfg.Listen); err != nil {
		return err
	}
	if a.cfg.AdminListen != "" {
		return a.listen("admin_listen", a.cfg.AdminListen)
	}
	return nil
}

// tellAccess logs who may call hone, without credentials.
func (a *App) tellAccess() {
	switch {
	case a.cfg.Insecure:
		a.log.Warn(wideOpen)
	case a.gate(a.ports[0]).Open():
		a.log.Infof("only this machine reaches %s, so no secret is asked for", a.ports[0].Addr())
	default:
		a.log.Info("Label Studio's calls need the secret: `hone secret` prints the address to paste under Settings > Model, and `hone connect` registers it by itself")
	}
}

// PageAddress returns where hone's page is on this machine: a link that signs somebody in once,
// or, where nobody needs to, the page itself.
func (a *App) PageAddress() string {
	base, err := api.BaseFromListen(a.ports[len(a.ports)-1].Addr().String(), a.cfg.TLS.On())
	if err != nil {
		return ""
	}
	if a.gate(a.ports[len(a.ports)-1]).OpenToPeople() {
		return base + "/"
	}
	return base + "/" + secrets{a.Keys, a.Connection, a.log}.NewSignInLink().Path
}

// refused is what the receiver counts.
func (a *App) refused() connect.Refused {
	if a.Webhook == nil { // not wired yet
		return connect.Refused{}
	}
	s := a.Webhook.Stats()
	return connect.Refused{Webhooks: s.Unsigned, Calls: s.RefusedCalls}
}

// upgradeTime bounds how long Label Studio may call without the secret while upgrade puts it into
// the registrations.
const upgradeTime = 30 * time.Second

// upgrade has every registration checked. At the first start of a hone that requires a secret, calls
// are refused only after that was tried.
func (a *App) upgrade(ctx context.Context) error {
	a.Connection.Check(true)
	if !a.upgrading.Load() {
		return nil
	}
	defer a.upgrading.Store(false)
	ctx, cancel := context.WithTimeout(ctx, upgradeTime)
	defer cancel()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	untried := func(r connect.Registration) bool { return !r.Carries && r.Problem == "" }
	for slices.ContainsFunc(a.Connection.Registrations(), untried) {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
	return nil
}

// secrets implements the API's port for replacing the secret.
type secrets struct {
	keys       *access.Keys
	connection *connect.Link
	log        *logrus.Entry
}

var _ api.Secrets = secrets{}

func (s secrets) Rotate() error {
	if err := s.keys.Rotate(); err != nil {
		if errors.Is(err, access.ErrConfigured) {
			return withStatus{err, http.StatusConflict}
		}
		return err
	}
	logging.Redact(s.log.Logger, s.keys.All()...)
	s.log.Info("the secret was replaced; the old one counts until every registration carries the new one")
	s.connection.Renew()
	return nil
}

func (s secrets) NewSignInLink() api.SignInLink {
	code, ends := s.keys.Sessions().NewLink()
	return api.SignInLink{Path: "ui/sign-in?link=" + code, Ends: ends}
}

func (s secrets) Rotation() api.Rotation {
	out := api.Rotation{Rotating: s.keys.Rotating(), Projects: []api.Registration{}}
	for _, r := range s.connection.Registrations() {
		out.Projects = append(out.Projects, api.Registration{Project: r.Project, Carries: r.Carries, Problem: r.Problem})
	}
	return out
}
