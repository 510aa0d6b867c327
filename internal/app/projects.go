package app

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/hone-ml/hone/api"
	"github.com/hone-ml/hone/event"
	"github.com/hone-ml/hone/internal/app/core"
	"github.com/hone-ml/hone/labelstudio/regions"
	"github.com/hone-ml/hone/learner"
	"github.com/hone-ml/hone/learner/report"
	"github.com/hone-ml/hone/sampler"
	"github.com/hone-ml/hone/state"
	"github.com/hone-ml/hone/webhook"
)

// projects implements the webhook server's port to projects. It reads memory only.
type projects struct{ learner *learner.Learner }

// apiProjects implements the API's port to projects from all parts.
type apiProjects struct{ *App }

var (
	_ api.Projects     = apiProjects{}
	_ webhook.Projects = projects{}
)

// Projects returns the ids of the connected projects. It reads memory only.
func (p projects) Projects() []event.ProjectID { return p.learner.Projects() }

// Versions returns the names of a project's versions, oldest first. It reads memory only.
func (p projects) Versions(id event.ProjectID) []string {
	var names []string
	for _, v := range p.learner.Versions(id) {
		names = append(names, v.Name)
	}
	return names
}

func (a apiProjects) List(ctx context.Context) (api.Listing, error) {
	out := api.Listing{Projects: []api.Project{}, Problems: a.problems()}
	ids, err := a.known(ctx)
	if err != nil {
		return out, err
	}
	for _, id := range ids {
		p, err := a.Get(ctx, id)
		if err != nil {
			return out, err
		}
		out.Projects = append(out.Projects, p)
	}
	return out, nil
}

// problems returns the problems that concern no single project.
func (a *App) problems() []string {
	var out []string
	if trouble := a.Connection.Trouble(); trouble != "" {
		out = append(out, trouble)
	}
	if a.cfg.Insecure {
		out = append(out, wideOpen)
	}
	return out
}

// Get reads the progress before the counts: when it says that nothing is left to learn, the counts
// include everything.
func (a apiProjects) Get(ctx context.Context, id event.ProjectID) (api.Project, error) {
	out := api.Project{ID: id, Heads: []api.Head{}, Problems: a.problems()}
	a.addReconcile(&out)
	a.addPolling(&out)
	lane, err := a.Pipeline.Lane(core.LearnerGroup, event.Changes, id)
	if err != nil {
		return out, err
	}
	out.Backlog = lane.Entries
	if !lane.Failing.IsZero() {
		out.Problems = append(out.Problems, fmt.Sprintf("since %s its changes cannot be learned, and hone tries again: %s",
			lane.Failing.UTC().Format(time.RFC3339), lane.Reason))
	}
	meta, err := a.Store.Meta(ctx, id)
	if errors.Is(err, state.ErrUnknownProject) {
		return api.Project{}, a.unknownProject(ctx, id)
	}
	if err != nil {
		return api.Project{}, err
	}
	out.Title, out.LastEvent, out.MissedFound = meta.Title, timePtr(meta.LastEvent), meta.Missed
	if meta.Gone {
		out.Problems = append(out.Problems, fmt.Sprintf("Label Studio no longer has this project, or the token may not see it (fix: let the token's user see it again; if it is deleted, `hone forget --project %d` drops what hone holds of it)", id))
	}
	if lacks := a.Connection.Problem(id); lacks != "" && !meta.Gone {
		out.Problems = append(out.Problems, lacks)
	}
	out.Problems = append(out.Problems, a.loopProblems(id)...)
	out.LeftAlone = string(a.Connection.Remembered(id).LeftAlone)
	n, err := a.Store.Count(ctx, id)
	if err != nil {
		return out, err
	}
	out.Tasks, out.Skipped, out.Pool = n.Tasks, n.Skipped, n.Tasks-n.Labelled
	var model *report.Status
	if !meta.Gone {
		model = a.addLearner(&out)
	}
	a.addAccuracy(&out)
	queue := a.addSampler(&out)
	if err := a.addSettings(ctx, &out, n.Labelled); err != nil {
		return out, err
	}
	if err := a.addGuard(ctx, &out); err != nil {
		return out, err
	}
	out.Settled = model != nil && queue != nil && a.isSettled(ctx, &out, model, queue)
	out.DeadLetters, err = a.Pipeline.CountDeadLetters(ctx)
	return out, err
}

