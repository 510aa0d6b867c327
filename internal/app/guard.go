package app

import (
	"context"

	"github.com/hone-ml/hone/api"
	"github.com/hone-ml/hone/evaluate/guard"
	"github.com/hone-ml/hone/event"
	"github.com/hone-ml/hone/learner"
)

// strategyKey is the setting with which somebody names a strategy, and has it compared with random anew.
const strategyKey = "strategy"

// configured implements the guard's port to the settings.
type configured struct{ *learner.Learner }

var (
	_ guard.Models   = models{}
	_ guard.Settings = configured{}
)

func (c configured) Asking(p event.ProjectID) (strategy string, randomShare float64) {
	v, _ := c.Settings(p)
	return v.Ranking.Strategy, v.Ranking.RandomShare
}

// onLeft has the queue ranked at random.
func (a *App) onLeft(p event.ProjectID) { a.Sampler.Refresh(p) }

// addGuard adds how the strategy compares with random.
func (a *App) addGuard(ctx context.Context, out *api.Project) error {
	st, err := a.Guard.Status(ctx, out.ID)
	if err != nil {
		return err
	}
	g := &api.Guard{
		State: string(st.State), Reason: st.Reason, Strategy: st.Strategy, Since: timePtr(st.Since),
		RandomAnswers: st.Random, AskedAnswers: st.Asked, Controls: []api.GuardControl{},
	}
	if n := st.Random + st.Asked; n > 0 {
		g.StrategyShare = new(float64(st.Asked) / float64(n))
	}
	if l := st.Left; l != nil {
		g.LeftAt, g.LeftLabels = timePtr(l.At), l.Labels
	}
	for _, c := range st.Controls {
		g.Controls = append(g.Controls, api.GuardControl{
			Control: c.Control, Trials: c.Trials, AskedAccuracy: c.Asked, RandomAccuracy: c.Random,
			Difference: c.Asked - c.Random, Low: c.Low, High: c.High, LabelsSaved: c.Saved,
		})
	}
	out.Guard = g
	return nil
}
