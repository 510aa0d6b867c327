package connect

import (
	"context"

	"github.com/hone-ml/hone/access"
	"github.com/hone-ml/hone/event"
	"github.com/hone-ml/hone/labelstudio"
)

// awaitsHook reports whether Label Studio was to make a webhook to hone, and none was seen yet.
// One that was seen and is missing was deleted by somebody. Label Studio makes none to a host
// that it refuses, and a project that hone polls needs none.
func (r *registration) awaitsHook() bool {
	_, polled := r.link.polling(r.project)
	return !polled && r.link.Remembered(r.project).HookAwaited && labelstudio.CheckHookHost(r.url) == nil
}

// makeHook makes the webhook that Label Studio was to make when its model was added: under
// load it fails to, and says so to nobody. The address is the one at which it makes its own,
// since it may yet do so, or repeat the whole request: it makes none where there is one with
// exactly that address.
func (r *registration) makeHook(ctx context.Context) error {
	at := r.cleanHookURL()
	if user, password, ok := labelstudio.UserInfo(r.url); ok && r.link.o.Keys.Current(access.Pair{User: user, Password: password.Reveal()}) {
		at = r.hookURL()
	}
	h := r.newHook(at)
	if _, err := r.client.CreateWebhook(ctx, h); err != nil {
		return r.explainRefusedHook(h, err)
	}
	r.rememberHook(ctx)
	r.made = true
	r.changes = append(r.changes, "there was no webhook")
	r.addStep("ok", "webhook", "", "created, to %s: Label Studio had made none", redactURL(h.URL))
	r.link.o.Logger.WithField("project", r.project).Info("Label Studio had made no webhook for hone's model; hone has made it, and what was lost is being read")
	return nil
}

// newHook returns a webhook to hone at an address, with the secret.
func (r *registration) newHook(at string) labelstudio.Webhook {
	return labelstudio.Webhook{Project: r.project, URL: at, SendPayload: true, AllActions: true, Active: true, Headers: r.headers(nil)}
}

// rememberHook remembers that there is a webhook to hone: when it is missing later, somebody
// has deleted it.
func (r *registration) rememberHook(ctx context.Context) {
	r.link.remember(ctx, r.project, func(m *event.Registration) { m.HookAwaited = false })
}
