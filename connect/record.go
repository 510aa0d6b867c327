package connect

import (
	"context"
	"slices"
	"strings"

	"github.com/hone-ml/hone/access"
	"github.com/hone-ml/hone/event"
	"github.com/hone-ml/hone/labelstudio"
)

// registrationState records what hone knows of one project's registration.
type registrationState struct {
	// carries is true once Label Studio is known to send the secret with everything
	// that it sends of the project.
	carries bool
	// problem is why it does not, once a check has tried.
	problem string
	// url is hone's address, as it is registered.
	url string
	// proof says which secret the last /setup since the begin of the last check carried;
	// setupSeen is whether there was one.
	proof     access.Proof
	setupSeen bool
	// unsigned is how many webhooks had come without the secret at the last check,
	// unsignedBefore how many when the registration began to carry it.
	unsigned, unsignedBefore uint64
}

// Expect names projects whose registration may not carry the secret: hone knew
// them before it had this one.
func (l *Link) Expect(projects ...event.ProjectID) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, p := range projects {
		l.recordOf(p)
	}
}

// recordOf makes a record where there is none. The lock is held.
func (l *Link) recordOf(p event.ProjectID) *registrationState {
	r := l.registrations[p]
	if r == nil {
		r = &registrationState{}
		l.registrations[p] = r
	}
	return r
}

// recordSetup records which secret a /setup call carried. The lock is held.
func (l *Link) recordSetup(s Setup) {
	if l.registrations[s.Project] == nil && len(l.registrations) >= maxHosts {
		return
	}
	r := l.recordOf(s.Project)
	r.proof, r.setupSeen = s.Proof, true
}

// Unregistered reports whether a project's registration is not known to carry the
// secret yet; with 0, whether any project's is.
func (l *Link) Unregistered(p event.ProjectID) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if p != 0 {
		r := l.registrations[p]
		return r != nil && !r.carries
	}
	for _, r := range l.registrations {
		if !r.carries {
			return true
		}
	}
	return false
}

// Registration says whether one project's registration carries the secret.
type Registration struct {
	Project event.ProjectID
	// Carries is true once Label Studio sends the secret; Problem is why it does
	// not, once hone has tried.
	Carries bool
	Problem string
}

// Registrations lists all projects by id.
func (l *Link) Registrations() []Registration {
	l.mu.Lock()
	defer l.mu.Unlock()
	out := make([]Registration, 0, len(l.registrations))
	for p, r := range l.registrations {
		out = append(out, Registration{p, r.carries, l.problemOf(r)})
	}
	slices.SortFunc(out, func(a, b Registration) int { return int(a.Project - b.Project) })
	return out
}

// Problem says why a project's registration does not carry the secret; "" where it
// does, or was not tried yet.
func (l *Link) Problem(p event.ProjectID) string {
	l.mu.Lock()
	defer l.mu.Unlock()
	r := l.registrations[p]
	if r == nil {
		return ""
	}
	return l.problemOf(r)
}

const pasteAgainHelp = "paste the address that `hone secret` prints in Label Studio under Settings > Model in place of the old one, or set LABEL_STUDIO_URL and LABEL_STUDIO_API_KEY and restart hone"

// problemOf returns, as a sentence, why a registration does not carry the secret. The lock is
// held.
func (l *Link) problemOf(r *registrationState) string {
	switch {
	case r.carries, r.proof == access.Proven && l.client.Load() == nil:
		return ""
	case l.client.Load() == nil:
		return "its registration in Label Studio may lack hone's secret, and hone has no token to look: " + pasteAgainHelp
	case r.problem != "":
		return "hone's secret could not be put into its registration in Label Studio, so what it sends is taken as a reason to look there, and nothing more: " + r.problem
	}
	return ""
}

// Renew starts to give every registration the new secret, after the secret was replaced.
func (l *Link) Renew() {
	l.mu.Lock()
	l.generation++
	for _, r := range l.registrations {
		r.carries, r.problem, r.setupSeen, r.proof = false, "", false, access.Unproven
	}
	l.mu.Unlock()
	l.Check(true)
}

// expected returns how many webhooks had come without the secret before the registrations
// carried it; they need no action. They are counted over all projects, so the last
// registration decides.
func (l *Link) expected(p event.ProjectID) (n uint64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if r := l.registrations[p]; r == nil || !r.carries {
		return 0
	}
	for _, r := range l.registrations {
		if r.carries {
			n = max(n, r.unsignedBefore)
		}
	}
	return n
}

// beginCheck starts a check: /setup calls from now on belong to it. suspicious is true when
// webhooks without the secret have come since the last check.
func (l *Link) beginCheck(p event.ProjectID) (generation int, suspicious bool) {
	refused := l.o.Refused()
	l.mu.Lock()
	defer l.mu.Unlock()
	if r := l.registrations[p]; r != nil {
		r.setupSeen, r.proof = false, access.Unproven
		suspicious = refused.Webhooks > r.unsigned
		r.unsigned = refused.Webhooks
	}
	return l.generation, suspicious
}

