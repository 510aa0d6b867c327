package app

import (
	"fmt"
	"net/http"
	"net/url"

	"github.com/hone-ml/hone/api"
	"github.com/hone-ml/hone/event"
	"github.com/hone-ml/hone/internal/secret"
	"github.com/hone-ml/hone/notify"
)

// wireNotify makes the notifier, if somebody is to be told of problems.
func (a *App) wireNotify() error {
	if a.cfg.Notify.URL == "" {
		return nil
	}
	client, err := ClientOptions(a.cfg, nil)
	if err != nil {
		return err
	}
	t := a.seams.Transport
	if t == nil {
		t = &http.Transport{Proxy: http.ProxyFromEnvironment, DisableKeepAlives: true, TLSClientConfig: client.TLS}
	}
	a.Notifier, err = notify.New(notify.Options{URL: a.cfg.Notify.URL, Client: notify.NewClient(t), Logger: a.part("notify")})
	return err
}

// onProblem is called when a project's loop with Label Studio is broken, or no longer is.
func (a *App) onProblem(p event.ProjectID, broken api.Step, gone bool) {
	if a.Notifier == nil {
		return
	}
	state := notify.Appeared
	if gone {
		state = notify.Gone
	}
	a.Notifier.Enqueue(notify.Alert{Project: p, Problem: fmt.Sprintf("%s: %s", broken.Name, broken.What), Fix: broken.Fix, State: state})
}

// pathOf returns the path of an address, which of a chat's incoming webhook is a secret; ""
// when there is none.
func pathOf(address secret.Secret) secret.Secret {
	u, err := url.Parse(address.Reveal())
	if err != nil || len(u.Path) < 8 {
		return ""
	}
	return secret.Secret(u.EscapedPath())
}
