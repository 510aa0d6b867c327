package main

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hone-ml/hone/api"
	"github.com/hone-ml/hone/event"
	"github.com/hone-ml/hone/internal/app/apptest"
)

func TestPrelabelCommand(t *testing.T) {
	const tasks = 90
	s := apptest.NewStudio(t)
	h := start(t, apptest.Settings(t.TempDir(), s))
	p := s.NewProject(tasks)
	h.Register(p)
	h.Await(p, "the queue stands in Label Studio", func(p api.Project) bool {
		return p.Pool == tasks && len(p.Queue.Tasks) > 0 && p.Queue.Pushed == len(p.Queue.Tasks)
	})
	for i := range 3 {
		task, topic := s.Next(p)
		s.Annotate(task, topic)
		h.Await(p, "learned", func(p api.Project) bool { return p.Labels == i+1 })
	}
	assert.Contains(t, h.ok("prelabel", "--project", "1"), "90 of 90 tasks have a prediction of hone-1 in Label Studio")
	counts := map[event.TaskID]int{}
	for r, err := range s.Predictions(t.Context(), p) {
		require.NoError(t, err)
		if *r.Score >= 0.01 {
			counts[r.Task]++
		}
	}
	assert.Len(t, counts, tasks, "labelled tasks too")
	for id, n := range counts {
		assert.Equal(t, 1, n, "task %d", id)
	}
	writes := len(s.Requests())
	var out struct {
		Project  event.ProjectID
		Prelabel api.Prelabel
	}
	require.NoError(t, json.Unmarshal([]byte(h.ok("prelabel", "--json")), &out))
	assert.Equal(t, p, out.Project)
	assert.Equal(t, tasks, out.Prelabel.Predicted)
	for _, r := range s.Requests()[writes:] {
		assert.NotContains(t, r.Path, "/import/predictions", "the second time nothing lacks")
	}

	_, err := h.cmd("prelabel", "--project", "7")
	require.ErrorContains(t, err, "unknown project 7: Label Studio at ")
	require.NoError(t, s.DeleteProject(t.Context(), p))
	_, err = h.cmd("prelabel", "--project", "1")
	require.ErrorContains(t, err, "no longer has")
}
