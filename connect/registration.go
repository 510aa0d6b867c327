package connect

import (
	"context"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"github.com/hone-ml/hone/access"
	"github.com/hone-ml/hone/api"
	"github.com/hone-ml/hone/event"
	"github.com/hone-ml/hone/internal/secret"
	"github.com/hone-ml/hone/labelstudio"
)

// requiredActions are the actions hone needs, for a webhook that does not send all.
var requiredActions = []string{
	"ANNOTATION_CREATED", "ANNOTATIONS_CREATED", "ANNOTATION_UPDATED", "ANNOTATIONS_DELETED",
	"TASKS_CREATED", "TASKS_DELETED", "PROJECT_UPDATED",
}

// registration is one project's connection as Label Studio holds it.
type registration struct {
	link    *Link
	client  *labelstudio.Client
	project event.ProjectID

	current  labelstudio.Project
	backends []labelstudio.Backend
	hooks    []labelstudio.Webhook
	// url is hone's address as Label Studio knows it; "" when it is not registered.
	url    string
	report api.Report
	// refused is how many calls had been refused for lack of the secret when the check
	// began.
	refused uint64
	// aliases are addresses of other webhooks that lead to hone too.
	aliases []string
	// healed is true when a webhook that Label Studio had switched off is on again.
	healed bool
	// made is true when hone has made a webhook that Label Studio may yet make too.
	made bool
	// changes say why the project is to be compared, and looked at anew.
	changes []string
}

func (r *registration) addStep(level, name, fix, format string, args ...any) {
	r.report.Steps = append(r.report.Steps, api.Step{Level: level, Name: name, What: fmt.Sprintf(format, args...), Fix: fix})
}

// readAll reads project, backends and webhooks, and finds hone among the backends. Listing
// backends makes Label Studio call the /setup of each, which tells hone its own address.
func (r *registration) readAll(ctx context.Context) error {
	var err error
	if r.current, err = r.client.Project(ctx, r.project); err != nil {
		return err
	}
	if r.backends, err = r.client.Backends(ctx, r.project); err != nil {
		return err
	}
	if r.hooks, err = r.client.Webhooks(ctx, r.project); err != nil {
		return err
	}
	if r.url == "" {
		r.url = r.findOwnURL(ctx)
	}
	if r.url == "" {
		r.url = r.rememberedURL()
	}
	return nil
}

// rememberedURL returns the address of the backend that was hone's when hone last saw it, ""
// when Label Studio does not list it any more.
func (r *registration) rememberedURL() string {
	at := r.link.Remembered(r.project).URL
	for _, b := range r.backends {
		if at != "" && labelstudio.SameHook(b.URL, at) {
			return b.URL
		}
	}
	return ""
}

// findOwnURL returns the address of the backend that is hone: the one at the host under which
// Label Studio called /setup. Where a proxy serves several backends at one host, the version
// tells them apart; the result is "" when it does not. Where Label Studio did not call,
// because hone refuses it for lack of the secret, a likely backend must pass the challenge.
func (r *registration) findOwnURL(ctx context.Context) string {
	if at := r.calledURL(); at != "" {
		return at
	}
	for _, b := range r.backends {
		user, _, _ := labelstudio.UserInfo(b.URL)
		ours := r.link.o.Keys.Backend().User
		looks := strings.HasPrefix(b.ModelVersion, "hone-") || b.Title == modelTitle ||
			user == access.User || user == ours || b.BasicAuthUser == access.User || b.BasicAuthUser == ours
		if looks && r.link.challenge(ctx, b.URL, false) == nil {
			return b.URL
		}
	}
	return ""
}

