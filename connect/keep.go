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
	// settleAfter is how long after a /setup call hone looks after the project.
	// Label Studio makes its own webhook only after /setup was answered.
	settleAfter = 500 * time.Millisecond
	// retryAfter is the pause after a failure (Label Studio may be starting), and
	// the least time between two looks at a project that is in order.
	retryAfter = 15 * time.Second
	// maxRetry is what the pause grows to.
	maxRetry = 10 * time.Minute
	// visitTimeout bounds one look, so that one project cannot hold up the others.
	visitTimeout = time.Minute
	// newcomers is how often hone looks for a registration that is being made.
	newcomers = 5
)

// errUnregistered says that hone is not, or not yet, among a project's backends.
var errUnregistered = errors.New("hone is not among the project's ML backends")

// LookAfter asks for a project's registration to be checked and mended soon: its
// webhook signed and not doubled, uncertainty sampling on. It never blocks; when
// too many wait, the request is dropped, and the next /setup repeats it.
func (l *Link) LookAfter(p event.ProjectID) { l.ask(request{p, false}) }

// request asks for a look at a project. One that comes from /setup may have been
// caused by a look itself.
type request struct {
	project event.ProjectID
	setup   bool
}

func (l *Link) ask(r request) {
	select {
	case l.due <- r:
	default:
	}
}

// keeper is run's memory of the projects it looks after.
type keeper struct {
	*Link
	visits map[event.ProjectID]*visit
}

type visit struct {
	// at is when the next look is due; zero: none is.
	at time.Time
	// last is when the last one ended well, fails how many did not since.
	last  time.Time
	fails int
	// warned is what was last said in the log.
	warned string
}

// Start begins to look after projects, as service.Service says.
func (l *Link) Start(ctx context.Context) error { return l.life.Start(ctx, l.run) }

// Stop ends that, as service.Service says, and releases the client's connections.
func (l *Link) Stop(ctx context.Context) error {
	err := l.life.Stop(ctx)
	if c := l.inUse.Load(); c != nil {
		c.Close()
	}
	return err
}

var _ service.Service = (*Link)(nil)

func (l *Link) run(ctx context.Context) {
	k := keeper{l, map[event.ProjectID]*visit{}}
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case s := <-l.offers:
			l.consider(ctx, s)
		case full := <-l.checks:
			k.survey(ctx, full)
		case r := <-l.due:
			k.plan(r.project)
		case now := <-timer.C:
			for _, p := range slices.Sorted(maps.Keys(k.visits)) {
				v := k.visits[p]
				if !v.at.IsZero() && !v.at.After(now) && ctx.Err() == nil {
					k.look(ctx, p, v)
				}
			}
		}
		next := time.Hour
		for _, v := range k.visits {
			if !v.at.IsZero() {
				next = min(next, max(0, time.Until(v.at)))
			}
		}
		timer.Reset(next)
	}
}

// plan plans a look, not sooner than the least time after the last good one.
func (k *keeper) plan(p event.ProjectID) {
	v := k.visits[p]
	if v == nil {
		v = &visit{}
		k.visits[p] = v
	}
	if v.at.IsZero() {
		v.at = time.Now().Add(k.settle)
		if !v.last.IsZero() && v.at.Before(v.last.Add(k.retry)) {
			v.at = v.last.Add(k.retry)
		}
	}
}

func (k *keeper) look(ctx context.Context, p event.ProjectID, v *visit) {
	v.at = time.Time{}
	limit, cancel := context.WithTimeout(ctx, visitTimeout)
	generation, suspicious := k.begin(p)
	steps, at, err := k.keep(limit, p, suspicious)
	cancel()
	defer k.dropEchoes(p)
	log := k.o.Logger.WithField("project", p)
	switch {
	case ctx.Err() != nil:
	case err == nil:
		v.last, v.fails = time.Now(), 0
		k.settleRecord(p, generation, at, nil)
		k.tell(v, p, steps)
	case errors.Is(err, errUnregistered):
		// A backend that is being added is not listed yet.
		if v.fails++; v.fails < newcomers {
			v.at = time.Now().Add(k.settle << v.fails)
		} else {
			k.settleRecord(p, generation, "", nil) // there is nothing to carry the secret
		}
		v.last = time.Now()
	case k.inUse.Load() == nil, labelstudio.IsNotFound(err):
		// Nothing can be done: adopting a Label Studio asks again, or the project
		// is of no Label Studio that hone works with.
		delete(k.visits, p)
		if labelstudio.IsNotFound(err) {
			k.drop(p)
		}
	default:
		log.WithError(err).Debug("could not look after the project's registration yet")
		k.settleRecord(p, generation, at, err)
		v.at = time.Now().Add(backoff.Exponential{Min: k.retry, Max: maxRetry}.Delay(v.fails))
		v.fails++
	}
}

// dropEchoes forgets the requests a look at p has caused: Label Studio calls
// /setup whenever its backends are listed. It has done so before the list came
// back, so they are all here.
func (k *keeper) dropEchoes(p event.ProjectID) {
	for {
		select {
		case r := <-k.due:
			if r.project != p || !r.setup {
				k.plan(r.project)
			}
		default:
			return
		}
	}
}

// tell warns of what hone leaves alone, once as long as it stays the same.
func (k *keeper) tell(v *visit, p event.ProjectID, steps []api.Step) {
	var warned strings.Builder
	for _, s := range steps {
		if s.Level != "ok" {
			warned.WriteString(s.What)
		}
	}
	repeated := v.warned == warned.String()
	v.warned = warned.String()
	for _, s := range steps {
		if s.Level != "ok" && !repeated {
			k.o.Logger.WithField("project", p).Warnf("%s: %s (fix: %s)", s.Name, s.What, s.Fix)
		} else {
			k.o.Logger.WithField("project", p).Debugf("%s: %s", s.Name, s.What)
		}
	}
}

// keep mends one project's registration without making one: whether hone is
// connected is the user's choice. suspicious: webhooks without the secret have come
// since the last look, so it also looks for some under other addresses. It returns
// hone's address as registered.
func (l *Link) keep(ctx context.Context, p event.ProjectID, suspicious bool) ([]api.Step, string, error) {
	c, err := l.Client()
	if err != nil {
		return nil, "", err
	}
	if err := l.lock(ctx); err != nil {
		return nil, "", err
	}
	defer l.unlock()
	r := &registration{link: l, client: c, project: p, refused: l.o.Refused().Calls}
	if err := r.read(ctx); err != nil {
		return nil, "", err
	}
	if suspicious || r.url == "" {
		r.findAliases(ctx)
	}
	if r.url == "" {
		if err := r.dropStrays(ctx); err != nil {
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
	if err := r.keepHooks(ctx); err != nil {
		return nil, r.url, err
	}
	if err := r.mendSampling(ctx, false); err != nil {
		return nil, r.url, err
	}
	return r.report.Steps, r.url, nil
}

// dropStrays removes webhooks that lead to hone without its secret, in a project
// whose backend is not hone any more: Label Studio leaves them there, and each
// event they send is refused.
func (r *registration) dropStrays(ctx context.Context) error {
	for _, h := range r.ours() {
		if r.link.carries(h) {
			continue
		}
		if err := r.client.DeleteWebhook(ctx, h.ID); err != nil {
			return err
		}
		r.link.o.Logger.WithField("project", r.project).Info("removed a webhook to hone that " + unsigned + ": hone is not among the project's ML backends any more")
	}
	return nil
}

func (l *Link) lock(ctx context.Context) error {
	select {
	case l.mending <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (l *Link) unlock() { <-l.mending }
