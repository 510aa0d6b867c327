package connect

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/hone-ml/hone/api"
	"github.com/hone-ml/hone/event"
	"github.com/hone-ml/hone/labelstudio"
)

const (
	// checkInterval is how often a project in order is checked at its scheduled comparisons: a
	// check lists the ML backends, for which Label Studio calls all of them.
	checkInterval = 5 * time.Minute
	// lookSpacing is the least time between two checks of a project.
	lookSpacing = time.Second
	// manyFailures is the number of failed webhooks in a row from which it is a problem.
	manyFailures = 20
)

// errDeleted says that somebody deleted hone's model in Label Studio.
var errDeleted = errors.New("hone was among the project's ML backends, and is not any more")

// loopState is what the last check of a project found.
type loopState struct {
	// broken are the steps that are not in order.
	broken []api.Step
	// sampling is the project's, as it was last read.
	sampling string
	// checked is when.
	checked time.Time
}

// Comparison is what a comparison of a project with Label Studio has seen of it.
type Comparison struct {
	// Sampling is the project's, empty when it was not read.
	Sampling string
	// Full is true when all ids were compared; Failed when the comparison failed.
	Full, Failed bool
}

// Compared says that a project was compared with Label Studio. When something may be broken,
// and after each full comparison, the project is checked at once; otherwise every few
// minutes. It returns at once.
func (l *Link) Compared(p event.ProjectID, c Comparison) {
	l.mu.Lock()
	s := l.loops[p]
	due := c.Full || c.Failed || s == nil || len(s.broken) > 0 || time.Since(s.checked) >= checkInterval ||
		c.Sampling != "" && c.Sampling != s.sampling
	l.mu.Unlock()
	if due {
		l.lookNow(p, c.Full)
	}
}

// SamplingSeen says that a webhook named a project's sampling. When it differs from the last
// one, the project is checked at once. It returns at once.
func (l *Link) SamplingSeen(p event.ProjectID, sampling string) {
	l.mu.Lock()
	s := l.loops[p]
	news := s != nil && s.sampling != "" && s.sampling != sampling
	l.mu.Unlock()
	if news {
		l.lookNow(p, false)
	}
}

// lookNow has a project checked without delay; full: also whether Label Studio blocks
// webhooks to hone.
func (l *Link) lookNow(p event.ProjectID, full bool) {
	l.mu.Lock()
	l.looks[p] = l.looks[p] || full
	l.mu.Unlock()
	l.look.Set()
}

func (l *Link) takeLooks() map[event.ProjectID]bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	out := l.looks
	l.looks = map[event.ProjectID]bool{}
	return out
}

// scheduleNow schedules a check without delay, but not sooner than lookSpacing after the
// last one began.
func (k *maintainer) scheduleNow(p event.ProjectID, full bool) {
	k.scheduleCheck(p)
	v := k.schedules[p]
	v.full = v.full || full
	v.next = time.Now()
	if soonest := v.began.Add(min(k.retry, lookSpacing)); v.next.Before(soonest) {
		v.next = soonest
	}
}

// Problems are what keeps the loop of a project with Label Studio from working, as the last
// check found it. Each has a fix.
func (l *Link) Problems(p event.ProjectID) []api.Step {
	l.mu.Lock()
	defer l.mu.Unlock()
	if s := l.loops[p]; s != nil {
		return slices.Clone(s.broken)
	}
	return nil
}

// broken lists the projects that have problems.
func (l *Link) broken() (out []event.ProjectID) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for p, s := range l.loops {
		if len(s.broken) > 0 {
			out = append(out, p)
		}
	}
	return out
}

// had reports whether the last check of a project found a problem with one of these names.
func (l *Link) had(p event.ProjectID, names ...string) bool {
	return slices.ContainsFunc(l.Problems(p), func(s api.Step) bool { return slices.Contains(names, s.Name) })
}