func (r *registration) calledURL() string {
	r.link.mu.Lock()
	host := r.link.hosts[r.project]
	r.link.mu.Unlock()
	if host == "" {
		return ""
	}
	var at, ours []string
	for _, b := range r.backends {
		if hostOf(b.URL) != host {
			continue
		}
		at = append(at, b.URL)
		if strings.HasPrefix(b.ModelVersion, "hone-") {
			ours = append(ours, b.URL)
		}
	}
	switch {
	case len(at) == 1:
		return at[0]
	case len(ours) > 0:
		return ours[0]
	}
	return ""
}

func (r *registration) backend() (labelstudio.Backend, int) {
	if r.url == "" {
		return labelstudio.Backend{}, -1
	}
	for i, b := range r.backends {
		if labelstudio.SameHook(b.URL, r.url) {
			return b, i
		}
	}
	return labelstudio.Backend{}, -1
}

// backendsOfHone returns all backends at hone's address: Label Studio makes two of one
// request when its database was busy.
func (r *registration) backendsOfHone() (all []labelstudio.Backend) {
	for _, b := range r.backends {
		if r.url != "" && labelstudio.SameHook(b.URL, r.url) {
			all = append(all, b)
		}
	}
	return all
}

// lacksSecret reports whether Label Studio calls hone's backend without the current secret.
// Label Studio does not reveal the password that it stores, so the call that it has just made
// decides.
func (r *registration) lacksSecret(b labelstudio.Backend) bool {
	keys := r.link.o.Keys
	if user, password, ok := labelstudio.UserInfo(b.URL); ok && b.BasicAuthUser == "" {
		return !keys.Current(access.Pair{User: user, Password: password.Reveal()})
	}
	if b.BasicAuthUser == "" {
		return true
	}
	proven, called := r.link.setupProven(r.project)
	refused := r.link.o.Refused().Calls > r.refused
	return !proven && (called || refused) || refused && b.State != "CO"
}

// ownWebhooks returns the webhooks to hone, recognised by host, port and path. Those that
// carry the secret come first.
func (r *registration) ownWebhooks() []labelstudio.Webhook {
	var carrying, other []labelstudio.Webhook
	for _, h := range r.hooks {
		alias := slices.ContainsFunc(r.aliases, func(at string) bool { return labelstudio.SameHook(h.URL, hookAt(at)) })
		switch {
		case !alias && (r.url == "" || !labelstudio.SameHook(h.URL, r.hookURL())):
		case r.link.carries(h):
			carrying = append(carrying, h)
		default:
			other = append(other, h)
		}
	}
	return append(carrying, other...)
}

// findAliases looks for webhooks that lead to hone under another address than the
// one it is registered with.
func (r *registration) findAliases(ctx context.Context) {
	for _, h := range r.hooks {
		at := strings.TrimSuffix(strings.TrimRight(h.URL, "/"), "/webhook")
		if at == h.URL || (r.url != "" && labelstudio.SameHook(h.URL, r.hookURL())) || r.link.carries(h) {
			continue
		}
		if r.link.challenge(ctx, at, false) == nil {
			r.aliases = append(r.aliases, at)
		}
	}
}

// hookURL is the address Label Studio itself would make for the backend's hook.
func (r *registration) hookURL() string { return hookAt(r.url) }

func hookAt(address string) string { return strings.TrimRight(address, "/") + "/webhook" }

// cleanHookURL is hookURL without user and password: a header carries the secret.
func (r *registration) cleanHookURL() string { return labelstudio.WithoutUserInfo(r.hookURL()) }

