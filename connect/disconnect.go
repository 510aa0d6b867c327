package connect

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"regexp"
	"slices"

	"github.com/hone-ml/hone/api"
	"github.com/hone-ml/hone/event"
	"github.com/hone-ml/hone/labelstudio"
)

// ownVersion matches the model versions that hone makes.
var ownVersion = regexp.MustCompile(`^hone-[0-9]+$`)

// Disconnect undoes what Connect did in Label Studio: it deletes hone's ML backend and its
// webhooks, and sets the sampling back to what it was before, unless somebody has changed it
// since. With deletePredictions it deletes hone's predictions too, which takes Label Studio
// about 5 ms each. From then on hone writes nothing to the project until it is connected
// again. stopped is called as soon as LeftAlone says so, before anything is deleted. It is
// idempotent. The error says what could not be undone; what was undone before stays so.
func (l *Link) Disconnect(ctx context.Context, p event.ProjectID, deletePredictions bool, stopped func()) (api.Report, error) {
	c, err := l.Client()
	if err != nil {
		return api.Report{}, &faultError{http.StatusConflict, err}
	}
	defer l.beginDisconnect(p)()
	stopped()
	if err := l.lock(ctx); err != nil {
		return api.Report{}, err
	}
	defer l.unlock()
	r := &registration{link: l, client: c, project: p, report: api.Report{Project: p}, refused: l.o.Refused().Calls}
	switch err := r.readAll(ctx); {
	case labelstudio.IsNotFound(err):
		r.addStep("ok", "project", "", "Label Studio no longer has it, or the token may not see it: there is nothing to undo")
	case err != nil:
		return r.report, asBadGateway(err)
	default:
		if err := r.undo(ctx, deletePredictions); err != nil {
			return r.report, asBadGateway(err)
		}
	}
	l.remember(ctx, p, func(m *event.Registration) {
		m.LeftAlone, m.Sampled, m.Sampling = event.Disconnected, false, ""
	})
	l.forgetProject(p)
	l.setProblems(p, nil)
	return r.report, nil
}

// beginDisconnect stops what hone writes to a project, until the function that it returns is
// called.
func (l *Link) beginDisconnect(p event.ProjectID) (end func()) {
	set := func(on bool) {
		l.mu.Lock()
		defer l.mu.Unlock()
		if delete(l.disconnecting, p); on {
			l.disconnecting[p] = true
		}
	}
	set(true)
	return func() { set(false) }
}

// undo takes hone out of the project. The backend goes first: without it Label Studio makes
// no webhook by itself.
func (r *registration) undo(ctx context.Context, deletePredictions bool) error {
	if r.url == "" {
		r.url = r.link.Remembered(r.project).URL // its webhook outlives the backend
	}
	backends := r.backendsOfHone()
	for _, b := range backends {
		if err := r.client.DeleteBackend(ctx, b.ID); err != nil {
			return err
		}
		r.addStep("ok", "ML backend", "", "removed, at %s", redactURL(b.URL))
	}
	if len(backends) == 0 {
		r.addStep("ok", "ML backend", "", "there was none of hone's")
	}
	r.findAliases(ctx)
	hooks := r.ownWebhooks()
	for _, h := range hooks {
		if err := r.client.DeleteWebhook(ctx, h.ID); err != nil {
			return err
		}
		r.addStep("ok", "webhook", "", "removed, to %s", redactURL(h.URL))
	}
	if len(hooks) == 0 {
		r.addStep("ok", "webhook", "", "there was none to hone")
	}
	if err := r.restoreSampling(ctx); err != nil {
		return err
	}
	return r.undoPredictions(ctx, deletePredictions)
}

// restoreSampling sets the sampling back to what it was before hone changed it.
func (r *registration) restoreSampling(ctx context.Context) error {
	const name = "sampling"
	known, is := r.link.Remembered(r.project), r.current.Sampling
	switch {
	case is != labelstudio.UncertaintySampling:
		r.addStep("ok", name, "", "stays %s", is)
	case known.Sampling == "":
		r.addStep("ok", name, "", "stays %s: hone does not know of another one before; Settings > Annotation changes it", is)
	default:
		if err := r.changeSampling(ctx, known.Sampling); err != nil {
			return err
		}
		if r.current.Sampling == is {
			r.addStep("warn", name, "change it in Settings > Annotation", "stays %s: hone has changed it back to %s %d times, and each time that was lost, as other changes of the project came at the same time", is, known.Sampling, maxSamplingTries)
			return nil
		}
		r.addStep("ok", name, "", "changed back from %s to %s", is, r.current.Sampling)
	}
	return nil
}

// undoPredictions deletes hone's predictions, or says how many stay.
func (r *registration) undoPredictions(ctx context.Context, deleteThem bool) error {
	const name = "predictions"
	counts, err := r.client.ModelVersions(ctx, r.project)
	if err != nil {
		return err
	}
	maps.DeleteFunc(counts, func(version string, n int) bool { return n == 0 || !ownVersion.MatchString(version) })
	total := 0
	for _, version := range slices.Sorted(maps.Keys(counts)) {
		if deleteThem {
			if _, err := r.client.DeleteModelVersion(ctx, r.project, version); err != nil {
				return err
			}
		}
		total += counts[version]
	}
	switch {
	case total == 0:
		r.addStep("ok", name, "", "there are none of hone's")
	case deleteThem:
		r.addStep("ok", name, "", "%d removed, of %d versions", total, len(counts))
	default:
		r.addStep("ok", name, fmt.Sprintf("to delete them, run `hone disconnect --project %d --delete-predictions`", r.project), "%d of hone's stay", total)
	}
	return nil
}
