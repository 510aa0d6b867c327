package connect

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"github.com/hone-ml/hone/api"
	"github.com/hone-ml/hone/event"
	"github.com/hone-ml/hone/internal/secret"
	"github.com/hone-ml/hone/labelstudio"
)

// faultError is an error with the status hone's API answers.
type faultError struct {
	status int
	error
}

func (e *faultError) HTTPStatus() int { return e.status }

func (e *faultError) Unwrap() error { return e.error }

// modelTitle is the model's name that annotators see.
const modelTitle = "Hone"

// Connect registers hone, reachable for Label Studio at the given URL, with a
// project. It is idempotent: what is in order stays as it is.
//
// The webhook is made before the backend: Label Studio makes one of its own,
// unsigned, only when there is none to the same address.
func (l *Link) Connect(ctx context.Context, p event.ProjectID, at string) (api.Report, error) {
	if u, err := url.Parse(at); err != nil || u.Host == "" || (u.Scheme != "http" && u.Scheme != "https") {
		return api.Report{}, &faultError{http.StatusBadRequest, fmt.Errorf("%q is not an address: give hone's as Label Studio sees it, such as http://hone.internal:9090", at)}
	}
	at = labelstudio.WithoutUserInfo(at) // hone knows its secret, and where it belongs
	if err := labelstudio.CheckHookHost(at); err != nil {
		return api.Report{}, &faultError{http.StatusBadRequest, err}
	}
	c, err := l.Client()
	if err != nil {
		return api.Report{}, &faultError{http.StatusConflict, err}
	}
	if err := l.challenge(ctx, at, true); err != nil {
		return api.Report{}, &faultError{http.StatusBadRequest, fmt.Errorf("hone is not registered at %s: %w; give the address under which both Label Studio and hone's own machine reach hone", redactURL(at), err)}
	}
	if err := l.lock(ctx); err != nil {
		return api.Report{}, err
	}
	defer l.unlock()
	generation, _ := l.beginCheck(p)
	r := &registration{link: l, client: c, project: p, url: at, report: api.Report{Project: p}, refused: l.o.Refused().Calls}
	if err := r.readAll(ctx); err != nil {
		return api.Report{}, asBadGateway(err)
	}
	if b, i := r.backend(); i >= 0 {
		r.url = b.URL // as it is spelled there
	}
	learned, err := l.o.Learned(r.current.LabelConfig)
	if err != nil {
		return api.Report{}, &faultError{http.StatusUnprocessableEntity, err}
	}
	made, err := r.repairHooks(ctx)
	if err != nil {
		return r.report, asBadGateway(err)
	}
	if err := r.repairBackend(ctx); err != nil {
		if made != 0 {
			// A webhook that does not reach hone costs every annotator a second.
			undo, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
			defer cancel()
			err = errors.Join(err, c.DeleteWebhook(undo, made))
		}
		return api.Report{Project: p}, asBadGateway(err)
	}
	r.rememberURL(ctx)
	r.rememberHook(ctx)
	if err := r.repairSampling(ctx, true); err != nil {
		return r.report, asBadGateway(err)
	}
	r.reportConfig(learned)
	l.settleRecord(p, generation, r.url, nil)
	l.lookNow(p, false)
	return r.report, nil
}

func (r *registration) repairBackend(ctx context.Context) error {
	const name = "ML backend"
	write := r.backendWrite()
	b, i := r.backend()
	switch {
	case i < 0:
		if _, err := r.client.AddBackend(ctx, write); err != nil {
			return withAddressHelp(err, r.url)
		}
		i = len(r.backends)
		r.addStep("ok", name, "", "added, at %s", redactURL(r.url))
	case r.lacksSecret(b):
		if err := r.giveSecret(ctx, b); err != nil {
			return err
		}
	default:
		r.reportState(b)
	}
	if i > 0 {
		r.addStep("warn", name, "remove the other backend in Settings > Model", "%s comes before hone, and Label Studio asks only the first", redactURL(r.backends[0].URL))
	}
	return nil
}

// backendWrite returns the backend that hone registers: the secret is in the fields that
// Label Studio shows to nobody.
func (r *registration) backendWrite() labelstudio.BackendWrite {
	pair := r.link.o.Keys.Backend()
	return labelstudio.BackendWrite{
		Project: r.project, URL: labelstudio.WithoutUserInfo(r.url), Title: modelTitle, Interactive: true,
		User: pair.User, Password: secret.Secret(pair.Password),
	}
}

// giveSecret makes Label Studio call hone's backend with the secret.
func (r *registration) giveSecret(ctx context.Context, b labelstudio.Backend) error {
	write := r.backendWrite()
	write.URL, write.Title, write.Interactive = labelstudio.WithoutUserInfo(b.URL), b.Title, b.Interactive
	if _, err := r.client.PatchBackend(ctx, b.ID, write); err != nil {
		return withAddressHelp(err, b.URL)
	}
	r.url = write.URL
	r.addStep("ok", "ML backend", "", "mended: it %s", unsignedFault)
	return nil
}

// reportState adds a step that says whether Label Studio reaches hone, from the state of the
// backend.
func (r *registration) reportState(b labelstudio.Backend) {
	const name = "ML backend"
	switch b.State {
	case "DI":
		r.addStep("fail", name, "open the port, or register the address under which Label Studio's machine or container reaches hone: `hone connect --url`; for a private address, "+labelstudio.UnblockFix, "Label Studio does not reach %s", redactURL(b.URL))
	case "ER":
		r.addStep("fail", name, "read the sentence above; if it is 401, give the backend hone's user and password in Settings > Model", "Label Studio reaches %s, but /setup failed: %s", redactURL(b.URL), b.Error)
	default:
		r.addStep("ok", name, "", "Label Studio reaches %s", redactURL(b.URL))
	}
}

// withAddressHelp adds to an error what to do when Label Studio refuses hone's address.
func withAddressHelp(err error, at string) error {
	if labelstudio.IsInvalid(err) {
		return fmt.Errorf("%w; Label Studio must reach hone at %s: if that is not hone's address as Label Studio's machine or container sees it, give the right one with --url", err, redactURL(at))
	}
	return err
}

// asBadGateway gives an error of Label Studio the status 502.
func asBadGateway(err error) error {
	if labelstudio.IsNotFound(err) {
		return &faultError{http.StatusNotFound, fmt.Errorf("there is no such project, or the token may not see it: %w", err)}
	}
	return &faultError{http.StatusBadGateway, err}
}