// setProblems records the steps of a check that are not in order. It logs what appeared and
// what is gone, and tells OnProblem. At the first check since hone started it tells only what
// is another than before.
func (l *Link) setProblems(p event.ProjectID, steps []api.Step) {
	broken := slices.DeleteFunc(slices.Clone(steps), func(s api.Step) bool { return s.Level == "ok" })
	l.mu.Lock()
	s := l.loops[p]
	if s == nil {
		s = &loopState{}
		l.loops[p] = s
	}
	before, told := s.broken, s.broken
	if s.checked.IsZero() {
		told = readBroken(l.records[p].Broken)
	}
	s.broken, s.checked = broken, time.Now()
	registered := l.records[p].URL != ""
	l.mu.Unlock()
	log := l.o.Logger.WithField("project", p)
	for _, b := range broken {
		if !hasProblem(before, b) {
			log.Warnf("%s: %s (fix: %s)", b.Name, b.What, b.Fix)
		}
		if !hasProblem(told, b) {
			l.o.OnProblem(p, b, false)
		}
	}
	for _, b := range told {
		if !hasProblem(broken, b) {
			log.Infof("%s: mended, it is no longer so: %s", b.Name, b.What)
			l.o.OnProblem(p, b, true)
		}
	}
	if registered && !sameProblems(told, broken) {
		l.remember(context.Background(), p, func(r *event.Registration) { r.Broken = writeBroken(broken) })
	}
}

// sameProblems reports whether two lists hold the same problems.
func sameProblems(a, b []api.Step) bool {
	return len(a) == len(b) && !slices.ContainsFunc(a, func(s api.Step) bool { return !hasProblem(b, s) })
}

// writeBroken and readBroken are the form in which problems are remembered; "" for none. What
// cannot be read is none.
func writeBroken(steps []api.Step) string {
	if len(steps) == 0 {
		return ""
	}
	b, err := json.Marshal(steps)
	if err != nil { // texts always encode
		return ""
	}
	return string(b)
}

func readBroken(text string) (steps []api.Step) {
	if json.Unmarshal([]byte(text), &steps) != nil {
		return nil
	}
	return steps
}

// hasProblem reports whether a problem is among some. It is the same one while its name and
// its fix are: figures in its sentence change.
func hasProblem(among []api.Step, b api.Step) bool {
	return slices.ContainsFunc(among, func(o api.Step) bool { return o.Name == b.Name && o.Fix == b.Fix })
}

func (l *Link) setSampling(p event.ProjectID, sampling string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.loops[p] == nil {
		l.loops[p] = &loopState{}
	}
	l.loops[p].sampling = sampling
}

// leaveAlone records that hone's model was deleted in Label Studio: from now on nothing is
// written to the project.
func (k *maintainer) leaveAlone(ctx context.Context, p event.ProjectID) {
	if k.Remembered(p).LeftAlone == "" {
		k.remember(ctx, p, func(r *event.Registration) { r.LeftAlone = event.BackendDeleted })
		k.o.OnChange(p, "hone's model was deleted in Label Studio")
	}
	if k.Remembered(p).LeftAlone != event.BackendDeleted {
		k.setProblems(p, nil) // somebody asked for it
		return
	}
	k.setProblems(p, []api.Step{{
		Level: "fail", Name: "ML backend", What: "hone's model was deleted in Label Studio, so hone writes nothing to the project any more",
		Fix: fmt.Sprintf("run `hone connect --project %d` to connect it again, or `hone disconnect --project %d` to leave it so", p, p),
	}})
}

const tokenFix = "set LABEL_STUDIO_API_KEY to the token of a user who may see the project (Account & Settings in Label Studio) and restart hone, or let that user see it again"

