package connect

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/hone-ml/hone/api"
	"github.com/hone-ml/hone/event"
	"github.com/hone-ml/hone/labelstudio"
)

// Doctor checks the connection both ways for one project, or with 0 for every
// project hone knows. It changes nothing, but for sending a webhook's own
// settings again, which is how Label Studio reveals its block on private addresses.
func (l *Link) Doctor(ctx context.Context, p event.ProjectID) (api.Report, error) {
	rep := api.Report{Project: p}
	c, err := l.Client()
	if err != nil {
		rep.Steps = append(rep.Steps, api.Step{Level: "fail", Name: "credential", What: err.Error(), Fix: connectionHelp})
		return rep, nil //nolint:nilerr // The report carries it.
	}
	steps, ok := CheckClient(ctx, c)
	rep.Steps = append(rep.Steps, steps...)
	if used := l.client.Load(); used != nil && used.credential.FromPage {
		rep.Steps = append(rep.Steps, api.Step{Level: "warn", Name: "token", What: pageTokenWarning, Fix: "run `hone login " + used.URL() + "`"})
	}
	if !ok {
		return rep, nil
	}
	projects := []event.ProjectID{p}
	if p == 0 {
		if projects, err = l.o.Known(ctx); err != nil {
			return rep, err
		}
		if len(projects) == 0 {
			rep.Steps = append(rep.Steps, api.Step{Level: "warn", Name: "projects", What: "hone knows none yet", Fix: "run `hone connect --project ID`, or paste hone's address into Settings > Model of the project"})
		}
	}
	for _, id := range projects {
		r := &registration{link: l, client: c, project: id}
		if err := l.lock(ctx); err != nil {
			return rep, err
		}
		r.checkAll(ctx)
		l.unlock()
		for _, s := range r.report.Steps {
			s.Name = fmt.Sprintf("project %d, %s", id, s.Name)
			rep.Steps = append(rep.Steps, s)
		}
	}
	return rep, nil
}

// checkTimeout bounds the first question to Label Studio, retries included: who
// asks the doctor waits for the answer.
const checkTimeout = 15 * time.Second

// CheckClient checks the way from hone to Label Studio: address and token. It
// needs no running hone.
func CheckClient(ctx context.Context, c *labelstudio.Client) ([]api.Step, bool) {
	ctx, cancel := context.WithTimeout(ctx, checkTimeout)
	defer cancel()
	v, err := c.Version(ctx)
	if err != nil {
		return []api.Step{{Level: "fail", Name: "Label Studio", What: err.Error(), Fix: "check LABEL_STUDIO_URL (" + c.URL() + ") and that Label Studio runs"}}, false
	}
	steps := []api.Step{{Level: "ok", Name: "Label Studio", What: fmt.Sprintf("%s answers, version %s", c.URL(), v)}}
	u, err := c.WhoAmI(ctx)
	if err != nil {
		return append(steps, api.Step{Level: "fail", Name: "token", What: fmt.Sprintf("a %s, refused: %v", c.TokenKind(), err), Fix: loginHelp}), false
	}
	return append(steps, api.Step{Level: "ok", Name: "token", What: fmt.Sprintf("a %s, of %s", c.TokenKind(), u.Email)}), true
}

func (r *registration) checkAll(ctx context.Context) {
	if err := r.readAll(ctx); err != nil {
		r.addStep("fail", "project", "check the id and that the token's user may see the project", "%v", err)
		return
	}
	r.checkConfig()
	r.checkIDs(ctx)
	if st, polled := r.link.polling(r.project); polled {
		r.checkPolled(ctx, st)
		return
	}
	b, i := r.backend()
	if r.url == "" || i < 0 {
		r.addStep("fail", "ML backend", r.connectFix(" --url http://HONE:9090", " with an address Label Studio can reach; for a private one, "+labelstudio.UnblockFix),
			"hone is not registered, or Label Studio does not reach it%s", r.backendErrors())
		return
	}
	r.checkBackend(ctx, b, i)
	r.checkHooks(ctx)
	r.checkSampling(ctx)
	r.checkCounters()
}

