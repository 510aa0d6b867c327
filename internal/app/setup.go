package app

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/sirupsen/logrus"

	"github.com/hone-ml/hone/connect"
	"github.com/hone-ml/hone/event"
	"github.com/hone-ml/hone/internal/logging"
	"github.com/hone-ml/hone/learner"
	"github.com/hone-ml/hone/pipeline"
	"github.com/hone-ml/hone/state"
	"github.com/hone-ml/hone/webhook"
)

// firstVersion is the name of a project's first version, for an answer to /setup before the learner
// has one.
const firstVersion = "hone-1"

// registrar implements the webhook server's port for projects that /setup names.
type registrar struct {
	store      *state.Store
	pipeline   *pipeline.Pipeline
	learner    *learner.Learner
	connection *connect.Link
	log        *logrus.Entry
}

var _ webhook.Adopter = registrar{}

func (r registrar) Setup(ctx context.Context, info webhook.SetupInfo) (webhook.SetupReply, error) {
	if err := r.connection.Foreign(info.Hostname); err != nil {
		return webhook.SetupReply{}, fmt.Errorf("%w: %w", webhook.ErrUnusable, err)
	}
	if _, err := LearnedControls(info.LabelConfig); err != nil {
		return webhook.SetupReply{}, fmt.Errorf("%w: %w", webhook.ErrUnusable, err)
	}
	if err := r.publishSetup(ctx, &event.Changed{
		Project: info.Project, CreatedAt: info.CreatedAt, Source: event.FromSetup, At: time.Now(), LabelConfig: info.LabelConfig,
	}, info.Hostname); err != nil {
		return webhook.SetupReply{}, err
	}
	logging.Redact(r.log.Logger, info.AccessToken.Reveal(), info.PageToken.Reveal())
	r.connection.Heard(connect.Setup{Project: info.Project, Hostname: info.Hostname, Token: info.AccessToken, PageToken: info.PageToken, BackendURL: info.BackendURL, Proof: info.Proof, Local: info.Local})
	reply := webhook.SetupReply{ModelVersion: cmp.Or(r.learner.Version(info.Project), firstVersion)}
	if _, none := r.connection.Client(); none != nil {
		reply.Hint = none.Error()
	}
	return reply, nil
}

// publishSetup appends what /setup stated to the log, if it is new: Label Studio calls /setup with
// every task it serves.
func (r registrar) publishSetup(ctx context.Context, c *event.Changed, hostname string) error {
	meta, err := r.store.Meta(ctx, c.Project)
	switch {
	case errors.Is(err, state.ErrUnknownProject):
		return r.pipeline.Publish(ctx, c, &event.ReconcileDue{Project: c.Project, At: c.At, Reason: "first setup"})
	case err != nil:
		return err
	case meta.CreatedAt != c.CreatedAt && meta.CreatedAt != 0 && c.CreatedAt != 0 && r.hasClient():
		// The same id, but another project: Label Studio's database was replaced, or
		// another Label Studio has been given hone's address. To believe the latter
		// would forget every label, so the one hone works with is asked.
		r.log.WithField("project", c.Project).Warn("/setup tells of another project under a known id; asking Label Studio which one it is")
		if err := r.pipeline.Publish(ctx, &event.ReconcileDue{Project: c.Project, At: c.At, Full: true, Reason: "setup of another project"}); err != nil {
			return err
		}
		return fmt.Errorf("%w: %w. If its database was replaced, hone is asking it now: try again in a few seconds", webhook.ErrUnusable, r.connection.ForeignProject(hostname))
	case meta.LabelConfig == c.LabelConfig && (meta.CreatedAt == c.CreatedAt || c.CreatedAt == 0) && !meta.Gone:
		return nil
	}
	return r.pipeline.Publish(ctx, c, &event.ReconcileDue{Project: c.Project, At: c.At, Reason: "setup changed"})
}

func (r registrar) hasClient() bool {
	_, none := r.connection.Client()
	return none == nil
}