// reportRefusal records a problem when an error says that Label Studio refuses hone's token,
// or does not show a project that hone is registered with.
func (k *maintainer) reportRefusal(ctx context.Context, p event.ProjectID, err error) {
	switch {
	case labelstudio.IsUnauthorized(err), labelstudio.IsForbidden(err):
		k.setProblems(p, []api.Step{{Level: "fail", Name: "token", What: "Label Studio refuses hone's token: " + err.Error(), Fix: tokenFix}})
	case labelstudio.IsNotFound(err) && k.Remembered(p).URL != "" && k.isRemoved(ctx):
		k.setProblems(p, []api.Step{{
			Level: "fail", Name: "token", What: "the user of hone's token was removed from Label Studio's organization, and sees no project", Fix: tokenFix,
		}})
	case labelstudio.IsNotFound(err) && k.Remembered(p).URL != "":
		k.setProblems(p, []api.Step{{
			Level: "fail", Name: "project", What: "Label Studio no longer has this project, or the token may not see it",
			Fix: fmt.Sprintf("let the token's user see the project again; if it is deleted, `hone forget --project %d` drops what hone holds of it", p),
		}})
	}
}

// isRemoved reports whether the token's user belongs to no organization any more.
func (l *Link) isRemoved(ctx context.Context) bool {
	c, err := l.Client()
	if err != nil {
		return false
	}
	ctx, cancel := context.WithTimeout(ctx, checkTimeout)
	defer cancel()
	u, err := c.WhoAmI(ctx)
	return err == nil && u.Organization == 0
}

// healHook switches a webhook on again that Label Studio switched off because too many
// deliveries had failed. One that was switched off with fewer failures was somebody's choice,
// and stays off.
func (r *registration) healHook(ctx context.Context, h *labelstudio.Webhook) error {
	if h.Active || h.Failures < labelstudio.MaxWebhookFailures {
		return nil
	}
	failures := h.Failures
	h.Active = true
	if _, err := r.client.UpdateWebhook(ctx, *h); err != nil {
		h.Active = false
		return err
	}
	h.Failures = 0 // Label Studio counts anew
	r.healed = true
	r.changes = append(r.changes, "the webhook was off")
	r.addStep("ok", "webhook", "", "switched on again: Label Studio had switched it off after %d failures in a row", failures)
	r.link.o.Logger.WithField("project", r.project).Warnf("Label Studio had switched the webhook off after %d failures in a row; it is on again, and what was lost is being read", failures)
	return nil
}

// reportFailures adds a step when Label Studio could not deliver many webhooks in a row.
func (r *registration) reportFailures(h labelstudio.Webhook) {
	if !h.Active || h.Failures < manyFailures {
		return
	}
	r.addStep("warn", "webhook deliveries", fmt.Sprintf("look at whether Label Studio reaches hone: `hone doctor --project %d`; the next event that arrives ends this", r.project),
		"Label Studio could not deliver the last %d events to %s; it switches the webhook off at %d", h.Failures, redactURL(h.URL), labelstudio.MaxWebhookFailures)
}

// blockedName is the name of the problem that Label Studio blocks hone's address.
const blockedName = "blocked address"

const blockedFix = "set SSRF_PROTECTION_ENABLED=false and ML_BLOCK_LOCAL_IP=false in Label Studio's environment and restart it"

// checkBlock finds out whether Label Studio blocks webhooks to hone's address, of which it
// says nothing when it leaves them out: it checks the address when the webhook is saved, so
// saving it unchanged tells.
func (r *registration) checkBlock(ctx context.Context, h labelstudio.Webhook) error {
	return r.explainRefusedHook(h, r.client.ProbeWebhook(ctx, h))
}

// explainRefusedHook adds a step, in place of the error, when Label Studio refused to save a
// webhook because it blocks its address.
func (r *registration) explainRefusedHook(h labelstudio.Webhook, err error) error {
	if !labelstudio.IsForbidden(err) {
		return err
	}
	r.addStep("fail", blockedName, blockedFix, "Label Studio sends no webhooks to %s, without a word: %v", redactURL(h.URL), err)
	return nil
}

// maintainState adds a step when Label Studio does not reach hone. It asks twice: one
// answer may have been late.
func (r *registration) maintainState(ctx context.Context) error {
	b, i := r.backend()
	if i < 0 || b.State != "DI" && b.State != "ER" {
		return nil
	}
	now, err := r.client.ValidateBackend(ctx, b.ID)
	if labelstudio.IsNotFound(err) {
		return nil // deleted since; the next check finds it
	}
	if err != nil {
		return err
	}
	r.reportState(now)
	return nil
}
