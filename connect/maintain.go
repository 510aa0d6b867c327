package connect

import (
	"context"
	"errors"
	"maps"
	"slices"
	"time"

	"github.com/hone-ml/hone/event"
	"github.com/hone-ml/hone/internal/backoff"
	"github.com/hone-ml/hone/internal/service"
	"github.com/hone-ml/hone/labelstudio"
)

const (
	// checkDelay is how long after a /setup call hone checks the project. Label Studio
	// makes its own webhook only after /setup was answered.
	checkDelay = 500 * time.Millisecond
	// retryAfter is the pause after a failure (Label Studio may be starting), and the least
	// time between two checks of a project that is in order.
	retryAfter = 15 * time.Second
	// maxRetry is the longest pause.
	maxRetry = 10 * time.Minute
	// visitTimeout bounds one check, so that one project cannot delay the others.
	visitTimeout = time.Minute
	// maxUnregisteredChecks is how many times a project without hone as a backend is checked
	// before giving up: its registration may be under way.
	maxUnregisteredChecks = 5
)

// errUnregistered says that hone is not, or not yet, among a project's backends.
var errUnregistered = errors.New("hone is not among the project's ML backends")

// LookAfter requests that a project's registration be checked and repaired soon: one webhook
// with the secret, uncertainty sampling on. It never blocks; when too many requests wait, it
// drops this one, and the next /setup repeats it.
func (l *Link) LookAfter(p event.ProjectID) { l.requestCheck(checkRequest{p, false}) }

// checkRequest requests a check of a project. One that comes from /setup may have been caused
// by a check.
type checkRequest struct {
	project event.ProjectID
	setup   bool
}

func (l *Link) requestCheck(r checkRequest) {
	select {
	case l.requests <- r:
	default:
	}
}

// maintainer holds the schedules of the projects that run maintains. Only run uses it.
type maintainer struct {
	*Link
	schedules map[event.ProjectID]*schedule
}

type schedule struct {
	// next is when the next check is due; zero: none is.
	next time.Time
	// lastGood is when a check last succeeded, failures how many have failed since.
	lastGood time.Time
	failures int
	// began is when the last check began; full asks the next one whether Label Studio blocks
	// webhooks too.
	began time.Time
	full  bool
}

// Start begins to look after projects, as service.Service says.
func (l *Link) Start(ctx context.Context) error { return l.life.Start(ctx, l.run) }

// Stop ends that, as service.Service says, and releases the client's connections.
func (l *Link) Stop(ctx context.Context) error {
	err := l.life.Stop(ctx)
	if c := l.client.Load(); c != nil {
		c.Close()
	}
	return err
}

var _ service.Service = (*Link)(nil)

func (l *Link) run(ctx context.Context) {
	l.life.Go(l.watch)
	k := maintainer{l, map[event.ProjectID]*schedule{}}
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case s := <-l.offers:
			l.tryAdopt(ctx, s)
		case full := <-l.checks:
			k.checkWebhooks(ctx, full)
		case <-l.look:
			for p, full := range l.takeLooks() {
				k.scheduleNow(p, full)
			}
		case r := <-l.requests:
			k.scheduleCheck(r.project)
		case now := <-timer.C:
			for _, p := range slices.Sorted(maps.Keys(k.schedules)) {
				v := k.schedules[p]
				if !v.next.IsZero() && !v.next.After(now) && ctx.Err() == nil {
					k.checkProject(ctx, p, v)
				}
			}
		}
		next := time.Hour
		for _, v := range k.schedules {
			if !v.next.IsZero() {
				next = min(next, max(0, time.Until(v.next)))
			}
		}
		timer.Reset(next)
	}
}

// scheduleCheck schedules a check, not sooner than retryAfter after the last good one.
func (k *maintainer) scheduleCheck(p event.ProjectID) {
	v := k.schedules[p]
	if v == nil {
		v = &schedule{}
		k.schedules[p] = v
	}
	if v.next.IsZero() {
		v.next = time.Now().Add(k.settle)
		if !v.lastGood.IsZero() && v.next.Before(v.lastGood.Add(k.retry)) {
			v.next = v.lastGood.Add(k.retry)
		}
	}
}

func (k *maintainer) checkProject(ctx context.Context, p event.ProjectID, v *schedule) {
	full := v.full || k.had(p, blockedName) // only then it finds out whether that is over
	v.next, v.began, v.full = time.Time{}, time.Now(), false
	limit, cancel := context.WithTimeout(ctx, visitTimeout)
	generation, suspicious := k.beginCheck(p)
	r, err := k.maintain(limit, p, suspicious, full)
	cancel()
	defer k.dropSelfTriggered(p)
	log := k.o.Logger.WithField("project", p)
	switch {
	case ctx.Err() != nil:
	case err == nil:
		v.lastGood, v.failures = time.Now(), 0
		if r.made {
			v.next = time.Now().Add(k.settle << 2)
		}
		k.settleRecord(p, generation, r.url, nil)
		if k.had(p, "token", "project") {
			r.changes = append(r.changes, "Label Studio shows it again")
		}
		k.setProblems(p, r.report.Steps)
		for _, why := range r.changes {
			k.o.OnChange(p, why)
		}
	case errors.Is(err, errDeleted):
		v.lastGood = time.Now()
		k.settleRecord(p, generation, "", nil)
		if v.failures++; v.failures == 1 && k.Remembered(p).LeftAlone == "" {
			v.next = time.Now().Add(k.settle) // it may be being replaced
			break
		}
		v.failures = 0
		k.leaveAlone(ctx, p)
	case errors.Is(err, errUnregistered):
		// A backend that is being added is not listed yet.
		if v.failures++; v.failures < maxUnregisteredChecks {
			v.next = time.Now().Add(k.settle << v.failures)
		} else {
			k.settleRecord(p, generation, "", nil) // there is nothing to carry the secret
		}
		v.lastGood = time.Now()
	case k.client.Load() == nil, labelstudio.IsNotFound(err):
		// Nothing can be done: adopting a Label Studio asks again, or the project
		// is of no Label Studio that hone works with.
		k.reportRefusal(ctx, p, err)
		delete(k.schedules, p)
		if labelstudio.IsNotFound(err) {
			k.forgetProject(p)
		}
	default:
		k.reportRefusal(ctx, p, err)
		log.WithError(err).Debug("could not look after the project's registration yet")
		at := ""
		if r != nil {
			at = r.url
		}
		k.settleRecord(p, generation, at, err)
		v.next = time.Now().Add(backoff.Exponential{Min: k.retry, Max: maxRetry}.Delay(v.failures))
		v.failures++
	}
}