// repairHooks leaves exactly one webhook: active, with the secret, and with all actions that
// hone needs. It returns the id of the webhook it made, 0 when there was one.
func (r *registration) repairHooks(ctx context.Context) (made int64, err error) {
	const name = "webhook"
	ours := r.ownWebhooks()
	if len(ours) == 0 {
		h, err := r.client.CreateWebhook(ctx, r.newHook(r.cleanHookURL()))
		if err != nil {
			return 0, err
		}
		r.addStep("ok", name, "", "created, to %s", redactURL(h.URL))
		return h.ID, nil
	}
	if err := r.deleteDuplicateHooks(ctx, ours); err != nil {
		return 0, err
	}
	h := ours[0]
	faults := r.hookFaults(h)
	if !r.link.carries(h) {
		faults = append(faults, unsignedFault)
	}
	if !labelstudio.SameHook(h.URL, r.hookURL()) {
		faults = append(faults, "went to "+redactURL(h.URL))
	}
	if len(faults) == 0 {
		r.addStep("ok", name, "", "to %s", redactURL(h.URL))
		return 0, nil
	}
	h.Active, h.SendPayload = true, true
	r.addSecret(&h)
	if !h.AllActions {
		for _, a := range requiredActions {
			if !slices.Contains(h.Actions, a) {
				h.Actions = append(h.Actions, a)
			}
		}
	}
	if _, err := r.client.UpdateWebhook(ctx, h); err != nil {
		return 0, err
	}
	r.addStep("ok", name, "", "mended: it %s", strings.Join(faults, ", "))
	return 0, nil
}

// maintainHooks adds the secret to the webhook and deletes duplicates. What somebody may have
// chosen, an inactive webhook, fewer actions or none at all, it only reports. One that Label
// Studio was to make and did not, it makes; one that Label Studio switched off, because
// deliveries failed, it switches on again.
func (r *registration) maintainHooks(ctx context.Context, full bool) error {
	const name = "webhook"
	ours := r.ownWebhooks()
	fix := r.connectFix("", "")
	if len(ours) == 0 {
		if r.awaitsHook() {
			if err := r.makeHook(ctx); !labelstudio.IsInvalid(err) {
				return err
			}
		}
		r.addStep("warn", name, fix, "Label Studio has none to %s, so hone learns only by reconcile", redactURL(r.hookURL()))
		return nil
	}
	r.rememberHook(ctx)
	if err := r.deleteDuplicateHooks(ctx, ours); err != nil {
		return err
	}
	h := ours[0]
	if err := r.healHook(ctx, &h); err != nil {
		return r.explainRefusedHook(h, err)
	}
	if !r.link.carries(h) {
		r.addSecret(&h)
		if _, err := r.client.UpdateWebhook(ctx, h); err != nil {
			return r.explainRefusedHook(h, err)
		}
		r.addStep("ok", name, "", "mended: it %s", unsignedFault)
	}
	if faults := r.hookFaults(h); len(faults) > 0 {
		r.addStep("warn", name, fix, "the one to %s %s", redactURL(h.URL), strings.Join(faults, ", "))
	}
	r.reportFailures(h)
	if full && !r.healed {
		return r.checkBlock(ctx, h)
	}
	return nil
}

func (r *registration) deleteDuplicateHooks(ctx context.Context, ours []labelstudio.Webhook) error {
	for _, h := range ours[1:] {
		if err := r.client.DeleteWebhook(ctx, h.ID); err != nil {
			return err
		}
		r.addStep("ok", "webhook", "", "removed a second one to the same address, which doubled every event")
	}
	return nil
}

// hookFaults says what a webhook to hone lacks beside its signature, as ends of
// "it …".
func (r *registration) hookFaults(h labelstudio.Webhook) []string {
	var faults []string
	if !h.Active {
		faults = append(faults, "is inactive")
	}
	if !h.SendPayload {
		faults = append(faults, "sends no payload")
	}
	if !h.AllActions {
		for _, a := range requiredActions {
			if !slices.Contains(h.Actions, a) {
				faults = append(faults, "does not send "+a)
			}
		}
	}
	return faults
}

// unsignedFault is the fault of a webhook without the secret, as the end of "it …".
const unsignedFault = "did not carry hone's secret"

// addSecret puts the secret into a webhook's header, and removes an old one from its
// address.
func (r *registration) addSecret(h *labelstudio.Webhook) {
	h.URL = r.cleanHookURL()
	h.Headers = r.headers(h.Headers)
}

