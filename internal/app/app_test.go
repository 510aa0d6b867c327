package app_test

import (
	"encoding/json"
	"fmt"
	"math"
	"net/http"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hone-ml/hone/api"
	"github.com/hone-ml/hone/event"
	"github.com/hone-ml/hone/internal/app"
	"github.com/hone-ml/hone/internal/app/apptest"
	"github.com/hone-ml/hone/labelstudio"
	"github.com/hone-ml/hone/labelstudio/lstest"
	"github.com/hone-ml/hone/labelstudio/lstest/admin"
)

// unseen are texts that no task has.
func unseen() (texts, topics []string) {
	for i := 300; i < 330; i++ {
		s, topic := apptest.Text(i)
		texts, topics = append(texts, s), append(topics, topic)
	}
	return texts, topics
}

func right(got, want []string) (n int) {
	for i := range got {
		if got[i] == want[i] {
			n++
		}
	}
	return n
}

// TestWholeHone is the loop, from connecting to a restart.
func TestWholeHone(t *testing.T) {
	const tasks, labels = 60, 20
	whole := t
	s := apptest.NewStudio(t)
	dir := t.TempDir()
	h := apptest.Start(t, apptest.Settings(dir, s))
	p := s.NewProject(tasks)
	h.Register(p)
	h.Await(p, "the pool is read and the queue stands in Label Studio", func(p api.Project) bool {
		return p.Pool == tasks && p.Queue.Pushed >= 5
	})
	apptest.Until(t, "Label Studio orders by the queue", func() bool {
		got, err := s.Project(t.Context(), p)
		require.NoError(t, err)
		return got.ModelVersion == "hone-1" && got.Sampling == labelstudio.UncertaintySampling
	})

	notes, labelled := map[string]event.Annotation{}, map[event.TaskID]bool{}
	for i := range labels {
		task, topic := s.Next(p)
		notes[topic] = s.Annotate(task, topic)
		labelled[task] = true
		h.Await(p, "the label is learned and a new queue stands in Label Studio", func(p api.Project) bool {
			return p.Labels == i+1 && p.Pool == tasks-i-1 && p.Queue.Labels == i+1 && p.Queue.Pushed >= 5
		})
	}
	// A busy machine may still be choosing settings, and then ranks once more.
	h.Await(p, "the model is at its optimum, with the settings it chose", func(p api.Project) bool { return p.Settled })
	// Not by asking for the next task: whoever is given one has it locked, and is given
	// the same again when the order has changed.
	apptest.Until(t, "Label Studio serves what hone ranks first", func() bool {
		return h.Status(p).Queue.Tasks[0] == lowestScored(t, s, p, labelled)
	})
	got := h.Status(p)
	requireConfidences(t, h, got)
	assert.Zero(t, got.MissedFound, "every change came by webhook")
	assert.Zero(t, got.DeadLetters)
	require.Len(t, got.Heads, 1)
	assert.NotNil(t, got.Heads[0].Accuracy)
	texts, truth := unseen()
	guesses, _ := h.Predict(p, texts...)
	assert.Greater(t, right(guesses, truth), 24, "of 30")

	t.Run("an edit replaces, a delete forgets", func(t *testing.T) {
		snapshot := h.Status(p).Snapshot
		_, err := admin.UpdateAnnotation(t.Context(), s.Client, notes["Food"].ID, labelstudio.AnnotationWrite{Result: apptest.Answer("Money")})
		require.NoError(t, err)
		got := h.Await(p, "the edit is learned", func(p api.Project) bool { return p.Snapshot > snapshot })
		assert.Equal(t, labels, got.Labels)
		require.NoError(t, admin.DeleteAnnotation(t.Context(), s.Client, notes["Food"].ID))
		h.Await(p, "the delete is learned and the task back in the pool", func(p api.Project) bool {
			return p.Labels == labels-1 && p.Pool == tasks-labels+1
		})
	})
	t.Run("retrain, rollback", func(t *testing.T) {
		at, err := h.Retrain(t.Context(), p)
		require.NoError(t, err)
		got := h.Await(p, "the retrain ends", func(p api.Project) bool { return p.Retrain.Last != nil && !p.Retrain.Last.Before(at) })
		assert.Equal(t, "hone-2", got.ModelVersion)
		apptest.Until(t, "Label Studio works with the new version", func() bool {
			in, err := s.Project(t.Context(), p)
			require.NoError(t, err)
			counts, err := s.ModelVersions(t.Context(), p)
			require.NoError(t, err)
			return in.ModelVersion == "hone-2" && counts["hone-2"] > 0 && counts["hone-1"] == 0
		})
		_, err = h.Rollback(t.Context(), p, "hone-1")
		require.NoError(t, err)
		h.Await(p, "hone-1 is live", func(p api.Project) bool { return p.ModelVersion == "hone-1" })
		vs, err := h.Client.Versions(t.Context(), p)
		require.NoError(t, err)
		require.Len(t, vs, 2)
		assert.True(t, vs[0].Live)
	})
	t.Run("a restart changes nothing and finds what it missed", func(t *testing.T) {
		h.Await(p, "the model is at its optimum, with the settings it chose", func(p api.Project) bool {
			return p.Settled && p.OptimalityGap != nil && *p.OptimalityGap <= 0.005
		})
		before, scores := h.Predict(p, texts...)
		listen := h.Addrs()[0].String()
		h.Stop()
		cfg := apptest.Settings(dir, s)
		cfg.Listen = listen
		h = apptest.Start(whole, cfg)
		after, again := h.Predict(p, texts...)
		assert.Equal(t, before, after)
		assert.InDeltaSlice(t, scores, again, 0.01)
		assert.Equal(t, labels-1, h.Status(p).Labels)
		assert.Equal(t, "hone-1", h.Status(p).ModelVersion)

		h.Stop()
		task, topic := s.Next(p)
		s.Annotate(task, topic)
		h = apptest.Start(whole, cfg)
		h.Await(p, "the label made meanwhile is found and learned", func(p api.Project) bool {
			return p.Labels == labels && p.MissedFound == 1
		})
	})
	t.Run("the doctor is content", func(t *testing.T) {
		var rep api.Report
		apptest.Until(t, "it is", func() bool {
			var err error
			rep, err = h.Client.Doctor(t.Context(), p)
			require.NoError(t, err)
			return !rep.Failed()
		})
		assert.NotEmpty(t, rep.Steps)
	})
	h.Stop()
}