// dropSelfTriggered drops the requests that a check of p has caused: Label Studio calls
// /setup whenever its backends are listed. It does so before it returns the list, so all
// those requests are queued by now.
func (k *maintainer) dropSelfTriggered(p event.ProjectID) {
	for {
		select {
		case r := <-k.requests:
			if r.project != p || !r.setup {
				k.scheduleCheck(r.project)
			}
		default:
			return
		}
	}
}

// maintain repairs one project's registration and never makes one: whether hone is connected
// is the user's choice. suspicious: webhooks without the secret have come since the last
// check, so it also searches for webhooks under other addresses. full: it also finds out
// whether Label Studio blocks webhooks. Where hone was registered and is not any more it
// writes nothing, and the error is errDeleted.
func (l *Link) maintain(ctx context.Context, p event.ProjectID, suspicious, full bool) (*registration, error) {
	c, err := l.Client()
	if err != nil {
		return nil, err
	}
	if err := l.lock(ctx); err != nil {
		return nil, err
	}
	defer l.unlock()
	r := &registration{link: l, client: c, project: p, refused: l.o.Refused().Calls}
	if err := r.readAll(ctx); err != nil {
		return nil, err
	}
	l.setSampling(p, r.current.Sampling)
	known := l.Remembered(p)
	if known.CreatedAt != 0 && known.CreatedAt != r.current.CreatedAt.Unix() {
		known = event.Registration{} // another project under the same id
		l.remember(ctx, p, func(r *event.Registration) { *r = known })
	}
	if _, polled := l.polling(p); polled && r.url == "" {
		return r, r.repairSampling(ctx, false) // it needs no backend
	}
	if r.url == "" && known.URL != "" {
		return r, errDeleted
	}
	if suspicious || r.url == "" {
		r.findAliases(ctx)
	}
	if r.url == "" {
		if err := r.deleteStrayHooks(ctx); err != nil {
			return r, err
		}
		return r, errUnregistered
	}
	r.rememberURL(ctx)
	for _, b := range r.backendsOfHone() {
		if !r.lacksSecret(b) {
			continue
		}
		if err := r.giveSecret(ctx, b); labelstudio.IsForbidden(err) {
			r.addStep("fail", blockedName, labelstudio.UnblockFix, "Label Studio does not call %s: %v", redactURL(b.URL), err)
		} else if err != nil {
			return r, err
		}
	}
	if err := r.maintainState(ctx); err != nil {
		return r, err
	}
	if err := r.maintainHooks(ctx, full); err != nil {
		return r, err
	}
	return r, r.repairSampling(ctx, false)
}

// rememberURL remembers that hone is registered. Where hone wrote nothing before, it is
// connected again.
func (r *registration) rememberURL(ctx context.Context) {
	before := r.link.Remembered(r.project).LeftAlone
	r.rememberConnected(ctx, labelstudio.WithoutUserInfo(r.url))
	if before != "" {
		r.changes = append(r.changes, "it is connected again")
	}
}

// rememberConnected remembers that hone works in the project, by the backend at an address or,
// where that is empty, without one.
func (r *registration) rememberConnected(ctx context.Context, at string) {
	r.link.mu.Lock()
	delete(r.link.disconnecting, r.project) // the lock of repairs is held, so only a forgotten one is there
	r.link.mu.Unlock()
	r.link.remember(ctx, r.project, func(m *event.Registration) {
		if m.URL == "" || m.LeftAlone != "" {
			m.HookAwaited = at != ""
		}
		m.URL, m.CreatedAt, m.LeftAlone = at, r.current.CreatedAt.Unix(), ""
	})
}

// deleteStrayHooks deletes webhooks to hone without its secret in a project whose backend is
// not hone any more: Label Studio leaves them there, and each of their events is refused.
func (r *registration) deleteStrayHooks(ctx context.Context) error {
	for _, h := range r.ownWebhooks() {
		if r.link.carries(h) {
			continue
		}
		if err := r.client.DeleteWebhook(ctx, h.ID); err != nil {
			return err
		}
		r.link.o.Logger.WithField("project", r.project).Info("removed a webhook to hone that " + unsignedFault + ": hone is not among the project's ML backends any more")
	}
	return nil
}

func (l *Link) lock(ctx context.Context) error {
	select {
	case l.repairing <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (l *Link) unlock() { <-l.repairing }
