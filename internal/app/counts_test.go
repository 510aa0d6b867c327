package app_test

import (
	"encoding/json"
	"io"
	"net/http"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hone-ml/hone/api"
	"github.com/hone-ml/hone/internal/app/apptest"
	"github.com/hone-ml/hone/labelstudio"
)

// What status counts is the same after a comparison of everything and after a restart, and
// a healthy loop has no problem.
func TestCountsAreThoseOfWhatIsStored(t *testing.T) {
	const tasks, empty = 20, 3
	s := apptest.NewStudio(t)
	dir := t.TempDir()
	h := apptest.Start(t, apptest.Settings(dir, s))
	p := s.NewProject(tasks)
	_, err := s.Import(t.Context(), p, []map[string]string{{"text": " "}, {"other": "x"}, {"text": ""}})
	require.NoError(t, err)
	h.Register(p)
	page, err := s.TasksPage(t.Context(), p, labelstudio.TaskQuery{})
	require.NoError(t, err)
	for i, task := range page.Tasks[:6] {
		said := labelstudio.AnnotationWrite{LeadTime: new(2.5)}
		result := apptest.Answer("Money")
		switch i {
		case 0:
			result[0].Origin = "prediction"
		case 1:
			result[0].Origin = "prediction-changed"
		case 2:
			said.ParentPrediction = new(int64(1))
		case 3:
			said.Cancelled = new(true)
		case 4:
			result = nil
		}
		said.Result = result
		if result == nil {
			said.Result = json.RawMessage("[]")
		}
		_, err := s.CreateAnnotation(t.Context(), task.ID, said)
		require.NoError(t, err)
	}
	_, err = s.CreateAnnotation(t.Context(), page.Tasks[tasks].ID, labelstudio.AnnotationWrite{Result: apptest.Answer("Food"), LeadTime: new(1.0)})
	require.NoError(t, err)
	want := api.Project{
		Annotations:      api.Annotations{Seen: 7, Learned: 4, Skipped: 1, Unanswered: 1, NoText: 1},
		Suggestions:      api.Suggestions{Accepted: 1, Changed: 1, Rejected: 1},
		TasksWithoutText: empty,
	}
	counted := func(h *apptest.Instance, when string) {
		t.Helper()
		got := h.Await(p, when+": everything is counted", func(p api.Project) bool {
			return p.Annotations == want.Annotations && p.TasksWithoutText == empty && p.Settled
		})
		assert.Equal(t, want.Suggestions, got.Suggestions, when)
		assert.Empty(t, got.Problems, when)
		assert.Zero(t, got.IdenticalPairs, when)
	}
	counted(h, "heard")
	asked, err := h.Reconcile(t.Context(), p)
	require.NoError(t, err)
	h.Await(p, "everything is compared", func(p api.Project) bool {
		return p.Reconcile.LastContents != nil && !p.Reconcile.LastContents.Before(asked) && !p.Reconcile.Running && p.Backlog == 0
	})
	counted(h, "compared")
	h.Stop()
	cfg := apptest.Settings(dir, s)
	cfg.Listen = h.Addrs()[0].String() // where Label Studio looks for it
	h = apptest.Start(t, cfg)
	counted(h, "restarted")
	r, err := http.Get(h.Base + "/metrics")
	require.NoError(t, err)
	defer func() { _ = r.Body.Close() }()
	metrics, err := io.ReadAll(r.Body)
	require.NoError(t, err)
	for _, line := range []string{
		`hone_learner_annotations{fate="learned",project="1"} 4`, `hone_learner_annotations{fate="skipped",project="1"} 1`,
		`hone_learner_suggestions{outcome="rejected",project="1"} 1`, `hone_learner_labelled_tasks_lacking{lack="no_text",project="1"} 1`,
		`hone_pool_tasks_lacking{lack="no_text",project="1"} 2`, `hone_learner_unlearnable_controls{project="1"} 0`,
	} {
		assert.Contains(t, string(metrics), line)
	}
}

// A label config that nothing can be learned under any more is a problem that is named.
func TestAConfigThatBecameUnlearnableIsAProblem(t *testing.T) {
	s := apptest.NewStudio(t)
	h := apptest.Start(t, apptest.Settings(t.TempDir(), s))
	p := s.NewProject(6)
	h.Register(p)
	task, topic := s.Next(p)
	s.Annotate(task, topic)
	h.Await(p, "it is learned", func(p api.Project) bool { return p.Labels == 1 && len(p.Problems) == 0 })
	_, err := s.PatchProject(t.Context(), p, labelstudio.ProjectPatch{LabelConfig: new(`<View><Text name="t" value="$text"/><Choices name="topic" toName="nobody"><Choice value="Money"/><Choice value="Food"/></Choices></View>`)})
	require.NoError(t, err)
	got := h.Await(p, "the problem is named", func(p api.Project) bool { return len(p.Problems) > 0 })
	assert.Contains(t, got.Problems[0], `toName="nobody"`)
	assert.Equal(t, api.Annotations{Seen: 1, NoControl: 1}, got.Annotations)
	require.Len(t, got.Unlearnable, 1)
}
