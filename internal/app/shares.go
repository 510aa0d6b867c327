package app

import (
	"context"
	"slices"

	"github.com/hone-ml/hone/api"
	"github.com/hone-ml/hone/evaluate/shares"
	"github.com/hone-ml/hone/event"
	"github.com/hone-ml/hone/sampler"
)

// Shares implements api.Projects.
func (a apiProjects) Shares(ctx context.Context, id event.ProjectID) (api.Shares, error) {
	out := api.Shares{Controls: []api.ControlShares{}}
	if err := a.requireKnown(ctx, id); err != nil {
		return out, err
	}
	n, err := a.Store.Count(ctx, id)
	if err != nil {
		return out, err
	}
	out.Tasks = n.Tasks
	if st, ok := a.Sampler.Status(id); ok {
		out.Odds, out.Tasks = describeOdds(st.Odds), st.Pool+n.Labelled
	}
	draws, open, err := a.draws(ctx, id)
	if err != nil || len(draws) == 0 {
		return out, err
	}
	answers, err := a.Learner.ControlAnswers(ctx, id)
	if err != nil {
		return out, err
	}
	for _, of := range answers {
		r := shares.Estimate(out.Tasks, draws, of, open)
		c := api.ControlShares{Control: r.Control, Shares: []api.LabelShare{}, Draws: r.Draws, Missing: r.Missing, Waiting: r.Waiting}
		for _, s := range r.Shares {
			c.Shares = append(c.Shares, api.LabelShare{Label: s.Label, Estimate: s.Estimate, Low: s.Low, High: s.High})
		}
		out.Controls = append(out.Controls, c)
	}
	return out, nil
}

// draws returns all draws of a project, and the tasks of them that may still be answered.
func (a *App) draws(ctx context.Context, id event.ProjectID) (draws []event.Draw, open map[event.TaskID]bool, err error) {
	if draws, err = a.Store.Draws(ctx, id); err != nil || len(draws) == 0 {
		return nil, nil, err
	}
	ids := make([]event.TaskID, len(draws))
	for i, d := range draws {
		ids[i] = d.Task
	}
	slices.Sort(ids)
	states, err := a.Store.Tasks(ctx, id, slices.Compact(ids))
	if err != nil {
		return nil, nil, err
	}
	open = map[event.TaskID]bool{}
	for _, t := range states {
		if !t.Deleted && !t.Labelled() && !t.Skipped() {
			open[t.Task.ID] = true
		}
	}
	return draws, open, nil
}

func describeOdds(o sampler.OddsStatus) api.Odds { return api.Odds(o) }
