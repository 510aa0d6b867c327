package app

import (
	"context"

	"github.com/hone-ml/hone/api"
	"github.com/hone-ml/hone/evaluate"
	"github.com/hone-ml/hone/event"
	"github.com/hone-ml/hone/learner"
	"github.com/hone-ml/hone/sampler"
	"github.com/hone-ml/hone/sampler/push"
)

// models implements the evaluator's port to the learner.
type models struct{ *learner.Learner }

// confidences implements the evaluator's port to the sampler.
type confidences struct{ *sampler.Sampler }

var (
	_ evaluate.Models = models{}
	_ evaluate.Pool   = confidences{}
)

func (m models) Progress(p event.ProjectID) (labels int, snapshot uint64) {
	st, _ := m.Status(p)
	return st.Labels, st.Snapshot
}

func (c confidences) Confidence(p event.ProjectID) map[string]event.Confidence {
	st, _ := c.Status(p)
	return st.Confidence
}

// onQueue has the accuracy estimated once Label Studio has a queue, or cannot be given it: nobody
// waits for an estimate. It has the learner know of a queue that is new.
func (a *App) onQueue(o sampler.Observation) {
	if o.Stage == sampler.Ranked {
		a.Learner.OnQueue(o.Project)
	}
	if o.Stage == push.Pushed || o.Stage == sampler.Failed {
		a.Guard.Ask(o.Project)
		a.Evaluator.Ask(o.Project)
	}
}

// addAccuracy adds the estimates for the whole pool.
func (a *App) addAccuracy(out *api.Project) {
	point, ok := a.Evaluator.Latest(out.ID)
	if !ok || out.Labels == 0 {
		return
	}
	pool := poolAccuracy(point)
	for i := range out.Heads {
		h := &out.Heads[i]
		if h.Examples == 0 {
			continue
		}
		p, ok := pool[h.Control]
		if !ok {
			p.Labels = point.Labels
		}
		h.PoolAccuracy = &p
	}
}

// poolAccuracy returns the estimates of a point by control.
func poolAccuracy(point event.AccuracyPoint) map[string]api.PoolAccuracy {
	out := map[string]api.PoolAccuracy{}
	for _, h := range point.Heads {
		out[h.Control] = api.PoolAccuracy{Estimate: &h.Estimate, Low: &h.Low, High: &h.High, Random: h.Random, Labels: point.Labels}
	}
	return out
}

// Accuracy implements api.Projects.
func (a apiProjects) Accuracy(ctx context.Context, id event.ProjectID) (api.AccuracyHistory, error) {
	out := api.AccuracyHistory{Points: []api.AccuracyPoint{}}
	if err := a.requireKnown(ctx, id); err != nil {
		return out, err
	}
	history, err := a.Store.AccuracyHistory(ctx, id)
	for _, p := range history {
		asked := p.Asked
		if asked == nil {
			asked = map[string]float64{}
		}
		out.Points = append(out.Points, api.AccuracyPoint{Labels: p.Labels, At: p.At, Pool: poolAccuracy(p), Asked: asked})
	}
	return out, err
}
