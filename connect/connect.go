package connect

import (
	"context"
	"fmt"
	"net/http"
	"net/url"

	"github.com/hone-ml/hone/api"
	"github.com/hone-ml/hone/event"
	"github.com/hone-ml/hone/labelstudio"
)

// faultError is an error with the status hone's API answers.
type faultError struct {
	status int
	error
}

func (e *faultError) HTTPStatus() int { return e.status }
func (e *faultError) Unwrap() error   { return e.error }

// title is what annotators see as the model's name.
const title = "Hone"

// Connect registers hone, reachable for Label Studio at the given URL, with a
// project. It is idempotent: what is in order stays as it is.
//
// The webhook is made before the backend: Label Studio makes one of its own,
// unsigned, only when there is none to the same address.
func (l *Link) Connect(ctx context.Context, p event.ProjectID, at string) (api.Report, error) {
	if u, err := url.Parse(at); err != nil || u.Host == "" || (u.Scheme != "http" && u.Scheme != "https") {
		return api.Report{}, &faultError{http.StatusBadRequest, fmt.Errorf("%q is not an address: give hone's as Label Studio sees it, such as http://hone.internal:9090", at)}
	}
	c, err := l.Client()
	if err != nil {
		return api.Report{}, &faultError{http.StatusConflict, err}
	}
	r := &registration{link: l, client: c, project: p, url: at, report: api.Report{Project: p}}
	if err := r.read(ctx); err != nil {
		return api.Report{}, explain(err)
	}
	if cfg, err := labelstudio.ParseLabelConfig(r.of.LabelConfig); err != nil {
		return api.Report{}, &faultError{http.StatusUnprocessableEntity, err}
	} else if err := cfg.Check(); err != nil {
		return api.Report{}, &faultError{http.StatusUnprocessableEntity, err}
	}
	if err := r.mendHooks(ctx, true); err != nil {
		return r.report, explain(err)
	}
	if err := r.mendBackend(ctx); err != nil {
		return r.report, explain(err)
	}
	if err := r.mendSampling(ctx, true); err != nil {
		return r.report, explain(err)
	}
	return r.report, nil
}

func (r *registration) mendBackend(ctx context.Context) error {
	const name = "ML backend"
	b, i := r.backend()
	if i < 0 {
		if _, err := r.client.AddBackend(ctx, labelstudio.BackendWrite{
			Project: r.project, URL: r.url, Title: title, Interactive: true, User: r.link.o.User, Password: r.link.o.Password,
		}); err != nil {
			return err
		}
		i = len(r.backends)
		r.say("ok", name, "", "added, at %s", r.url)
	} else {
		r.say("ok", name, "", "at %s, state %s", b.URL, b.State)
	}
	if i > 0 {
		r.say("warn", name, "remove the other backend in Settings > Model", "%s comes before hone, and Label Studio asks only the first", r.backends[0].URL)
	}
	return nil
}

// explain gives a fault of Label Studio's the status of a bad gateway.
func explain(err error) error {
	if labelstudio.IsNotFound(err) {
		return &faultError{http.StatusNotFound, fmt.Errorf("there is no such project, or the token may not see it: %w", err)}
	}
	return &faultError{http.StatusBadGateway, err}
}