func (r *registration) headers(have map[string]secret.Secret) map[string]secret.Secret {
	out := map[string]secret.Secret{}
	header, value := r.link.o.Keys.Hook()
	for k, v := range have {
		if !strings.EqualFold(k, header) {
			out[k] = v
		}
	}
	out[header] = secret.Secret(value)
	return out
}

// allowSampling is what to do where hone may not set the sampling. Label Studio's community
// edition shows it under Settings > General, with uncertainty sampling disabled: only its API
// sets that.
const allowSampling = "set sampler.manage_sampling to true and restart hone, or set the project's sampling to \"Uncertainty sampling\" by Label Studio's API, as its community edition has that switched off on its page"

// repairSampling turns on uncertainty sampling. Without force it does not change a setting
// other than Label Studio's default.
func (r *registration) repairSampling(ctx context.Context, force bool) error {
	const name = "sampling"
	switch s := r.current.Sampling; {
	case s == labelstudio.UncertaintySampling:
		r.rememberSampled(ctx)
		r.addStep("ok", name, "", "%s", s)
		return nil
	case !r.link.o.ManageSampling:
		r.addStep("warn", name, allowSampling, "%s: Label Studio ignores hone's queue", s)
		return nil
	case !force && (s != labelstudio.SequentialSampling || r.sampledBefore()):
		r.addStep("warn", name, r.connectFix("", ""), "%s: Label Studio ignores hone's queue", s)
		return nil
	}
	before, want := r.current.Sampling, labelstudio.UncertaintySampling
	r.link.remember(ctx, r.project, func(m *event.Registration) { m.Sampled, m.Sampling = false, before })
	if err := r.changeSampling(ctx, want); err != nil {
		return err
	}
	switch s := r.current.Sampling; s {
	case before:
		r.addStep("warn", name, r.connectFix("", ""), "%s: hone has changed it to %s %d times, and each time that was lost, as other changes of the project came at the same time", s, want, maxSamplingTries)
		return nil
	case want:
		r.addStep("ok", name, "", "changed from %s to %s", before, want)
	default:
		r.addStep("warn", name, r.connectFix("", ""), "%s: Label Studio ignores hone's queue", s)
	}
	r.rememberSampled(ctx)
	return nil
}

// maxSamplingTries is how often the sampling is set when other changes undo it.
const maxSamplingTries = 3

// changeSampling sets the project's sampling and reads it back. Label Studio saves the whole
// row of a project, so another change at the same time undoes this one: then it is set again.
// current is what was read last, which may be what somebody has chosen meanwhile.
func (r *registration) changeSampling(ctx context.Context, want string) error {
	before := r.current.Sampling
	for range maxSamplingTries {
		if _, err := r.client.PatchProject(ctx, r.project, labelstudio.ProjectPatch{Sampling: &want}); err != nil {
			return err
		}
		now, err := r.client.Project(ctx, r.project)
		if err != nil {
			return err
		}
		r.current = now
		r.link.setSampling(r.project, now.Sampling)
		if now.Sampling != before {
			return nil
		}
	}
	return nil
}

// rememberSampled remembers that the sampling which hone set was seen: from now on another one
// is somebody's choice.
func (r *registration) rememberSampled(ctx context.Context) {
	r.link.remember(ctx, r.project, func(m *event.Registration) { m.Sampled = m.Sampled || m.Sampling != "" })
}

// sampledBefore reports whether hone has turned uncertainty sampling on already, and seen it:
// then somebody has turned it off again, and meant it.
func (r *registration) sampledBefore() bool {
	return r.link.Remembered(r.project).Sampled
}

// redactURL returns an address without its password, as it may be printed.
func redactURL(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return address
	}
	return u.Redacted()
}

func sameURL(a, b string) bool {
	return strings.EqualFold(strings.TrimRight(a, "/"), strings.TrimRight(b, "/"))
}