// setupProven reports whether Label Studio has called /setup with the current secret since
// the check began, and whether it has called at all.
func (l *Link) setupProven(p event.ProjectID) (proven, called bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	r := l.registrations[p]
	if r == nil {
		return false, false
	}
	return r.proof == access.Proven, r.setupSeen
}

// settleRecord records how a check ended. It retires the old secret once no registration
// needs it.
func (l *Link) settleRecord(p event.ProjectID, generation int, at string, err error) {
	refused := l.o.Refused()
	l.mu.Lock()
	r := l.recordOf(p)
	if at != "" {
		r.url = at
	}
	switch {
	case generation != l.generation:
	case err != nil:
		r.problem = err.Error()
	default:
		if !r.carries {
			r.unsignedBefore = refused.Webhooks
		}
		r.carries, r.problem = true, ""
	}
	done := len(l.registrations) > 0
	for _, r := range l.registrations {
		done = done && r.carries
	}
	l.mu.Unlock()
	if done && l.o.Keys.Rotating() {
		if err := l.o.Keys.Retire(); err != nil {
			l.o.Logger.WithError(err).Warn("the old secret could not be forgotten yet")
			return
		}
		l.o.Logger.Info("every registration carries the new secret; the old one no longer counts")
	}
}

// forgetProject forgets a project that Label Studio does not have.
func (l *Link) forgetProject(p event.ProjectID) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.registrations, p)
}

// Check requests a check of all registrations: of those that lack something, which is cheap,
// or, when full, of each. It never blocks.
func (l *Link) Check(full bool) {
	for {
		select {
		case l.checks <- full:
			return
		default:
		}
		if !full {
			return // one is asked for already
		}
		select {
		case <-l.checks: // the full one takes its place
		default:
		}
	}
}

// checkWebhooks schedules checks after one request for the webhooks of all projects. It also
// finds registrations of projects that hone does not know because it lost its directory:
// their webhooks carry a secret of hone's.
func (k *maintainer) checkWebhooks(ctx context.Context, full bool) {
	ctx, cancel := context.WithTimeout(ctx, visitTimeout)
	defer cancel()
	c, err := k.Client()
	if err != nil {
		return
	}
	hooks, err := c.AllWebhooks(ctx)
	if err != nil {
		k.o.Logger.WithError(err).Debug("could not look at the webhooks yet")
	}
	of := map[event.ProjectID][]labelstudio.Webhook{}
	for _, h := range hooks {
		if h.Project != 0 {
			of[h.Project] = append(of[h.Project], h)
		}
	}
	k.mu.Lock()
	known := map[event.ProjectID]registrationState{}
	for p, r := range k.registrations {
		known[p] = *r
	}
	k.mu.Unlock()
	for p, r := range known {
		if full || !r.carries || k.faulty(of[p], r.url) {
			k.scheduleCheck(p)
		}
	}
	for _, p := range k.broken() {
		k.scheduleCheck(p)
	}
	answers := map[string]bool{} // by address
	for p, hs := range of {
		if _, ok := known[p]; ok {
			continue
		}
		for _, h := range hs {
			at := strings.TrimSuffix(strings.TrimRight(labelstudio.WithoutUserInfo(h.URL), "/"), "/webhook")
			if !k.looksOurs(h) || k.carries(h) {
				continue
			}
			ours, asked := answers[at]
			if !asked && len(answers) < 20 {
				ours = k.challenge(ctx, at, false) == nil
				answers[at] = ours
			}
			if ours {
				k.o.Logger.WithField("project", p).Info("Label Studio sends webhooks of a project that hone does not know, with another secret: hone was connected to it before it lost its data directory")
				k.Expect(p)
				k.scheduleCheck(p)
				break
			}
		}
	}
}

// faulty reports whether the webhooks of a project that hone is registered with are
// not one that carries the secret.
func (l *Link) faulty(hooks []labelstudio.Webhook, at string) bool {
	n := 0
	for _, h := range hooks {
		if at != "" && labelstudio.SameHook(h.URL, hookAt(at)) || l.looksOurs(h) {
			n++
			if !l.carries(h) || !h.Active || h.Failures >= manyFailures {
				return true
			}
		}
	}
	return n > 1
}

// looksOurs reports whether hone, or the address that it prints, has made a
// webhook.
func (l *Link) looksOurs(h labelstudio.Webhook) bool {
	header, _ := l.o.Keys.Hook()
	for name := range h.Headers {
		if strings.EqualFold(name, header) {
			return true
		}
	}
	user, _, ok := labelstudio.UserInfo(h.URL)
	return ok && (user == access.User || user == l.o.Keys.Backend().User)
}

// carries reports whether a webhook sends a secret that counts, and goes on
// counting.
func (l *Link) carries(h labelstudio.Webhook) bool {
	header, _ := l.o.Keys.Hook()
	for name, v := range h.Headers {
		if strings.EqualFold(name, header) && l.o.Keys.CurrentHook(v.Reveal()) {
			return true
		}
	}
	user, password, ok := labelstudio.UserInfo(h.URL)
	return ok && l.o.Keys.Current(access.Pair{User: user, Password: password.Reveal()})
}