// requireConfidences fails unless a settled project tells of its queue what /predict says, and why
// each task is in it.
func requireConfidences(t *testing.T, h *apptest.Instance, got api.Project) {
	t.Helper()
	tasks, err := h.Store.Tasks(t.Context(), got.ID, got.Queue.Tasks)
	require.NoError(t, err)
	var texts []string
	for _, task := range tasks {
		var data struct{ Text string }
		require.NoError(t, json.Unmarshal(task.Task.Data, &data))
		texts = append(texts, data.Text)
	}
	_, scores := h.Predict(got.ID, texts...)
	require.Len(t, got.Queue.Confidences, len(got.Queue.Tasks))
	for i, c := range got.Queue.Confidences {
		require.NotNil(t, c, "task %d", got.Queue.Tasks[i])
		require.InDelta(t, scores[i], *c, 1e-4, "task %d", got.Queue.Tasks[i])
	}
	require.Len(t, got.Queue.Reasons, len(got.Queue.Tasks))
	for i, r := range got.Queue.Reasons {
		kinds := []string{"uncertain", "covers", "novel", "typical"}
		if slices.Contains(got.Queue.Random, got.Queue.Tasks[i]) {
			kinds = []string{"random"}
		}
		require.Contains(t, kinds, r.Kind, "task %d: %+v", got.Queue.Tasks[i], r)
		require.NotEmpty(t, r.Text)
		require.Equal(t, r.Kind == "uncertain", len(r.Between) == 2)
	}
	require.Equal(t, got.Queue.Strategy, got.Queue.RankedBy)
}

// lowestScored is the task with the lowest score under the live version, but for labelled
// ones: Label Studio offers it next to whoever has no task locked; 0 when there is none.
func lowestScored(t *testing.T, s *apptest.Studio, p event.ProjectID, labelled map[event.TaskID]bool) event.TaskID {
	t.Helper()
	project, err := s.Project(t.Context(), p)
	require.NoError(t, err)
	first, lowest := event.TaskID(0), math.Inf(1)
	for row, err := range s.Predictions(t.Context(), p) {
		require.NoError(t, err)
		if row.ModelVersion == project.ModelVersion && row.Score != nil && *row.Score < lowest && !labelled[row.Task] {
			first, lowest = row.Task, *row.Score
		}
	}
	return first
}

