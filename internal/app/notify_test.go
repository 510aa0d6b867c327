package app_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hone-ml/hone/api"
	"github.com/hone-ml/hone/internal/app/apptest"
	"github.com/hone-ml/hone/internal/secret"
	"github.com/hone-ml/hone/labelstudio"
)

// TestProblemsAreToldToTheChat: where notify.url is set, a problem is posted there when it
// appears; the log never has the address.
func TestProblemsAreToldToTheChat(t *testing.T) {
	posts := make(chan map[string]any, 10)
	chat := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		var got map[string]any
		if assert.NoError(t, json.NewDecoder(r.Body).Decode(&got)) {
			posts <- got
		}
	}))
	defer chat.Close()
	ls := apptest.NewStudio(t)
	cfg := apptest.Settings(t.TempDir(), ls)
	const token = "a-token-of-the-chat"
	cfg.Notify.URL = secret.Secret(chat.URL + "/hooks/" + token)
	project := ls.NewProject(3)
	h := apptest.Start(t, cfg)
	h.Register(project)
	h.Await(project, "in order", func(p api.Project) bool { return p.Settled && len(p.Problems) == 0 })
	_, err := ls.PatchProject(t.Context(), project, labelstudio.ProjectPatch{Sampling: new(labelstudio.UniformSampling)})
	require.NoError(t, err)
	got := <-posts
	assert.Equal(t, "appeared", got["state"])
	assert.Contains(t, got["problem"], "Uniform sampling")
	assert.Contains(t, got["fix"], "hone connect")
	assert.Contains(t, got["text"], "hone, project 1: sampling")
	assert.NotContains(t, h.Log.String(), token)
}