// addLearner adds what the learner says, and returns it; nil while it says nothing.
func (a *App) addLearner(out *api.Project) *report.Status {
	trouble := a.Learner.Trouble(out.ID)
	if trouble != "" {
		out.Problems = append(out.Problems, trouble)
	}
	st, ok := a.Learner.Status(out.ID)
	if !ok {
		if trouble == "" {
			out.Problems = append(out.Problems, "its model is being loaded")
		}
		return nil
	}
	out.Labels, out.ModelVersion, out.Snapshot = st.Labels, st.Version, st.Snapshot
	out.OptimalityGap, out.SettingsHeld = st.OptimalityGap, st.SettingsHeld
	out.Annotations, out.Suggestions = api.Annotations(st.Annotations), api.Suggestions(st.Suggestions)
	out.TasksWithoutText, out.IdenticalPairs = st.NoText, st.IdenticalPairs
	for _, h := range st.Heads {
		head := api.Head{Control: h.Control, Type: h.Type, Labels: h.Labels, Examples: h.Examples, Ridge: h.Ridge, Silent: h.Silent, SuggestsNothing: h.SuggestsNothing, Precision: h.Precision}
		addMeanings(&head, h)
		if h.Tested > 0 {
			head.Accuracy, head.RecentAccuracy, head.ECE, head.RecentECE = &h.AccuracyOverall, &h.Accuracy, &h.ECEOverall, &h.ECE
			if h.Labelled {
				head.MacroF1, head.RecentMacroF1, head.LogLoss, head.RecentLogLoss = &h.MacroF1Overall, &h.MacroF1, &h.LogLossOverall, &h.LogLoss
			}
			if h.Numeric {
				head.MAE, head.RecentMAE, head.RMSE, head.RecentRMSE = &h.MAEOverall, &h.MAE, &h.RMSEOverall, &h.RMSE
			}
		}
		out.Heads = append(out.Heads, head)
	}
	for _, u := range st.Unlearnable {
		out.Unlearnable = append(out.Unlearnable, api.Unlearnable{Control: u.Control, Type: u.Type, Reason: u.Reason})
	}
	for _, r := range st.Refused {
		out.Refused = append(out.Refused, api.Refused{Task: r.Task, Control: r.Control, Reason: r.Reason})
	}
	if out.RefusedCount = st.RefusedCount; st.RefusedCount > 0 {
		first := st.Refused[0]
		out.Problems = append(out.Problems, fmt.Sprintf("%d answers could not be learned and were passed over, the first of task %d, control %q: %s",
			st.RefusedCount, first.Task, first.Control, first.Reason))
	}
	if st.Fault != "" {
		out.Problems = append(out.Problems, "the label config cannot be learned from: "+st.Fault)
	}
	if r := st.Retrain; r != nil {
		out.Retrain.Running, out.Retrain.Progress, out.Retrain.Waiting = !r.Again, r.Progress, r.Waiting
	}
	if e := st.Encoding; e != nil {
		out.Encoding = &api.Encoding{Encoder: e.Encoder, Tasks: e.Tasks, Encoded: e.Encoded, Done: e.Done, PerSecond: e.PerSecond, Fault: e.Fault}
		if e.PerSecond > 0 && !e.Done {
			out.Encoding.SecondsLeft = float64(e.Tasks-e.Encoded) / e.PerSecond
		}
		if e.Fault != "" {
			out.Problems = append(out.Problems, "texts are not encoded, and models do without: "+e.Fault)
		}
	}
	if a := st.Adapted; a != nil {
		out.Adapted = &api.Adapted{Control: a.Control, Labels: a.Labels, AdaptingTo: a.Next}
		if a.Labels > 0 {
			out.Adapted.At, out.Adapted.Accuracy, out.Adapted.AccuracyWithout = timePtr(a.At), &a.Accuracy, &a.Without
		}
	}
	if l := st.LastRetrain; l != nil {
		out.Retrain.Last, out.Retrain.Outcome = timePtr(l.At), l.Outcome
	}
	return &st
}

