package app

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/hone-ml/hone/connect"
	"github.com/hone-ml/hone/event"
	"github.com/hone-ml/hone/internal/logging"
	"github.com/hone-ml/hone/labelstudio/labelconfig"
	"github.com/hone-ml/hone/state"
	"github.com/hone-ml/hone/webhook"
)

// firstVersion is what a project's first version is called; /setup may have to
// answer before the learner has heard of the project.
const firstVersion = "hone-1"

// registrar takes in the projects that /setup tells of.
type registrar struct{ *App }

var _ webhook.Adopter = registrar{}

func (a registrar) Setup(ctx context.Context, info webhook.SetupInfo) (string, error) {
	cfg, err := labelconfig.Parse(info.LabelConfig)
	if err == nil {
		err = cfg.Check()
	}
	if err != nil {
		return "", fmt.Errorf("%w: %w", webhook.ErrUnusable, err)
	}
	if err := a.publishSetup(ctx, &event.Changed{
		Project: info.Project, CreatedAt: info.CreatedAt, Source: event.FromSetup, At: time.Now(), LabelConfig: info.LabelConfig,
	}); err != nil {
		return "", err
	}
	logging.Redact(a.log.Logger, info.AccessToken.Reveal())
	a.Connection.Heard(connect.Setup{Project: info.Project, Hostname: info.Hostname, Token: info.AccessToken, BackendURL: info.BackendURL, Proof: info.Proof, Local: info.Local})
	if v := a.Learner.Version(info.Project); v != "" {
		return v, nil
	}
	return firstVersion, nil
}

// publishSetup puts what /setup said into the log, if it is news: Label Studio repeats
// itself with every task it serves.
func (a *App) publishSetup(ctx context.Context, c *event.Changed) error {
	meta, err := a.Store.Meta(ctx, c.Project)
	switch {
	case errors.Is(err, state.ErrUnknownProject):
		return a.Pipeline.Publish(ctx, c, &event.ReconcileDue{Project: c.Project, At: c.At, Reason: "first setup"})
	case err != nil:
		return err
	case meta.CreatedAt != c.CreatedAt && meta.CreatedAt != 0 && c.CreatedAt != 0 && a.hasClient():
		// The same id, but another project: Label Studio's database was replaced, or
		// another Label Studio has been given hone's address. To believe the latter
		// would forget every label, so the one hone works with is asked.
		a.log.WithField("project", c.Project).Warn("/setup tells of another project under a known id; asking Label Studio which one it is")
		return a.Pipeline.Publish(ctx, &event.ReconcileDue{Project: c.Project, At: c.At, Full: true, Reason: "setup of another project"})
	case meta.LabelConfig == c.LabelConfig && (meta.CreatedAt == c.CreatedAt || c.CreatedAt == 0) && !meta.Gone:
		return nil
	}
	return a.Pipeline.Publish(ctx, c, &event.ReconcileDue{Project: c.Project, At: c.At, Reason: "setup changed"})
}

func (a *App) hasClient() bool {
	_, none := a.Connection.Client()
	return none == nil
}

// known are the projects hone has heard of and Label Studio still has.
func (a *App) known(ctx context.Context) ([]event.ProjectID, error) {
	metas, err := a.Store.Projects(ctx)
	if err != nil {
		return nil, err
	}
	var ids []event.ProjectID
	for _, m := range metas {
		if !m.Gone {
			ids = append(ids, m.Project)
		}
	}
	return ids, nil
}
