package learner_test

import (
	"context"
	"testing"

	"github.com/hone-ml/hone/event"
	"github.com/hone-ml/hone/internal/service"
	"github.com/hone-ml/hone/internal/service/servicetest"
	"github.com/hone-ml/hone/learner"
)

// nothing is a store that holds nothing and keeps nothing.
type nothing struct{}

func (nothing) Load(context.Context, event.ProjectID) (event.ProjectState, error) {
	return event.ProjectState{Labelled: func(func(event.TaskState, error) bool) {}}, nil
}
func (nothing) Plan(context.Context, []*event.Changed) ([]event.Delta, error) { return nil, nil }
func (nothing) Commit(context.Context, event.Commit) error                    { return nil }

func (nothing) Forget(context.Context, event.ProjectID) error { return nil }

func TestStartAndStopInAnyOrder(t *testing.T) {
	servicetest.Stress(t, func(t *testing.T) service.Service {
		l, err := learner.New(nothing{}, learner.Options{})
		must(t, err)
		must(t, l.Load(bg, []event.ProjectID{1, 2}))
		return l
	})
}
