package connect

import (
	"context"
	"errors"
	"fmt"
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

func (l *Link) setSampling(p event.ProjectID, sampling string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.loop(p).sampling = sampling
}

// loop returns the state of a project's loop, made if there is none. mu is held.
func (l *Link) loop(p event.ProjectID) *loopState {
	if l.loops[p] == nil {
		l.loops[p] = &loopState{}
	}
	return l.loops[p]
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

const tokenFix = "let the token's user see the project again, or give hone the token of one who may, with `hone login` or as LABEL_STUDIO_API_KEY: Label Studio makes it under Account & Settings > Personal Access Token"

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
