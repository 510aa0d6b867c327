package app_test

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/hone-ml/hone/event"
	"github.com/hone-ml/hone/labelstudio"
)

// rows are the predictions that Label Studio holds of a project.
func (w *world) rows(p event.ProjectID) (all []labelstudio.StoredPrediction) {
	for r, err := range w.user.StoredPredictions(context.Background(), p) {
		w.must(err)
		all = append(all, r)
	}
	return all
}

// oldRows counts the predictions of hone's other versions.
func (w *world) oldRows(p event.ProjectID, version string) (n int) {
	counts, err := w.user.ModelVersions(context.Background(), p)
	w.must(err)
	for v, of := range counts {
		if strings.HasPrefix(v, "hone-") && v != version {
			n += of
		}
	}
	return n
}

// checkStored: what Label Studio stores says what the model says, but of tasks that were
// labelled in the queue, whose rows stay as people saw them; and no task that had a
// prediction that people asked for has lost it.
func (w *world) checkStored(p event.ProjectID) {
	labelled, tasks := map[event.TaskID]bool{}, []event.Task{}
	for _, t := range w.there(p) {
		for _, a := range t.Annotations {
			labelled[t.ID] = labelled[t.ID] || !a.Cancelled
		}
		tasks = append(tasks, t.Task)
	}
	results, err := w.hone.app.Learner.Regions(context.Background(), p, tasks)
	w.must(err)
	says := map[event.TaskID]string{}
	for i, t := range tasks {
		says[t.ID] = choiceIn(results[i])
	}
	has := map[event.TaskID]bool{}
	for _, r := range w.rows(p) {
		has[r.Task] = true
		if r.Score != nil && *r.Score < 0.01 && labelled[r.Task] {
			continue
		}
		if stored := choiceIn(r.Result); stored != says[r.Task] {
			w.wrong("project %d: prediction %d of task %d says %q, the model %q", p, r.ID, r.Task, stored, says[r.Task])
		}
	}
	for id := range w.retrieved[p] {
		if _, there := says[id]; there && !has[id] {
			w.wrong("project %d: task %d had a prediction and has none", p, id)
		}
	}
}

// remember notes which tasks have predictions that people asked for. A label config that
// changes, or a Label Studio that is restored, may take them away. So may one that had
// changed before hone heard of it: what hone said then fits no longer.
func (w *world) remember(p event.ProjectID) {
	project, err := w.user.Project(context.Background(), p)
	w.must(err)
	w.retrieved[p] = map[event.TaskID]bool{}
	for _, r := range w.rows(p) {
		if r.Score != nil && *r.Score >= 0.01 && suits(project.LabelConfig, r.Result) {
			w.retrieved[p][r.Task] = true
		}
	}
}

// suits reports whether a label config has the controls and the choices of a result.
func suits(config string, result json.RawMessage) bool {
	var regions []struct {
		From  string `json:"from_name"`
		Type  string
		Value struct{ Choices []string }
	}
	if json.Unmarshal(result, &regions) != nil {
		return false
	}
	for _, r := range regions {
		if !strings.Contains(strings.ToLower(config), fmt.Sprintf("<%s name=%q", r.Type, r.From)) {
			return false
		}
		for _, choice := range r.Value.Choices {
			if !strings.Contains(config, fmt.Sprintf("<Choice value=%q", choice)) {
				return false
			}
		}
	}
	return true
}
