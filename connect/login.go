package connect

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"github.com/hone-ml/hone/api"
	"github.com/hone-ml/hone/internal/secret"
	"github.com/hone-ml/hone/labelstudio"
)

// errConfigured says that the configuration decides which Label Studio hone works with.
var errConfigured = errors.New("LABEL_STUDIO_URL and LABEL_STUDIO_API_KEY are set for the running hone, and count before what `hone login` stores: change them there, or remove them, and restart hone")

// CheckLogin makes the client for an address and a token that an administrator gives, and
// tries them: a report with a failed step means that they do not work. The client is nil
// then. It needs no running hone.
func CheckLogin(ctx context.Context, template labelstudio.Options, at string, token secret.Secret) (*labelstudio.Client, api.Report, error) {
	template.URL, template.Token = at, token
	c, err := labelstudio.NewClient(template)
	if err != nil {
		return nil, api.Report{}, &faultError{http.StatusBadRequest, err}
	}
	steps, ok := CheckClient(ctx, c)
	if !ok {
		c.Close()
		return nil, api.Report{Steps: steps}, nil
	}
	return c, api.Report{Steps: steps}, nil
}

// Login tries an address and a token that an administrator gives. If they work, hone keeps
// them and works with them from now on. The error says why they are not even tried: the
// configuration decides, or hone's data is of another Label Studio.
func (l *Link) Login(ctx context.Context, at string, token secret.Secret) (api.Report, error) {
	switch {
	case l.o.URL != "" && l.o.Token != "":
		return api.Report{}, &faultError{http.StatusConflict, errConfigured}
	case l.o.URL != "" && !sameURL(l.o.URL, at):
		return api.Report{}, &faultError{http.StatusConflict, fmt.Errorf("LABEL_STUDIO_URL is %s for the running hone: log in there, or change it and restart hone", l.o.URL)}
	}
	c, rep, err := CheckLogin(ctx, l.o.Client, at, token)
	if c == nil {
		return rep, err
	}
	if err := l.ownsData(ctx, c); err != nil {
		c.Close()
		return api.Report{}, err
	}
	kept := Credential{URL: c.URL(), Token: token, Chosen: true}
	if err := l.o.Vault.SetCredential(ctx, kept); err != nil {
		c.Close()
		return api.Report{}, err
	}
	l.use(c, kept)
	l.o.Logger.WithField("label_studio", kept.URL).Info("hone works with the Label Studio that `hone login` named")
	rep.Steps = append(rep.Steps, api.Step{Level: "ok", Name: "login", What: "stored beside the database, for hone alone to read; it is in use now and after a restart"})
	return rep, nil
}

// maxOwned is how many projects ownsData compares.
const maxOwned = 20

// ownsData returns nil if the Label Studio may be the one that hone's data is of: no project
// that hone knows is another one there, made at another time. With another Label Studio hone
// would forget every label.
func (l *Link) ownsData(ctx context.Context, c *labelstudio.Client) error {
	if l.o.CreatedAt == nil || l.o.Known == nil {
		return nil
	}
	known, err := l.o.Known(ctx)
	if err != nil {
		return err
	}
	for _, id := range known[:min(len(known), maxOwned)] {
		at, err := l.o.CreatedAt(ctx, id)
		if err != nil || at == 0 {
			continue // nothing to compare with
		}
		p, err := c.Project(ctx, id)
		if err == nil && p.CreatedAt.Unix() != at {
			return &faultError{http.StatusConflict, fmt.Errorf("project %d of %s is not the project %d that hone has learned: %s", id, c.URL(), id, oneEach)}
		}
	}
	return nil
}

// oneEach is what to do where a second Label Studio meets hone.
const oneEach = "one hone serves one Label Studio; run a second hone for the other, with a --data-dir and a port of its own (`hone serve --data-dir other --listen :9091`)"