// A label config that hone cannot learn from must be refused where the user sees it.
func TestSetupRefusesWhatCannotBeLearned(t *testing.T) {
	s := apptest.NewStudio(t)
	h := apptest.Start(t, apptest.Settings(t.TempDir(), s))
	p, err := s.CreateProject(t.Context(), "boxes", `<View><Image name="i" value="$i"/></View>`)
	require.NoError(t, err)
	_, err = s.AddBackend(t.Context(), labelstudio.BackendWrite{Project: p.ID, URL: h.Pasted(), Title: "Hone"})
	require.ErrorContains(t, err, "Choices", "Label Studio shows hone's sentence")
	_, err = h.Client.Connect(t.Context(), p.ID, h.Base)
	require.ErrorContains(t, err, "Choices")
}

// Pasting the address is enough when Label Studio's own token works; the webhook
// that it makes has the secret in its address.
func TestZeroConfiguration(t *testing.T) {
	s := apptest.NewStudio(t)
	p := s.NewProject(12)
	dir := t.TempDir()
	h := apptest.Start(t, apptest.Settings(dir, nil))
	_, err := s.AddBackend(t.Context(), labelstudio.BackendWrite{Project: p, URL: h.Pasted(), Title: "mine"})
	require.NoError(t, err)
	h.Await(p, "the queue stands in Label Studio", func(p api.Project) bool { return p.Pool == 12 && p.Queue.Pushed > 0 })
	hs, err := s.Webhooks(t.Context(), p)
	require.NoError(t, err)
	require.Len(t, hs, 1)
	_, password, _ := labelstudio.UserInfo(hs[0].URL)
	assert.Equal(t, "a-webhook-secret", password.Reveal())
	task, topic := s.Next(p)
	s.Annotate(task, topic)
	h.Await(p, "learned", func(p api.Project) bool { return p.Labels == 1 })
	assert.NotContains(t, h.Log.String(), lstest.Token)

	listen := h.Addrs()[0].String()
	h.Stop()
	cfg := apptest.Settings(dir, nil)
	cfg.Listen = listen
	h = apptest.Start(t, cfg)
	task, topic = s.Next(p)
	s.Annotate(task, topic)
	h.Await(p, "Label Studio is remembered over a restart", func(p api.Project) bool {
		return p.Labels == 2 && p.Queue.Labels == 2 && p.Queue.Pushed > 0
	})
}

// A project that was deleted in Label Studio has no model, and status says why.
func TestDeletedProject(t *testing.T) {
	s := apptest.NewStudio(t)
	p := s.NewProject(4)
	h := apptest.Start(t, apptest.Settings(t.TempDir(), s))
	h.Register(p)
	h.Await(p, "the queue stands in Label Studio", func(p api.Project) bool { return p.Queue.Pushed > 0 })
	require.NoError(t, s.DeleteProject(t.Context(), p))
	_, err := h.Client.Reconcile(t.Context(), p)
	require.NoError(t, err)
	got := h.Await(p, "it is found to be gone", func(p api.Project) bool {
		return p.ModelVersion == "" && strings.Contains(strings.Join(p.Problems, "; "), "no longer has this project")
	})
	assert.Len(t, got.Problems, 1)
	_, err = h.Client.Retrain(t.Context(), p)
	require.ErrorContains(t, err, "no longer has this project")
}

func TestUselessTokenIsSaidEverywhere(t *testing.T) {
	s := apptest.NewStudio(t)
	p := s.NewProject(0)
	h := apptest.Start(t, apptest.Settings(t.TempDir(), nil))
	_, err := s.AddBackend(t.Context(), labelstudio.BackendWrite{Project: p, URL: h.Pasted(), Title: "mine"})
	require.NoError(t, err)
	s.SetTokens(lstest.TokenSettings{PersonalAccessTokens: true})
	h.Await(p, "known", func(api.Project) bool { return true })
	// What AddBackend has already taught is not at stake here: a second hone is
	// given the address while legacy tokens are off.
	h2 := apptest.Start(t, apptest.Settings(t.TempDir(), nil))
	body := fmt.Sprintf(`{"project":"%d.1","schema":%q,"hostname":%q,"access_token":%q}`, p, apptest.LabelConfig, s.Server.URL, lstest.Token)
	status, _ := h2.Post("/setup", body)
	require.Equal(t, http.StatusOK, status)
	got := h2.Await(p, "the fault shows", func(p api.Project) bool { return strings.Contains(p.Queue.Error, "does not work there") })
	assert.Contains(t, got.Queue.Error, "LABEL_STUDIO_API_KEY")
	rep, err := h2.Client.Doctor(t.Context(), 0)
	require.NoError(t, err)
	assert.True(t, rep.Failed())
	assert.Contains(t, rep.Steps[0].What, "does not work there")
	_, err = h2.Client.Connect(t.Context(), p, h2.Base)
	assert.ErrorContains(t, err, "does not work there")
	assert.NotContains(t, h2.Log.String(), lstest.Token)
}