// backendErrors joins the errors that Label Studio stores of the project's backends.
func (r *registration) backendErrors() string {
	var out []string
	for _, b := range r.backends {
		s := fmt.Sprintf("%s is in state %s", redactURL(b.URL), b.State)
		if b.Error != "" {
			s += ": " + b.Error
		}
		out = append(out, s)
	}
	if len(out) == 0 {
		return ""
	}
	return " (" + strings.Join(out, "; ") + ")"
}

func (r *registration) checkConfig() {
	names, err := r.link.o.Learned(r.current.LabelConfig)
	if err != nil {
		r.addStep("fail", "label config", "change it in Settings > Labeling Interface", "%v", err)
		return
	}
	r.reportConfig(names)
}

// reportConfig adds a step that says what is learned of the label config, and one for each
// control that is left alone, which annotators would otherwise find out by waiting.
func (r *registration) reportConfig(learned []string) {
	r.addStep("ok", "label config", "", "learns %s", strings.Join(learned, ", "))
	if r.link.o.LeftAlone == nil {
		return
	}
	for _, u := range r.link.o.LeftAlone(r.current.LabelConfig) {
		r.addStep("warn", "left alone", "", "<%s name=%q> %s", u.Type, u.Control, u.Reason)
	}
}

// connectFix is the advice to run connect for the project, with further arguments, and what
// follows. Where connect would refuse the label config, that comes first.
func (r *registration) connectFix(args, then string) string {
	fix := fmt.Sprintf("run `hone connect --project %d%s`%s", r.project, args, then)
	if _, err := r.link.o.Learned(r.current.LabelConfig); err != nil {
		return "first change the label config, of which hone can learn nothing; then " + fix
	}
	return fix
}

func (r *registration) checkBackend(ctx context.Context, b labelstudio.Backend, i int) {
	const name = "ML backend"
	if now, err := r.client.ValidateBackend(ctx, b.ID); err != nil {
		r.addStep("fail", name, "look into Label Studio's log", "Label Studio cannot check it: %v", err)
	} else {
		r.reportState(now)
	}
	if i > 0 {
		r.addStep("warn", name, "remove the other backend in Settings > Model", "%s comes before hone, and Label Studio asks only the first", redactURL(r.backends[0].URL))
	}
}

func (r *registration) checkHooks(ctx context.Context) {
	const name = "webhook"
	ours := r.ownWebhooks()
	switch len(ours) {
	case 0:
		r.addStep("fail", name, r.connectFix("", ""), "Label Studio has none to %s: hone learns only by reconcile%s", redactURL(r.hookURL()), r.whyNoHook())
		return
	case 1:
	default:
		r.addStep("warn", name, r.connectFix("", ", which removes the extra ones"), "%d of them go to %s: every event comes several times, and each costs the annotator time", len(ours), redactURL(r.hookURL()))
	}
	faults := r.hookFaults(ours[0])
	if !r.link.carries(ours[0]) {
		faults = append(faults, unsignedFault)
	}
	if len(faults) > 0 {
		r.addStep("fail", name, r.connectFix("", ""), "it %s", strings.Join(faults, ", "))
		return
	}
	// Label Studio checks the address again whenever a hook is saved, and skips a
	// stored hook silently at delivery: saving it unchanged tells.
	if err := r.client.ProbeWebhook(ctx, ours[0]); labelstudio.IsForbidden(err) {
		r.addStep("fail", name, labelstudio.UnblockFix, "Label Studio blocks it without a word: %v", err)
		return
	} else if err != nil {
		r.addStep("fail", name, "look into Label Studio's log", "%v", err)
		return
	}
	r.addStep("ok", name, "", "active, to %s", redactURL(ours[0].URL))
}

