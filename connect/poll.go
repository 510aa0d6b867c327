package connect

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/hone-ml/hone/api"
	"github.com/hone-ml/hone/event"
	"github.com/hone-ml/hone/labelstudio"
)

// Polling is how hone's reading of a project's changes goes, where it polls.
type Polling struct {
	// Interval is the least pause between two polls.
	Interval time.Duration
	// Last is when the last one began that succeeded; zero: none did.
	Last time.Time
	// FailingSince is when the first of those failed that failed in a row; zero: the last
	// one did not. Error is why the last one did.
	FailingSince time.Time
	Error        string
}

// ConnectPolled prepares a project that hone polls, because Label Studio does not reach hone:
// uncertainty sampling on, and nothing that would make Label Studio call hone. It returns
// the project as Label Studio has it, for hone to know it by. It is idempotent. Errors have
// the status for hone's API, as those of Connect do.
func (l *Link) ConnectPolled(ctx context.Context, p event.ProjectID) (labelstudio.Project, api.Report, error) {
	c, err := l.Client()
	if err != nil {
		return labelstudio.Project{}, api.Report{}, &faultError{http.StatusConflict, err}
	}
	if err := l.lock(ctx); err != nil {
		return labelstudio.Project{}, api.Report{}, err
	}
	defer l.unlock()
	r := &registration{link: l, client: c, project: p, report: api.Report{Project: p}}
	if r.current, err = c.Project(ctx, p); err != nil {
		return labelstudio.Project{}, api.Report{}, asBadGateway(err)
	}
	learned, err := l.o.Learned(r.current.LabelConfig)
	if err != nil {
		return labelstudio.Project{}, api.Report{}, &faultError{http.StatusUnprocessableEntity, err}
	}
	r.rememberConnected(ctx, "") // not by a backend
	l.setProblems(p, nil)
	r.addStep("ok", "poll", "", "hone reads the changes from %s every second or two; Label Studio need not reach hone, and gets no ML backend and no webhook", redactURL(c.URL()))
	if err := r.repairSampling(ctx, true); err != nil {
		return labelstudio.Project{}, r.report, asBadGateway(err)
	}
	if !r.current.ShowPredictions {
		r.addStep("warn", "suggestions", `turn on "Use predictions to prelabel tasks" in Settings > Annotation`, "Label Studio does not show predictions, so annotators see none of hone's suggestions")
	}
	r.addStep("ok", "without an ML backend", "", "%s", withoutBackend(p))
	r.reportConfig(learned)
	return r.current, r.report, nil
}

// withoutBackend says what Label Studio cannot do where it does not reach hone, and what to do
// instead.
func withoutBackend(p event.ProjectID) string {
	return fmt.Sprintf("suggestions while a region is drawn, Start Training and Retrieve Predictions need Label Studio to reach hone; `hone retrain --project %d` and `hone prelabel --project %d` do the latter two", p, p)
}

// polling returns how hone polls a project; ok is false when it does not.
func (l *Link) polling(p event.ProjectID) (st Polling, ok bool) {
	if l.o.Polling == nil {
		return Polling{}, false
	}
	return l.o.Polling(p)
}

// checkPolled checks a project that hone polls. A missing backend or webhook is no fault; one
// that is there is checked as everywhere.
func (r *registration) checkPolled(ctx context.Context, st Polling) {
	const name = "poll"
	ago := func(t time.Time) time.Duration { return time.Since(t).Round(time.Second) }
	switch {
	case !st.FailingSince.IsZero():
		r.addStep("fail", name, r.pollFix(), "the changes cannot be read for %v: %s", ago(st.FailingSince), st.Error)
	case st.Last.IsZero():
		r.addStep("warn", name, "wait until hone has read the project; `hone status` says what keeps it", "hone has not read changes yet")
	default:
		r.addStep("ok", name, "", "hone reads the changes every %v, last %v ago; Label Studio need not reach it", st.Interval, ago(st.Last))
	}
	if b, i := r.backend(); i >= 0 {
		r.checkBackend(ctx, b, i)
		if len(r.ownWebhooks()) > 0 {
			r.checkHooks(ctx)
		}
	} else {
		r.addStep("ok", "without an ML backend", "", "%s", withoutBackend(r.project))
	}
	r.checkSampling(ctx)
	r.checkCounters()
}

// pollFix is what to do when polls fail.
func (r *registration) pollFix() string {
	return strings.Join([]string{
		"see what the lines above say of Label Studio and the token",
		"look into Label Studio's log",
		fmt.Sprintf("where Label Studio does reach hone, `hone connect --project %d` has it tell of changes instead", r.project),
	}, "; ")
}
