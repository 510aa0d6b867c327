package app_test

import (
	"bytes"
	"encoding/json"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hone-ml/hone/api"
	"github.com/hone-ml/hone/event"
	"github.com/hone-ml/hone/internal/app/apptest"
	"github.com/hone-ml/hone/labelstudio"
)

// TestDisconnectUndoesConnect: what connect made goes, what was before is back, and nothing
// more is written; connect begins anew.
func TestDisconnectUndoesConnect(t *testing.T) {
	l := newLoop(t)
	other := labelstudio.Webhook{Project: l.project, URL: "http://other.example/webhook", SendPayload: true, AllActions: true}
	_, err := l.studio.CreateWebhook(t.Context(), other)
	require.NoError(t, err)

	rep, err := l.Disconnect(t.Context(), l.project, true)
	require.NoError(t, err)
	require.False(t, rep.Failed(), "%+v", rep)
	backends, err := l.studio.Backends(t.Context(), l.project)
	require.NoError(t, err)
	assert.Empty(t, backends)
	assert.Equal(t, other.URL, l.hook(t).URL, "only somebody else's is left")
	p, err := l.studio.Project(t.Context(), l.project)
	require.NoError(t, err)
	assert.Equal(t, labelstudio.SequentialSampling, p.Sampling, "as before connect")
	counts, err := l.studio.ModelVersions(t.Context(), l.project)
	require.NoError(t, err)
	assert.Empty(t, counts, "its predictions are deleted")

	before := writes(l.studio)
	l.compare(t)
	got := l.Await(l.project, "it is compared and left alone", func(p api.Project) bool {
		return p.Reconcile != nil && !p.Reconcile.Running && p.LeftAlone == string(event.Disconnected) && strings.Contains(p.Queue.Error, "is disconnected")
	})
	assert.Empty(t, got.Problems, "somebody asked for it")
	assert.Equal(t, 12, got.Tasks, "what hone knows stays")
	assert.Equal(t, before, writes(l.studio))

	l.Register(l.project)
	l.Await(l.project, "it is connected again", func(p api.Project) bool { return p.LeftAlone == "" && p.Queue.Pushed > 0 && len(p.Problems) == 0 })
	assert.Len(t, rep.Steps, 4)
	_, err = l.Disconnect(t.Context(), 4711, false)
	require.ErrorContains(t, err, "unknown project")
}

// TestDisconnectLeavesWhatSomebodyChanged: a sampling that was chosen since, and predictions
// that nobody asked to delete.
func TestDisconnectLeavesWhatSomebodyChanged(t *testing.T) {
	l := newLoop(t)
	l.sample(t, labelstudio.UniformSampling)
	rep, err := l.Disconnect(t.Context(), l.project, false)
	require.NoError(t, err)
	p, err := l.studio.Project(t.Context(), l.project)
	require.NoError(t, err)
	assert.Equal(t, labelstudio.UniformSampling, p.Sampling)
	counts, err := l.studio.ModelVersions(t.Context(), l.project)
	require.NoError(t, err)
	assert.Positive(t, counts["hone-1"])
	assert.Contains(t, rep.Steps[len(rep.Steps)-1].Fix, "--delete-predictions")
	again, err := l.Disconnect(t.Context(), l.project, false)
	require.NoError(t, err, "it is idempotent")
	assert.False(t, again.Failed())
}

// TestForgetLeavesNothing: of the forgotten project nothing is stored, in memory or written to
// Label Studio; another project stays, and connected again it begins from nothing.
func TestForgetLeavesNothing(t *testing.T) {
	l := newLoop(t)
	other := l.studio.NewProject(5)
	l.Register(other)
	page, err := l.studio.TasksPage(t.Context(), l.project, labelstudio.TaskQuery{PageSize: 12})
	require.NoError(t, err)
	for _, task := range page.Tasks[:4] {
		l.studio.Annotate(task.ID, "Food")
	}
	l.Await(l.project, "four labels", func(p api.Project) bool { return p.Labels == 4 && p.Settled })
	l.Await(other, "settled", func(p api.Project) bool { return p.Settled })
	_, err = l.Configure(t.Context(), l.project, []api.Change{{Key: "queue", Value: new("7")}})
	require.NoError(t, err)

	rep, err := l.Forget(t.Context(), l.project)
	require.NoError(t, err)
	assert.False(t, rep.Failed(), "%+v", rep)
	said, err := json.Marshal(rep)
	require.NoError(t, err)
	assert.Contains(t, string(said), "deleted: 12 tasks, 4 annotations")
	assert.Contains(t, string(said), "hone backup")
	_, err = l.Project(t.Context(), l.project)
	require.ErrorContains(t, err, "unknown project")
	listed, err := l.Projects(t.Context())
	require.NoError(t, err)
	require.Len(t, listed, 1)
	assert.Equal(t, other, listed[0].ID)
	known, err := l.Store.Known(t.Context(), l.project)
	require.NoError(t, err)
	assert.Empty(t, known)
	records, err := l.App.Store.Registrations(t.Context())
	require.NoError(t, err)
	assert.NotContains(t, records, l.project)
	assert.NotContains(t, l.Learner.Projects(), l.project)
	_, ranked := l.Sampler.Status(l.project)
	assert.False(t, ranked)
	backends, err := l.studio.Backends(t.Context(), l.project)
	require.NoError(t, err)
	assert.Empty(t, backends, "hone has left Label Studio too")
	counts, err := l.studio.ModelVersions(t.Context(), l.project)
	require.NoError(t, err)
	assert.NotEmpty(t, counts, "what is in Label Studio is not hone's to delete unasked")

	_, err = l.Forget(t.Context(), l.project)
	require.ErrorContains(t, err, "unknown project")
	l.Register(l.project)
	p := l.Await(l.project, "it learns anew", func(p api.Project) bool { return p.Labels == 4 && p.Settled && p.Queue.Pushed > 0 })
	for _, s := range p.Settings {
		assert.False(t, s.Set, s.Key)
	}
}

// TestForgottenTextsLeaveTheFile: after the next start no page of the database holds them.
func TestForgottenTextsLeaveTheFile(t *testing.T) {
	ls := apptest.NewStudio(t)
	cfg := apptest.Settings(t.TempDir(), ls)
	project := ls.NewProject(0)
	const text = "a text that nobody may find again, with a recipe"
	_, err := ls.Import(t.Context(), project, []map[string]string{{"text": text}})
	require.NoError(t, err)
	h := apptest.Start(t, cfg)
	h.Register(project)
	h.Await(project, "settled", func(p api.Project) bool { return p.Tasks == 1 && p.Settled })
	require.True(t, holds(t, cfg.DataDir, text))
	_, err = h.Forget(t.Context(), project)
	require.NoError(t, err)
	h.Stop()
	h = apptest.Start(t, cfg)
	assert.False(t, holds(t, cfg.DataDir, text))
	_, err = h.Project(t.Context(), project)
	require.ErrorContains(t, err, "unknown project")
}

// holds reports whether a text is in a file of a directory.
func holds(t *testing.T, dir, text string) (found bool) {
	t.Helper()
	require.NoError(t, filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := os.ReadFile(path)
		found = found || bytes.Contains(b, []byte(text))
		return err
	}))
	return found
}