// addSampler adds what the sampler says, and returns it; nil while it says nothing.
func (a *App) addSampler(out *api.Project) *sampler.Status {
	out.Queue = api.Queue{Strategy: a.cfg.Sampler.Strategy, Tasks: []event.TaskID{}, Confidences: []*float64{}, Reasons: []api.Reason{}}
	if _, err := a.Connection.Client(); err != nil {
		out.Queue.Error = err.Error()
	}
	st, ok := a.Sampler.Status(out.ID)
	if !ok {
		return nil
	}
	if out.Queue.Error == "" {
		out.Queue.Error = st.Note
	}
	out.Predictions = describeStored(st.Stored)
	out.TasksWithoutText += st.NoText
	out.IdenticalPairs += st.IdenticalPairs
	out.Queue.RankedBy = st.RankedBy
	if st.Odds != (sampler.OddsStatus{}) {
		out.Odds = new(describeOdds(st.Odds))
	}
	out.Queue.Labels, out.Queue.Pushed, out.Queue.LastPush = st.Labels, st.Pushed, timePtr(st.LastPush)
	out.Queue.ReadySeconds, out.Queue.LagSeconds = st.ReadyLag.Seconds(), st.FrontLag.Seconds()
	for _, it := range st.Queue {
		out.Queue.Tasks = append(out.Queue.Tasks, it.Task)
		if it.Confidence != nil {
			it.Confidence = new(regions.RoundConfidence(*it.Confidence))
		}
		out.Queue.Confidences = append(out.Queue.Confidences, it.Confidence)
		out.Queue.Reasons = append(out.Queue.Reasons, describeReason(it.Reason))
		if it.Random {
			out.Queue.Random = append(out.Queue.Random, it.Task)
		}
	}
	return &st
}

func describeReason(r sampler.Reason) api.Reason {
	out := api.Reason{
		Kind: string(r.Kind), Text: r.Text, Control: r.Control, Levels: r.Levels, Certainty: r.Certainty,
		GroupLabels: r.GroupLabels, Labelled: r.Labelled, Odds: r.Odds,
	}
	for _, b := range r.Between {
		out.Between = append(out.Between, api.LabelProbability(b))
	}
	return out
}

func (a *App) addReconcile(out *api.Project) {
	_, none := a.Connection.Client() // the queue says so already
	st, ok := a.Reconciler.Status(out.ID)
	if !ok {
		return
	}
	out.LastReconcile, out.ReconcileFailures = timePtr(st.LastRun), st.Failures
	out.Reconcile = &api.Reconcile{
		Running: st.Running, Read: st.Read, Total: st.Total, SecondsLeft: st.Left.Seconds(),
		LastFull: timePtr(st.LastFull), LastContents: timePtr(st.LastContents), LastRebuild: timePtr(st.LastAnew),
	}
	if st.Error != "" && none == nil {
		out.Problems = append(out.Problems, "the last comparison with Label Studio failed: "+st.Error)
	}
}

// api.Projects asks for what is stored of each version too.
func (a apiProjects) Versions(ctx context.Context, id event.ProjectID) ([]api.Version, error) {
	if err := a.requireKnown(ctx, id); err != nil {
		return nil, err
	}
	out := []api.Version{}
	for _, v := range a.Learner.Versions(id) {
		out = append(out, api.Version{
			Name: v.Name, Live: v.Live, CreatedAt: v.CreatedAt, Reason: v.Reason, Labels: v.Labels,
			Accuracy: v.Accuracy, AdaptedLabels: v.AdaptedLabels, AccuracyMissing: whyNoAccuracy(v),
		})
	}
	return out, nil
}

// whyNoAccuracy says why a version has no held-out accuracy; "" when it has one.
func whyNoAccuracy(v event.Version) string {
	switch {
	case len(v.Accuracy) > 0:
		return ""
	case v.Reason == learner.ReasonFirst:
		return "made without a retrain, which measures it"
	case v.Labels < learner.MinMeasured:
		return fmt.Sprintf("made of fewer than %d labels", learner.MinMeasured)
	}
	return fmt.Sprintf("no control had %d labels", learner.MinMeasured)
}

// timePtr returns nil for the zero time, which has no form in JSON.
func timePtr(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}

// known returns the projects that the state has and Label Studio has not deleted.
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
