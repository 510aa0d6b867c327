package app_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
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

// storedRow is a prediction that Label Studio holds, with the choice that it suggests.
type storedRow struct {
	labelstudio.PredictionRow
	choice string
}

// storedRows are all predictions of a project.
func storedRows(t testing.TB, s *apptest.Studio, p event.ProjectID) (all []storedRow) {
	t.Helper()
	var rows []labelstudio.PredictionRow
	for r, err := range s.Predictions(context.Background(), p) {
		require.NoError(t, err)
		rows = append(rows, r)
	}
	for _, r := range rows {
		now, result, err := s.Prediction(context.Background(), r.ID)
		if labelstudio.IsNotFound(err) {
			continue
		}
		require.NoError(t, err)
		all = append(all, storedRow{now, choiceIn(result)})
	}
	return all
}

// choiceIn is the choice in a result, "" if it has none.
func choiceIn(result json.RawMessage) string {
	var regions []struct {
		Value struct{ Choices []string }
	}
	if json.Unmarshal(result, &regions) != nil || len(regions) == 0 {
		return ""
	}
	return strings.Join(regions[0].Value.Choices, "+")
}

// differing says which stored rows do not suggest what the model says of their tasks.
func differing(t testing.TB, h *apptest.Instance, s *apptest.Studio, p event.ProjectID) (out []string) {
	t.Helper()
	page, err := s.TasksPage(context.Background(), p, labelstudio.TaskQuery{PageSize: 10_000})
	require.NoError(t, err)
	says, labelled := map[event.TaskID]string{}, map[event.TaskID]bool{}
	for _, task := range page.Tasks {
		labelled[task.ID] = len(task.Annotations) > 0
		result, err := h.Learner.Regions(context.Background(), p, []event.Task{task.Task})
		require.NoError(t, err)
		says[task.ID] = choiceIn(result[0])
	}
	for _, r := range storedRows(t, s, p) {
		if r.choice != says[r.Task] && !(labelled[r.Task] && *r.Score < 0.01) { // those stay as people saw them
			out = append(out, fmt.Sprintf("task %d (score %v, %s): %q is stored, the model says %q", r.Task, *r.Score, r.ModelVersion, r.choice, says[r.Task]))
		}
	}
	return out
}

// label answers so many of the tasks that Label Studio asks about, as say has it.
func label(h *apptest.Instance, s *apptest.Studio, p event.ProjectID, n int, say func(topic string) string) {
	before := h.Status(p).Labels
	for i := range n {
		task, topic := s.Next(p)
		s.Annotate(task, say(topic))
		h.Await(p, "the label is learned", func(p api.Project) bool { return p.Labels == before+i+1 && p.Queue.Labels == before+i+1 })
	}
	h.Await(p, "all has settled", func(p api.Project) bool { return p.Settled && p.Backlog == 0 && p.Queue.Pushed == len(p.Queue.Tasks) })
}

func truth(topic string) string { return topic }

func asked(t testing.TB, s *apptest.Studio, h *apptest.Instance, tasks int) event.ProjectID {
	t.Helper()
	p := s.NewProject(tasks)
	h.Register(p)
	h.Await(p, "the queue stands in Label Studio", func(p api.Project) bool {
		return p.Pool == tasks && len(p.Queue.Tasks) > 0 && p.Queue.Pushed == len(p.Queue.Tasks)
	})
	return p
}

func agree(t testing.TB, h *apptest.Instance, s *apptest.Studio, p event.ProjectID) {
	t.Helper()
	var last []string
	limit := 0
	apptest.Until(t, "what is stored is what the model says", func() bool {
		last = differing(t, h, s, p)
		limit++
		if limit == 1500 {
			t.Fatalf("still stored: %s", strings.Join(last, "\n"))
		}
		return len(last) == 0
	})
}

// What annotators are shown of any queued task is what the model says, wherever in the
// queue it stands.
func TestQueueSuggestsWhatTheModelSays(t *testing.T) {
	s := apptest.NewStudio(t)
	h := apptest.Start(t, apptest.Settings(t.TempDir(), s))
	p := asked(t, s, h, 60)
	label(h, s, p, 6, truth)
	// People change their minds: what was suggested is turned round.
	turned := map[string]string{"Money": "Travel", "Travel": "Food", "Food": "Money"}
	label(h, s, p, 12, func(topic string) string { return turned[topic] })
	agree(t, h, s, p)
}

