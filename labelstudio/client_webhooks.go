package labelstudio

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"

	"github.com/hone-ml/hone/event"
	"github.com/hone-ml/hone/internal/secret"
)

// Webhook is a webhook registered with a project. Header values and the URL's
// user info may be secrets: they are left out when it is printed, not when it is
// encoded as JSON (the URL's).
type Webhook struct {
	ID      int64           `json:"id"`
	Project event.ProjectID `json:"project"`
	URL     string          `json:"url"`
	// SendPayload false sends only the action's name.
	SendPayload bool `json:"send_payload"`
	// AllActions sends everything, whatever Actions says.
	AllActions bool     `json:"send_for_all_actions"`
	Actions    []string `json:"actions"`
	// Headers are sent with every delivery; at most ten.
	Headers map[string]secret.Secret `json:"headers"`
	Active  bool                     `json:"is_active"`
	// Failures counts the deliveries that failed since the last one that was answered 2xx.
	// Label Studio after 1.23.2 counts them, sets Active to false, without a word, when
	// there are MaxWebhookFailures, and counts from 0 again once the webhook is switched
	// on or its URL or Headers change. Others do not send it: 0. It is never written.
	Failures int `json:"consecutive_failures"`
}

// MaxWebhookFailures is the number of failures in a row at which Label Studio switches a
// webhook off, unless its WEBHOOK_MAX_CONSECUTIVE_FAILURES says otherwise.
const MaxWebhookFailures = 50

// Format keeps the URL's user info out of every kind of printing.
func (w Webhook) Format(f fmt.State, verb rune) {
	type webhook Webhook // without this method
	w.URL = WithoutUserInfo(w.URL)
	printStruct(f, verb, webhook(w))
}

// private returns the secrets that Label Studio's errors may quote.
func (w Webhook) private() []secret.Secret {
	secrets := addressSecrets(w.URL)
	for _, v := range w.Headers {
		secrets = append(secrets, v)
	}
	return secrets
}

// wire writes every field: in a PATCH Label Studio clears the actions that are
// not sent again.
func (w Webhook) wire() map[string]any {
	headers := make(map[string]string, len(w.Headers))
	for k, v := range w.Headers {
		headers[k] = v.Reveal()
	}
	actions := w.Actions
	if actions == nil {
		actions = []string{}
	}
	return map[string]any{
		"project": w.Project, "url": w.URL, "send_payload": w.SendPayload, "send_for_all_actions": w.AllActions,
		"actions": actions, "headers": headers, "is_active": w.Active,
	}
}

// Webhooks lists a project's webhooks.
func (c *Client) Webhooks(ctx context.Context, project event.ProjectID) ([]Webhook, error) {
	var all []Webhook
	err := c.do(ctx, apiCall{
		op: fmt.Sprintf("list webhooks of project %d", project), method: http.MethodGet, path: "/api/webhooks/",
		query: url.Values{"project": {strconv.FormatInt(int64(project), 10)}}, into: decodeInto(&all),
	})
	return all, err
}

// AllWebhooks lists the webhooks of the token's whole organisation; Project is 0
// in those that belong to none.
func (c *Client) AllWebhooks(ctx context.Context) ([]Webhook, error) {
	var all []Webhook
	err := c.do(ctx, apiCall{op: "list webhooks of all projects", method: http.MethodGet, path: "/api/webhooks/", into: decodeInto(&all)})
	return all, err
}

// CreateWebhook registers a webhook; its ID is ignored. Webhooks without a
// project cannot be made through the API, nor such with a host that
// CheckHookHost refuses.
func (c *Client) CreateWebhook(ctx context.Context, w Webhook) (Webhook, error) {
	if w.Project == 0 {
		return Webhook{}, errors.New("create webhook: Label Studio makes no webhook without a project")
	}
	var answer Webhook
	err := c.do(ctx, apiCall{op: fmt.Sprintf("create webhook in project %d", w.Project), method: http.MethodPost, path: "/api/webhooks/", body: w.wire(), private: w.private(), into: decodeInto(&answer)})
	return answer, err
}

// UpdateWebhook sets every field of the webhook w.ID but its project, so start
// from one that was read.
func (c *Client) UpdateWebhook(ctx context.Context, w Webhook) (Webhook, error) {
	body := w.wire()
	delete(body, "project")
	var answer Webhook
	err := c.do(ctx, apiCall{op: fmt.Sprintf("change webhook %d", w.ID), method: http.MethodPatch, path: webhookPath(w.ID), body: body, private: w.private(), into: decodeInto(&answer)})
	return answer, err
}

// ProbeWebhook saves the address of a webhook as it is, for Label Studio to check it: it does
// so whenever an address is saved, and leaves out deliveries to one that it blocks without a
// word. The error is IsForbidden then. The actions are saved too, since Label Studio clears
// those that are not sent; the rest stays as it is, whatever w says.
func (c *Client) ProbeWebhook(ctx context.Context, w Webhook) error {
	body := map[string]any{"url": w.URL, "actions": w.wire()["actions"]}
	return c.do(ctx, apiCall{op: fmt.Sprintf("check the address of webhook %d", w.ID), method: http.MethodPatch, path: webhookPath(w.ID), body: body, private: w.private(), into: decodeInto(new(Webhook))})
}

// DeleteWebhook removes a webhook; one that is gone already is no error.
func (c *Client) DeleteWebhook(ctx context.Context, id int64) error {
	return ignoreNotFound(c.do(ctx, apiCall{op: fmt.Sprintf("delete webhook %d", id), method: http.MethodDelete, path: webhookPath(id)}))
}

func webhookPath(id int64) string {
	return "/api/webhooks/" + strconv.FormatInt(id, 10) + "/"
}
