package connect

import (
	"context"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"github.com/hone-ml/hone/api"
	"github.com/hone-ml/hone/event"
	"github.com/hone-ml/hone/labelstudio"
)

// wanted are the actions hone listens to, for a hook that does not send all.
var wanted = []string{
	"ANNOTATION_CREATED", "ANNOTATIONS_CREATED", "ANNOTATION_UPDATED", "ANNOTATIONS_DELETED",
	"TASKS_CREATED", "TASKS_DELETED", "PROJECT_UPDATED",
}

// registration is one project's connection as Label Studio holds it.
type registration struct {
	link    *Link
	client  *labelstudio.Client
	project event.ProjectID

	of       labelstudio.Project
	backends []labelstudio.Backend
	hooks    []labelstudio.Webhook
	// url is hone's address as Label Studio knows it; "" when it is not registered.
	url    string
	report api.Report
}

func (r *registration) say(level, name, fix, format string, args ...any) {
	r.report.Steps = append(r.report.Steps, api.Step{Level: level, Name: name, What: fmt.Sprintf(format, args...), Fix: fix})
}

// read fetches everything and finds hone among the backends. Listing backends
// makes Label Studio call each one's /setup, so hone hears its own address.
func (r *registration) read(ctx context.Context) error {
	var err error
	if r.of, err = r.client.Project(ctx, r.project); err != nil {
		return err
	}
	if r.backends, err = r.client.Backends(ctx, r.project); err != nil {
		return err
	}
	if r.hooks, err = r.client.Webhooks(ctx, r.project); err != nil {
		return err
	}
	if r.url == "" {
		r.link.mu.Lock()
		host := r.link.hosts[r.project]
		r.link.mu.Unlock()
		for _, b := range r.backends {
			if u, err := url.Parse(b.URL); err == nil && host != "" && strings.EqualFold(u.Host, host) {
				r.url = b.URL
				break
			}
		}
	}
	return nil
}

func (r *registration) backend() (labelstudio.Backend, int) {
	for i, b := range r.backends {
		if sameURL(b.URL, r.url) {
			return b, i
		}
	}
	return labelstudio.Backend{}, -1
}

// ours are the hooks that point to hone.
func (r *registration) ours() []labelstudio.Webhook {
	var out []labelstudio.Webhook
	for _, h := range r.hooks {
		if sameURL(h.URL, r.hookURL()) {
			out = append(out, h)
		}
	}
	return out
}

// hookURL is the address Label Studio itself would make for the backend's hook.
func (r *registration) hookURL() string { return strings.TrimRight(r.url, "/") + "/webhook" }

// mendHooks leaves exactly one active, signed webhook. With create, one is made
// where there is none.
func (r *registration) mendHooks(ctx context.Context, create bool) error {
	const name = "webhook"
	ours := r.ours()
	if len(ours) == 0 {
		if !create {
			r.say("warn", name, "run `hone connect` for the project", "Label Studio has no webhook to %s, so hone learns only by reconcile", r.hookURL())
			return nil
		}
		h := labelstudio.Webhook{Project: r.project, URL: r.hookURL(), SendPayload: true, AllActions: true, Active: true, Headers: r.headers(nil)}
		if _, err := r.client.CreateWebhook(ctx, h); err != nil {
			return err
		}
		r.say("ok", name, "", "created, to %s", r.hookURL())
		return nil
	}
	for _, h := range ours[1:] {
		if err := r.client.DeleteWebhook(ctx, h.ID); err != nil {
			return err
		}
		r.say("ok", name, "", "removed a second one to the same address, which doubled every event")
	}
	h, faults := ours[0], r.hookFaults(ours[0])
	if len(faults) == 0 {
		r.say("ok", name, "", "to %s", h.URL)
		return nil
	}
	h.Headers, h.Active, h.SendPayload = r.headers(h.Headers), true, true
	if !h.AllActions {
		for _, a := range wanted {
			if !slices.Contains(h.Actions, a) {
				h.Actions = append(h.Actions, a)
			}
		}
	}
	if _, err := r.client.UpdateWebhook(ctx, h); err != nil {
		return err
	}
	r.say("ok", name, "", "mended: it %s", strings.Join(faults, ", "))
	return nil
}

// hookFaults says what a webhook to hone lacks, as ends of "it …".
func (r *registration) hookFaults(h labelstudio.Webhook) []string {
	var faults []string
	if !h.Active {
		faults = append(faults, "was inactive")
	}
	if !h.SendPayload {
		faults = append(faults, "sent no payload")
	}
	if !h.AllActions {
		for _, a := range wanted {
			if !slices.Contains(h.Actions, a) {
				faults = append(faults, "did not send "+a)
			}
		}
	}
	if s := r.link.o.Secret; s != "" && h.Headers[r.link.o.Header].Reveal() != s.Reveal() {
		faults = append(faults, "did not carry the secret header "+r.link.o.Header)
	}
	return faults
}

func (r *registration) headers(have map[string]labelstudio.Secret) map[string]labelstudio.Secret {
	out := map[string]labelstudio.Secret{}
	for k, v := range have {
		out[k] = v
	}
	if s := r.link.o.Secret; s != "" {
		out[r.link.o.Header] = s
	}
	return out
}

// mendSampling turns on uncertainty sampling. Without force it leaves a choice
// other than Label Studio's default alone.
func (r *registration) mendSampling(ctx context.Context, force bool) error {
	const name = "sampling"
	switch s := r.of.Sampling; {
	case s == labelstudio.UncertaintySampling:
		r.say("ok", name, "", "%s", s)
		return nil
	case !r.link.o.ManageSampling:
		r.say("warn", name, `choose "Uncertainty sampling" in Settings > Annotation`, "%s: Label Studio ignores hone's queue", s)
		return nil
	case s != labelstudio.SequentialSampling && !force:
		r.say("warn", name, "run `hone connect`, or choose \"Uncertainty sampling\" in Settings > Annotation", "%s: Label Studio ignores hone's queue", s)
		return nil
	}
	want := labelstudio.UncertaintySampling
	if _, err := r.client.PatchProject(ctx, r.project, labelstudio.ProjectPatch{Sampling: &want}); err != nil {
		return err
	}
	r.say("ok", name, "", "changed from %s to %s", r.of.Sampling, want)
	r.of.Sampling = want
	return nil
}

func sameURL(a, b string) bool {
	return strings.EqualFold(strings.TrimRight(a, "/"), strings.TrimRight(b, "/"))
}