// What people had Label Studio retrieve follows too.
func TestRetrievedPredictionsFollow(t *testing.T) {
	s := apptest.NewStudio(t)
	h := apptest.Start(t, apptest.Settings(t.TempDir(), s))
	p := asked(t, s, h, 60)
	label(h, s, p, 6, truth)
	require.NoError(t, admin.RetrievePredictions(t.Context(), s.Client, p))
	require.Len(t, predictedTasks(t, s, p, ""), 60)
	h.Sampler.Refresh(p) // a check finds it within a minute
	turned := map[string]string{"Money": "Travel", "Travel": "Food", "Food": "Money"}
	label(h, s, p, 12, func(topic string) string { return turned[topic] })
	agree(t, h, s, p)
	for _, r := range storedRows(t, s, p) {
		assert.NotZero(t, *r.Score)
	}
	assert.Len(t, predictedTasks(t, s, p, ""), 60)
}

// A label that the config no longer has is suggested nowhere, however long nobody labels.
func TestRenamedLabelIsSuggestedNowhere(t *testing.T) {
	for name, restart := range map[string]bool{"while hone runs": false, "while hone is away": true} {
		t.Run(name, func(t *testing.T) {
			s := apptest.NewStudio(t)
			dir := t.TempDir()
			cfg := apptest.Settings(dir, s)
			cfg.Sampler.BackgroundWrites = 1 // an hour: what goes, goes at once
			h := apptest.Start(t, cfg)
			p := asked(t, s, h, 60)
			label(h, s, p, 9, truth)
			require.NoError(t, admin.RetrievePredictions(t.Context(), s.Client, p))
			h.Sampler.Refresh(p)
			stored := func(choice string) (n int) {
				for _, r := range storedRows(t, s, p) {
					if r.choice == choice {
						n++
					}
				}
				return n
			}
			require.Positive(t, stored("Money"))
			food := stored("Food")
			require.Positive(t, food)
			if restart {
				h.Stop()
			}
			renamed := strings.Replace(apptest.LabelConfig, `"Money"`, `"Finance"`, 1)
			_, err := s.PatchProject(t.Context(), p, labelstudio.ProjectPatch{LabelConfig: &renamed})
			if err != nil { // annotations of the old name are in the way
				t.Fatal(err)
			}
			if restart {
				cfg.Listen = h.Addrs()[0].String()
				apptest.Start(t, cfg)
			}
			apptest.Until(t, "no prediction says the old name", func() bool { return stored("Money") == 0 })
			assert.Greater(t, stored("Food"), food/2, "what still fits stays")
		})
	}
}

// watched looks at what Label Studio holds after each of hone's requests that write.
type watched struct {
	http.RoundTripper
	mu   sync.Mutex
	look func(*http.Request)
}

func (w *watched) RoundTrip(r *http.Request) (*http.Response, error) {
	var body []byte
	if r.Body != nil {
		body, _ = io.ReadAll(r.Body)
		_ = r.Body.Close()
		r.Body = io.NopCloser(bytes.NewReader(body))
	}
	res, err := w.RoundTripper.RoundTrip(r)
	w.mu.Lock()
	look := w.look
	w.mu.Unlock()
	if look != nil && r.Method != http.MethodGet {
		look(r)
	}
	return res, err
}

func (w *watched) set(look func(*http.Request)) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.look = look
}

// predictedTasks are the tasks that have a prediction, of any version for "".
func predictedTasks(t testing.TB, s *apptest.Studio, p event.ProjectID, version string) map[event.TaskID]bool {
	t.Helper()
	out := map[event.TaskID]bool{}
	for r, err := range s.Predictions(context.Background(), p) {
		require.NoError(t, err)
		if version == "" || r.ModelVersion == version {
			out[r.Task] = true
		}
	}
	return out
}

// answeredTasks are the tasks with a prediction beside the queue's.
func answeredTasks(t testing.TB, s *apptest.Studio, p event.ProjectID) map[event.TaskID]bool {
	t.Helper()
	out := map[event.TaskID]bool{}
	for r, err := range s.Predictions(context.Background(), p) {
		require.NoError(t, err)
		if *r.Score >= 0.01 {
			out[r.Task] = true
		}
	}
	return out
}

