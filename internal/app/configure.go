package app

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/hone-ml/hone/api"
	"github.com/hone-ml/hone/config"
	"github.com/hone-ml/hone/evaluate/guard"
	"github.com/hone-ml/hone/event"
	"github.com/hone-ml/hone/learner"
	"github.com/hone-ml/hone/learner/report"
	"github.com/hone-ml/hone/sampler"
	"github.com/hone-ml/hone/sampler/strategy"
	"github.com/hone-ml/hone/settings"
)

// settingsOf is the table of settings of a hone with a configuration.
func settingsOf(cfg config.Config) *settings.Table {
	s := cfg.Sampler
	return settings.NewTable(settings.Defaults{Ranking: settings.Ranking{Strategy: s.Strategy, Queue: s.Queue, RandomShare: s.RandomShare}, Adapt: cfg.Learner.Adapt}, strategy.Names(), encoderNames(cfg.Learner))
}

// rankingSettings gives the sampler the settings of the learner's last snapshot, with random in place of a
// strategy that was left for it.
type rankingSettings struct {
	learner *learner.Learner
	guard   *guard.Guard
}

var _ sampler.Settings = rankingSettings{}

func (r rankingSettings) Ranking(p event.ProjectID) settings.Ranking {
	v, _ := r.learner.Settings(p)
	v.Ranking.Strategy = r.guard.Strategy(p, v.Ranking.Strategy)
	return v.Ranking
}

// configurer changes settings by way of the log.
type configurer struct{ *App }

var _ api.Configurer = configurer{}

// applyTime bounds the wait for a change to be applied; then it waits in the log, behind
// what is still to be learned.
const applyTime = 5 * time.Second

func (c configurer) Configure(ctx context.Context, id event.ProjectID, changes []api.Change) (api.Configuration, error) {
	out := api.Configuration{Project: id}
	if err := c.requireKnown(ctx, id); err != nil {
		return out, err
	}
	pairs := make([]settings.Pair, len(changes))
	for i, ch := range changes {
		pairs[i] = settings.Pair(ch)
	}
	set, reset, err := c.table.Check(pairs)
	if err == nil {
		err = c.checkControls(id, set)
	}
	if err != nil {
		return out, withStatus{err, http.StatusBadRequest}
	}
	e := &event.Configured{Project: id, At: time.Now(), Set: set, Reset: reset}
	if err := (publisher{c.Pipeline}).Publish(ctx, e); err != nil {
		return out, err
	}
	if slices.ContainsFunc(changes, func(ch api.Change) bool { return ch.Key == strategyKey }) {
		if err := c.Guard.Restart(ctx, id); err != nil {
			return out, err
		}
		defer c.Sampler.Refresh(id) // by the strategy that may have been left
	}
	have, applied, err := c.awaitSettings(ctx, e)
	out.Applied, out.Settings = applied, c.settings(have)
	return out, err
}

// checkControls refuses names of controls and labels that the label config does not have:
// a misspelled one would go on being suggested.
func (c configurer) checkControls(id event.ProjectID, set map[string]string) error {
	st, ok := c.Learner.Status(id)
	v := c.table.Values(set)
	if !ok {
		return nil
	}
	var known, controls []string
	for _, h := range st.Heads {
		known, controls = append(known, h.Control), append(controls, h.Control)
		for _, l := range h.Labels {
			known = append(known, h.Control+"/"+l)
		}
	}
	for _, name := range v.Suggesting.Off {
		if !slices.Contains(known, name) {
			return settings.Faults{{
				Key: "suggestions_off", Value: name, Problem: "no control that hone learns, nor a label of one",
				Fix: fmt.Sprintf("the controls are %s; write a label as CONTROL/LABEL", strings.Join(controls, ", ")),
			}}
		}
	}
	return checkDescribed(st, v.Descriptions)
}

// awaitSettings waits until what is stored is as a change says.
func (c configurer) awaitSettings(ctx context.Context, e *event.Configured) (have map[string]string, applied bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, applyTime)
	defer cancel()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for {
		if have, err = c.Store.ProjectSettings(context.WithoutCancel(ctx), e.Project); err != nil || holds(have, e) {
			return have, err == nil, err
		}
		select {
		case <-ctx.Done():
			return have, false, nil
		case <-tick.C:
		}
	}
}

// holds reports whether settings are as a change says.
func holds(have map[string]string, e *event.Configured) bool {
	for key, value := range e.Set {
		if got, set := have[key]; !set || got != value {
			return false
		}
	}
	return !slices.ContainsFunc(e.Reset, func(key string) bool { _, set := have[key]; return set })
}

// settings are all settings of a project that has those, in the API's terms.
func (a *App) settings(have map[string]string) []api.Setting {
	var out []api.Setting
	for _, s := range a.table.List(have) {
		out = append(out, api.Setting{Key: s.Key, Value: s.Value, Default: s.Default, Set: s.IsSet, Type: s.Type, Doc: s.Doc})
	}
	return out
}

// addSettings tells of a project's settings, and where they keep hone from working.
func (a *App) addSettings(ctx context.Context, out *api.Project, labelled int) error {
	have, err := a.Store.ProjectSettings(ctx, out.ID)
	if err != nil {
		return err
	}
	out.Settings = a.settings(have)
	out.Problems = append(out.Problems, a.table.Faults(have)...)
	v := a.table.Values(have)
	out.Queue.Strategy = a.Guard.Strategy(out.ID, v.Ranking.Strategy)
	if out.Labels == 0 && labelled > 0 && out.Backlog == 0 && out.ModelVersion != "" && !v.Learning.Same(settings.DefaultLearning()) {
		out.Problems = append(out.Problems, fmt.Sprintf("%d tasks are labelled, but no annotation is of those that are learned from: look at learn_from_users and learn_from_states in `hone configure --project %d`", labelled, out.ID))
	}
	return nil
}

// isSettled reports whether nothing is left to do for a project: what was said of the
// comparison with Label Studio, the backlog, the model and the queue was read in that order.
func (a *App) isSettled(ctx context.Context, out *api.Project, model *report.Status, q *sampler.Status) bool {
	if out.Reconcile == nil || out.Reconcile.LastFull == nil {
		return false // what changed while hone did not run, or before it was connected, is not known
	}
	if out.Backlog > 0 || !model.Settled || model.VectorsMissing || !q.Complete || q.Pushed < len(q.Queue) || q.Snapshot < model.Announced {
		return false
	}
	ids := make([]event.TaskID, len(q.Queue))
	for i, it := range q.Queue {
		ids[i] = it.Task
	}
	tasks, err := a.Store.Tasks(ctx, out.ID, ids)
	if err != nil {
		return false
	}
	queued := make([]event.Task, len(tasks))
	for i, t := range tasks {
		queued[i] = t.Task
	}
	return a.Learner.HasVectors(out.ID, queued)
}
