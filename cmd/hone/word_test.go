package main

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hone-ml/hone/api"
	"github.com/hone-ml/hone/event"
	"github.com/hone-ml/hone/internal/app/apptest"
	"github.com/hone-ml/hone/internal/app/core"
)

// contents are the annotations of a project by id, as one text each.
func contents(tasks []event.TaskState) map[event.AnnotationID]string {
	out := map[event.AnnotationID]string{}
	for _, t := range tasks {
		for _, a := range t.Annotations {
			out[a.ID] = fmt.Sprintf("task %d, %s, %s", a.Task, a.UpdatedAt.UTC(), strings.Join(strings.Fields(string(a.Result)), ""))
		}
	}
	return out
}

func (i *instance) contents(p event.ProjectID) map[event.AnnotationID]string {
	i.t.Helper()
	tasks, err := i.Store.Tasks(context.Background(), p, nil)
	require.NoError(i.t, err)
	return contents(tasks)
}

// forge posts a webhook with the right secret and waits until it is learned.
func (i *instance) forge(body string) {
	i.t.Helper()
	status, answer := i.Post("/webhook", body)
	require.Equal(i.t, 200, status, answer)
	apptest.Until(i.t, "it is learned", func() bool {
		heard, err := i.EventLog.Last(string(event.Changes))
		require.NoError(i.t, err)
		applied, err := i.Pipeline.Handled(core.LearnerGroup, event.Changes, 1)
		require.NoError(i.t, err)
		return heard == applied
	})
}

// Whoever knows the secret can say anything: what Label Studio holds counts as soon
// as it is read, and what a webhook deleted is asked at once.
func TestLabelStudiosWordIsFinal(t *testing.T) {
	s := apptest.NewStudio(t)
	p := s.NewProject(12)
	h := start(t, apptest.Settings(t.TempDir(), s))
	h.Register(p)
	var ids []string
	for range 8 {
		task, topic := s.Next(p)
		ids = append(ids, fmt.Sprintf(`{"id":%d}`, s.Annotate(task, topic).ID))
	}
	h.Await(p, "learned", func(p api.Project) bool { return p.Labels == 8 && p.Backlog == 0 && p.LastReconcile != nil })
	truth := h.contents(p)
	require.Len(t, truth, 8)
	project := fmt.Sprintf(`"project":{"id":%d}`, p)
	back := func() bool { return assert.ObjectsAreEqual(truth, h.contents(p)) }

	h.forge(`{"action":"ANNOTATIONS_DELETED","annotations":[` + strings.Join(ids, ",") + `],` + project + `}`)
	apptest.Until(t, "the labels are back", back)
	h.forge(`{"action":"TASKS_DELETED","tasks":[1,2,3,4,5,6,7,8,9,10,11,12],` + project + `}`)
	apptest.Until(t, "the tasks are back", back)

	h.forge(fmt.Sprintf(`{"action":"PROJECT_DELETED",%s}`, project))
	h.forge(fmt.Sprintf(`{"action":"PROJECT_UPDATED","project":{"id":%d,"created_at":"2001-01-01T00:00:00Z","title":"forged"}}`, p))
	assert.Equal(t, truth, h.contents(p), "such news are only reasons to ask")
	h.forge(fmt.Sprintf(`{"action":"PROJECT_UPDATED","project":{"id":%d,"label_config":"<View/>","title":"forged"}}`, p))
	h.Await(p, "the label config is Label Studio's again", func(p api.Project) bool {
		return p.Title == "topics" && len(p.Heads) == 1 && p.Labels == 8
	})

	var annotation event.AnnotationID
	var task event.TaskID
	tasks, err := h.Store.Tasks(t.Context(), p, nil)
	require.NoError(t, err)
	for _, ts := range tasks {
		for _, a := range ts.Annotations {
			annotation, task = a.ID, ts.Task.ID
		}
	}
	h.forge(fmt.Sprintf(`{"action":"ANNOTATION_UPDATED","annotation":{"id":%d,"task":%d,"result":[],"updated_at":"9999-01-01T00:00:00Z"},%s}`, annotation, task, project))
	assert.NotEqual(t, truth, h.contents(p), "it counts until Label Studio is read")
	assert.Regexp(t, `^project 1: [01] missed changes found, 8 labels\n$`, h.ok("reconcile")) // one under way may find it before
	assert.Equal(t, truth, h.contents(p))

	h.forge(fmt.Sprintf(`{"action":"ANNOTATION_UPDATED","annotation":{"id":%d,"task":%d,"result":[],"updated_at":"9998-01-01T00:00:00Z"},%s}`, annotation, task, project))
	var out struct{ Projects []rebuildResult }
	require.NoError(t, json.Unmarshal([]byte(h.ok("rebuild", "--all", "--json")), &out))
	assert.Equal(t, []rebuildResult{{Project: p, Tasks: 12, Found: 1, Labels: 8}}, out.Projects)
	assert.Equal(t, truth, h.contents(p))
	assert.Equal(t, "project 1: 12 tasks read, 0 of their changes were not known, 8 labels\n", h.ok("rebuild"))
	assert.Empty(t, h.ok("rebuild", "--no-wait"))
	_, err = h.cmd("rebuild", "--project", "1", "--all")
	assert.ErrorContains(t, err, "none of the others can be")
}