// losing watches for tasks that had a prediction, as annotators see it, and have none.
func losing(t testing.TB, s *apptest.Studio, w *watched, p event.ProjectID, had map[event.TaskID]bool) (lost func() []string) {
	var mu sync.Mutex
	var found []string
	w.set(func(r *http.Request) {
		of, err := s.Project(context.Background(), p)
		if err != nil {
			return
		}
		has, ofAny := predictedTasks(t, s, p, of.ModelVersion), predictedTasks(t, s, p, "")
		mu.Lock()
		defer mu.Unlock()
		for id := range had {
			if !has[id] && len(found) < 3 {
				found = append(found, fmt.Sprintf("after %s %s task %d has no prediction of %s (of any version: %v)", r.Method, r.URL.Path, id, of.ModelVersion, ofAny[id]))
			}
		}
	})
	return func() []string {
		mu.Lock()
		defer mu.Unlock()
		return found
	}
}

func startWatched(t testing.TB, dir string, s *apptest.Studio) (*apptest.Instance, *watched) {
	t.Helper()
	w := &watched{RoundTripper: http.DefaultTransport.(*http.Transport).Clone()}
	cfg := apptest.Settings(dir, s)
	return apptest.StartWith(t, cfg, app.Seams{Transport: w}), w
}

// goesBy waits until the project goes by a version and nothing of another is left.
func goesBy(t testing.TB, s *apptest.Studio, p event.ProjectID, version string) {
	t.Helper()
	apptest.Until(t, "the project goes by "+version+", and nothing else is left", func() bool {
		of, err := s.Project(context.Background(), p)
		require.NoError(t, err)
		counts, err := s.ModelVersions(context.Background(), p)
		require.NoError(t, err)
		for v, n := range counts {
			if v != version && n > 0 {
				return false
			}
		}
		return of.ModelVersion == version
	})
}

// A retrain takes no prediction from a task that had one, at no moment.
func TestRetrievedPredictionsOutliveARetrain(t *testing.T) {
	s := apptest.NewStudio(t)
	h, w := startWatched(t, t.TempDir(), s)
	p := asked(t, s, h, 103)
	label(h, s, p, 9, truth)
	require.NoError(t, admin.RetrievePredictions(t.Context(), s.Client, p))
	h.Sampler.Refresh(p)
	goesBy(t, s, p, "hone-1")
	had := predictedTasks(t, s, p, "hone-1")
	require.Len(t, had, 103)
	lost := losing(t, s, w, p, had)
	_, err := h.Retrain(t.Context(), p)
	require.NoError(t, err)
	goesBy(t, s, p, "hone-2")
	_, err = h.Rollback(t.Context(), p, "hone-1")
	require.NoError(t, err)
	goesBy(t, s, p, "hone-1")
	assert.Empty(t, lost())
	agree(t, h, s, p)
}

// What is asked for is there in the end: after a restart in the middle, while Label Studio
// is away, and counted by what it holds.
func TestPrelabelGoesOnAfterARestart(t *testing.T) {
	const tasks = 70
	s := apptest.NewStudio(t)
	dir := t.TempDir()
	cfg := apptest.Settings(dir, s)
	cfg.Sampler.BulkAbove, cfg.Sampler.CheckEvery = 1000, 1e9 // one by one
	w := &watched{RoundTripper: http.DefaultTransport.(*http.Transport).Clone()}
	h := apptest.StartWith(t, cfg, app.Seams{Transport: w})
	p := asked(t, s, h, tasks)
	label(h, s, p, 6, truth)
	away := func(is bool) {
		s.SetFault(func(r *http.Request) lstest.Fault {
			if is {
				return lstest.Fault{Status: http.StatusServiceUnavailable}
			}
			return lstest.Fault{}
		})
	}
	made, stopped := 0, make(chan struct{})
	var once sync.Once
	w.set(func(r *http.Request) {
		if r.Method == http.MethodPost && r.URL.Path == "/api/predictions/" {
			if made++; made == 10 {
				away(true)
				once.Do(func() { close(stopped) })
			}
		}
	})
	_, err := h.Client.Prelabel(t.Context(), p)
	require.NoError(t, err)
	<-stopped
	h.Stop()
	w.set(nil)
	away(false)
	require.Less(t, len(answeredTasks(t, s, p)), tasks)
	h = apptest.StartWith(t, cfg, app.Seams{})
	got := h.Await(p, "every task has a prediction", func(p api.Project) bool {
		return p.Predictions != nil && p.Predictions.Prelabel != nil && p.Predictions.Prelabel.Done != nil
	})
	assert.Equal(t, tasks, got.Predictions.Prelabel.Predicted)
	assert.Len(t, answeredTasks(t, s, p), tasks)
	h.Stop()
	h = apptest.StartWith(t, cfg, app.Seams{})
	h.Await(p, "nothing is left to make", func(p api.Project) bool {
		return p.Predictions != nil && p.Queue.Pushed > 0 && p.Predictions.Prelabel == nil
	})
}