// whyNoHook explains why Label Studio made no webhook for the backend; Label Studio itself
// reports nothing.
func (r *registration) whyNoHook() string {
	if err := labelstudio.CheckHookHost(r.url); err != nil {
		return ". " + err.Error()
	}
	return ". If SSRF_PROTECTION_ENABLED is on, Label Studio leaves it out without a word"
}

func (r *registration) checkSampling(ctx context.Context) {
	if err := r.checkVersion(ctx); err != nil {
		r.addStep("fail", "model version", "look into Label Studio's log", "%v", err)
	}
	if r.current.Sampling != labelstudio.UncertaintySampling {
		fix := allowSampling
		if r.link.o.ManageSampling {
			fix = r.connectFix("", "")
		}
		r.addStep("fail", "sampling", fix, "it is %q: Label Studio ignores hone's queue", r.current.Sampling)
	} else {
		r.addStep("ok", "sampling", "", "%s", r.current.Sampling)
	}
	if r.current.MaximumAnnotations > 1 {
		r.addStep("warn", "overlap", "for the best order set maximum_annotations of the project to 1 by Label Studio's API: its community edition has no page for it", "each task wants %d annotations: Label Studio first serves tasks that have some already, in random order", r.current.MaximumAnnotations)
	}
}

func (r *registration) checkVersion(ctx context.Context) error {
	const name = "model version"
	live := r.link.o.Live(r.project)
	counts, err := r.client.ModelVersions(ctx, r.project)
	if err != nil {
		return err
	}
	byHand := fmt.Sprintf("hone sets it when the front of its queue is written: ask again in a few seconds; with sampler.manage_model_version off choose %s in Settings > Annotation", live)
	titles := make([]string, 0, len(r.backends))
	for _, b := range r.backends {
		titles = append(titles, b.Title)
	}
	switch mv := r.current.ModelVersion; {
	case live == "":
		r.addStep("warn", name, "wait for hone to load the project", "hone has no model of the project yet")
	case mv == live && counts[live] > 0:
		r.addStep("ok", name, "", "%s, with %d predictions", live, counts[live])
	case counts[live] == 0 && r.link.pool(r.project) == 0:
		r.addStep("ok", name, "", "%s; no task is left to be asked about", live)
	case counts[live] == 0:
		r.addStep("fail", name, "wait for hone to push its queue; `hone status` says what keeps it", "Label Studio holds no prediction of the live version %s", live)
	case slices.Contains(titles, mv):
		r.addStep("fail", name, byHand, "the project's is the backend's title %q, so Label Studio's uncertainty sampling is random", mv)
	default:
		r.addStep("fail", name, byHand, "the project's is %q, hone's live one is %s: Label Studio samples by the former", mv, live)
	}
	return nil
}

// pool returns how many tasks nobody has labelled, -1 when unknown.
func (l *Link) pool(p event.ProjectID) int {
	if l.o.Counters == nil {
		return -1
	}
	return l.o.Counters(p).Pool
}

func (r *registration) checkCounters() {
	if r.link.o.Counters == nil {
		return
	}
	n := r.link.o.Counters(r.project)
	if before := r.link.expected(r.project); n.Unsigned > before {
		r.addStep("warn", "webhooks", r.connectFix("", ", which signs the hook"), "%d came without the secret and were not believed; reconcile finds what they said", n.Unsigned-before)
	}
	if n.Duplicates > 0 {
		r.addStep("warn", "webhooks", "look for a second webhook to hone under another address in Settings > Webhooks", "%d came twice since hone started; they had one effect", n.Duplicates)
	}
	if n.Missed > 0 {
		r.addStep("warn", "webhooks", "if the number grows while hone runs, look for a proxy or a block between Label Studio and hone", "reconcile found %d changes that no webhook had told", n.Missed)
	}
	if n.DeadLetters > 0 {
		r.addStep("warn", "dead letters", "see `hone deadletter list`", "%d events could not be handled", n.DeadLetters)
	}
}
