package connect

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/hone-ml/hone/api"
	"github.com/hone-ml/hone/event"
	"github.com/hone-ml/hone/internal/backoff"
	"github.com/hone-ml/hone/internal/service"
	"github.com/hone-ml/hone/labelstudio"
)

const (
	// checkDelay is how long after a /setup call hone looks after the project.
	// Label Studio makes its own webhook only after /setup was answered.
	checkDelay = 500 * time.Millisecond
	// retryAfter is the pause after a failure (Label Studio may be starting), and
	// the least time between two looks at a project that is in order.
	retryAfter = 15 * time.Second
	// maxRetry is what the pause grows to.
	maxRetry = 10 * time.Minute
	// visitTimeout bounds one look, so that one project cannot hold up the others.
	visitTimeout = time.Minute
	// maxUnregisteredChecks is how often hone looks for a registration that is being made.
	maxUnregisteredChecks = 5
)

// errUnregistered says that hone is not, or not yet, among a project's backends.
var errUnregistered = errors.New("hone is not among the project's ML backends")

// LookAfter asks for a project's registration to be checked and mended soon: its
// webhook signed and not doubled, uncertainty sampling on. It never blocks; when
// too many wait, the request is dropped, and the next /setup repeats it.
func (l *Link) LookAfter(p event.ProjectID) { l.requestCheck(checkRequest{p, false}) }

// checkRequest asks for a look at a project. One that comes from /setup may have been
// caused by a look itself.
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

// maintainer is run's memory of the projects it looks after.
type maintainer struct {
	*Link
	schedules map[event.ProjectID]*schedule
}

type schedule struct {
	// next is when the next look is due; zero: none is.
	next time.Time
	// lastGood is when the last one ended well, fails how many did not since.
	lastGood time.Time
	failures int
	// lastWarning is what was last said in the log.
	lastWarning string
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

// scheduleCheck plans a look, not sooner than the least time after the last good one.
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
	v.next = time.Time{}
	limit, cancel := context.WithTimeout(ctx, visitTimeout)
	generation, suspicious := k.beginCheck(p)
	steps, at, err := k.maintain(limit, p, suspicious)
	cancel()
	defer k.dropSelfTriggered(p)
	log := k.o.Logger.WithField("project", p)
	switch {
	case ctx.Err() != nil:
	case err == nil:
		v.lastGood, v.failures = time.Now(), 0
		k.settleRecord(p, generation, at, nil)
		k.warnOnce(v, p, steps)
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
		delete(k.schedules, p)
		if labelstudio.IsNotFound(err) {
			k.forgetProject(p)
		}
	default:
		log.WithError(err).Debug("could not look after the project's registration yet")
		k.settleRecord(p, generation, at, err)
		v.next = time.Now().Add(backoff.Exponential{Min: k.retry, Max: maxRetry}.Delay(v.failures))
		v.failures++
	}
}

// dropSelfTriggered forgets the requests a look at p has caused: Label Studio calls
// /setup whenever its backends are listed. It has done so before the list came
// back, so they are all here.
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

// warnOnce warns of what hone leaves alone, once as long as it stays the same.
func (k *maintainer) warnOnce(v *schedule, p event.ProjectID, steps []api.Step) {
	var warned strings.Builder
	for _, s := range steps {
		if s.Level != "ok" {
			warned.WriteString(s.What)
		}
	}
	repeated := v.lastWarning == warned.String()
	v.lastWarning = warned.String()
	for _, s := range steps {
		if s.Level != "ok" && !repeated {
			k.o.Logger.WithField("project", p).Warnf("%s: %s (fix: %s)", s.Name, s.What, s.Fix)
		} else {
			k.o.Logger.WithField("project", p).Debugf("%s: %s", s.Name, s.What)
		}
	}
}

// maintain mends one project's registration without making one: whether hone is
// connected is the user's choice. suspicious: webhooks without the secret have come
// since the last look, so it also looks for some under other addresses. It returns
// hone's address as registered.
func (l *Link) maintain(ctx context.Context, p event.ProjectID, suspicious bool) ([]api.Step, string, error) {
	c, err := l.Client()
	if err != nil {
		return nil, "", err
	}
	if err := l.lock(ctx); err != nil {
		return nil, "", err
	}
	defer l.unlock()
	r := &registration{link: l, client: c, project: p, refused: l.o.Refused().Calls}
	if err := r.readAll(ctx); err != nil {
		return nil, "", err
	}
	if suspicious || r.url == "" {
		r.findAliases(ctx)
	}
	if r.url == "" {
		if err := r.deleteStrayHooks(ctx); err != nil {
			return nil, "", err
		}
		return nil, "", errUnregistered
	}
	for _, b := range r.backendsOfHone() {
		if !r.lacksSecret(b) {
			continue
		}
		if err := r.giveSecret(ctx, b); err != nil {
			return nil, r.url, err
		}
	}
	if err := r.maintainHooks(ctx); err != nil {
		return nil, r.url, err
	}
	if err := r.repairSampling(ctx, false); err != nil {
		return nil, r.url, err
	}
	return r.report.Steps, r.url, nil
}

// deleteStrayHooks removes webhooks that lead to hone without its secret, in a project
// whose backend is not hone any more: Label Studio leaves them there, and each
// event they send is refused.
func (r *registration) deleteStrayHooks(ctx context.Context) error {
	for _, h := range r.ownWebhooks() {
		if r.link.carries(h) {
			continue
		}
		if err := r.client.DeleteWebhook(ctx, h.ID); err != nil {
			return err
		}
		r.link.o.Logger.WithField("project", r.project).Info("removed a webhook to hone that " + lacksSecretFault + ": hone is not among the project's ML backends any more")
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
