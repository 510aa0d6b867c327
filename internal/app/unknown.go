package app

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/hone-ml/hone/api"
	"github.com/hone-ml/hone/event"
	"github.com/hone-ml/hone/labelstudio"
	"github.com/hone-ml/hone/state"
)

// askUnknownTime bounds the question about a project that hone does not know.
const askUnknownTime = 3 * time.Second

// requireKnown returns nil for a project that hone has heard of, and otherwise what unknownProject
// says. The other error is the store's.
func (a *App) requireKnown(ctx context.Context, id event.ProjectID) error {
	_, err := a.Store.Meta(ctx, id)
	if errors.Is(err, state.ErrUnknownProject) {
		return a.unknownProject(ctx, id)
	}
	return err
}

// unknownProject returns an error that wraps api.ErrUnknownProject and says what would make hone
// know the project. It asks Label Studio, so that it advises nothing that connect would refuse.
func (a *App) unknownProject(ctx context.Context, id event.ProjectID) error {
	c, err := a.Connection.Client()
	if err != nil {
		return fmt.Errorf("%w %d, and hone cannot look for it: %w", api.ErrUnknownProject, id, err)
	}
	ctx, cancel := context.WithTimeout(ctx, askUnknownTime)
	defer cancel()
	p, err := c.Project(ctx, id)
	switch {
	case labelstudio.IsNotFound(err), labelstudio.IsForbidden(err):
		return fmt.Errorf("%w %d: Label Studio at %s has none with this id, or the token may not see it; take the number from the project's address, or from `hone status`", api.ErrUnknownProject, id, c.URL())
	case err != nil:
		return fmt.Errorf("%w %d, and Label Studio does not say whether it has it: %w; `hone doctor` checks the connection", api.ErrUnknownProject, id, err)
	}
	if _, err := LearnedControls(p.LabelConfig); err != nil {
		return fmt.Errorf("%w %d, and hone cannot be connected with it as it is: %w", api.ErrUnknownProject, id, err)
	}
	return fmt.Errorf("%w %d: run `hone connect --project %d`", api.ErrUnknownProject, id, id)
}