// Another Label Studio with the same project ids must not void what was learned.
func TestForeignSetupForgetsNothing(t *testing.T) {
	s := apptest.NewStudio(t)
	p := s.NewProject(6)
	h := apptest.Start(t, apptest.Settings(t.TempDir(), s))
	h.Register(p)
	task, topic := s.Next(p)
	s.Annotate(task, topic)
	before := h.Await(p, "learned, and reconciled at first", func(p api.Project) bool {
		return p.Labels == 1 && p.LastReconcile != nil
	})
	status, answer := h.Post("/setup", fmt.Sprintf(`{"project":"%d.12345","schema":%q,"hostname":"http://elsewhere.example","access_token":"theirs"}`, p, apptest.LabelConfig))
	require.Equal(t, http.StatusBadRequest, status)
	for _, part := range []string{"http://elsewhere.example", "one hone serves one Label Studio", "--data-dir"} {
		assert.Contains(t, answer, part)
	}
	got := h.Await(p, "Label Studio was asked", func(p api.Project) bool {
		return p.LastReconcile.After(*before.LastReconcile) && p.Backlog == 0
	})
	assert.Equal(t, 1, got.Labels)
	assert.Equal(t, 6, got.Tasks)
}

// Whoever looks at the answer to /setup learns what is still missing.
func TestSetupWithoutATokenSaysSo(t *testing.T) {
	s := apptest.NewStudio(t)
	p := s.NewProject(3)
	cfg := apptest.Settings(t.TempDir(), s)
	cfg.LabelStudio.URL, cfg.LabelStudio.APIKey = "", ""
	h := apptest.Start(t, cfg)
	status, answer := h.Post("/setup", fmt.Sprintf(`{"project":"%d.12345","schema":%q}`, p, apptest.LabelConfig))
	require.Equal(t, http.StatusOK, status)
	for _, part := range []string{`"model_version":"hone-1"`, "hone login", "Personal Access Token", "ML_BLOCK_LOCAL_IP=false", "SSRF_PROTECTION_ENABLED=false"} {
		assert.Contains(t, answer, part)
	}
}

// What an unsigned webhook says is found by reconciling; one about a foreign
// project costs nothing.
func TestReconcileThatFailsIsCounted(t *testing.T) {
	s := apptest.NewStudio(t)
	p := s.NewProject(3)
	h := apptest.Start(t, apptest.Settings(t.TempDir(), s))
	h.Register(p)
	h.Await(p, "read", func(p api.Project) bool { return p.Tasks == 3 && p.LastReconcile != nil })
	s.SetTokens(lstest.TokenSettings{})
	_, err := h.Reconcile(t.Context(), p)
	require.NoError(t, err)
	got := h.Await(p, "the failure shows", func(p api.Project) bool { return p.ReconcileFailures > 0 })
	assert.Contains(t, fmt.Sprint(got.Problems), "comparison with Label Studio failed")
}

// A disk that is full at the wrong moment does not end a hone that has just
// started, nor does it cost the comparison that each start begins with.
func TestStartOnAFullDisk(t *testing.T) {
	s := apptest.NewStudio(t)
	p := s.NewProject(3)
	dir := t.TempDir()
	h := apptest.Start(t, apptest.Settings(dir, s))
	h.Register(p)
	h.Await(p, "it knows the tasks", func(got api.Project) bool { return got.Tasks == 3 })
	h.Stop()
	s.AddTasks(p, 2)
	h = apptest.StartWith(t, apptest.Settings(dir, s), app.Seams{Append: func(topic string) error {
		if topic == string(event.Reconciles) {
			return syscall.ENOSPC
		}
		return nil
	}})
	h.Await(p, "it has compared", func(got api.Project) bool { return got.Tasks == 5 })
	h.Stop()
}
