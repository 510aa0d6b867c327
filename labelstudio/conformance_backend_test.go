package labelstudio_test

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/hone-ml/hone/event"
	"github.com/hone-ml/hone/internal/secret"
	"github.com/hone-ml/hone/labelstudio"
	"github.com/hone-ml/hone/labelstudio/lstest/admin"
	"github.com/hone-ml/hone/labelstudio/regions"
	"github.com/hone-ml/hone/labelstudio/wire"
)

// receiver records what Label Studio sends and answers as told.
type receiver struct {
	*httptest.Server
	mu      sync.Mutex
	got     []apiCall
	version string
	slow    chan struct{} // nil, or /webhook waits for it
	failing string        // paths that end in it are answered with fail
	fail    int
}

type apiCall struct {
	path string
	head http.Header
	body []byte
}

func newReceiver(t *testing.T) *receiver {
	r := &receiver{version: "hone-1"}
	r.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		body, _ := io.ReadAll(q.Body)
		r.mu.Lock()
		r.got = append(r.got, apiCall{q.URL.Path, q.Header, body})
		version, slow, failing, fail := r.version, r.slow, r.failing, r.fail
		r.mu.Unlock()
		if failing != "" && strings.HasSuffix(q.URL.Path, failing) {
			w.WriteHeader(fail)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		switch q.URL.Path {
		case "/setup":
			_ = json.NewEncoder(w).Encode(map[string]string{"model_version": version})
		case "/predict":
			predict, err := wire.DecodePredict(body)
			if err != nil {
				w.WriteHeader(http.StatusBadRequest)
				return
			}
			answer := wire.PredictResponse{Results: make([]wire.Prediction, len(predict.Tasks))}
			for i := range predict.Tasks {
				if i > 0 { // abstain from the first
					answer.Results[i] = wire.Prediction{Result: []regions.Region{}, Score: 0.5, ModelVersion: version}
				}
			}
			_ = json.NewEncoder(w).Encode(answer)
		default:
			if slow != nil {
				select {
				case <-slow:
				case <-q.Context().Done():
				}
			}
			_, _ = io.WriteString(w, `{}`)
		}
	}))
	t.Cleanup(r.Close)
	return r
}

// take returns what came since the last time.
func (r *receiver) take() []apiCall {
	r.mu.Lock()
	defer r.mu.Unlock()
	got := r.got
	r.got = nil
	return got
}

func (r *receiver) hooks(t *testing.T) []wire.Hook {
	t.Helper()
	var out []wire.Hook
	for _, c := range r.take() {
		require.Equal(t, "sesame", c.head.Get("X-Hone"))
		h, err := wire.DecodeHook(c.body, time.Now())
		require.NoError(t, err)
		out = append(out, h)
	}
	return out
}

func (s suite) webhooks(t *testing.T) {
	r := newReceiver(t)
	p, ids := s.project(t, "a", "b")
	w, err := s.c.CreateWebhook(t.Context(), labelstudio.Webhook{
		Project: p, URL: r.URL + "/hook", SendPayload: true, Active: true, Headers: map[string]secret.Secret{"X-Hone": "sesame"},
		Actions: []string{"ANNOTATION_CREATED", "ANNOTATIONS_CREATED", "ANNOTATION_UPDATED", "ANNOTATIONS_DELETED", "TASKS_CREATED", "TASKS_DELETED", "PROJECT_UPDATED"},
	})
	require.NoError(t, err)
	one := func(action string) wire.Hook {
		t.Helper()
		hooks := r.hooks(t)
		require.Len(t, hooks, 1)
		require.Equal(t, action, hooks[0].Action)
		require.Equal(t, p, hooks[0].Project)
		return hooks[0]
	}
	// A webhook and a later read must say the same of the same thing, or every
	// comparison would find a difference.
	same := func(a event.Annotation, h wire.Hook) {
		t.Helper()
		requireOnly(t, a, h.Changed.Annotations)
		task, err := s.c.Task(t.Context(), a.Task)
		require.NoError(t, err)
		requireOnly(t, a, task.Annotations)
		require.JSONEq(t, string(task.Data), string(h.Changed.Tasks[0].Data))
	}

	a := s.annotate(t, ids[0], "a")
	same(a, one("ANNOTATION_CREATED"))
	b, err := admin.UpdateAnnotation(t.Context(), s.c, a.ID, labelstudio.AnnotationWrite{Result: region("b")})
	require.NoError(t, err)
	same(b, one("ANNOTATION_UPDATED"))
	require.NoError(t, admin.DeleteAnnotation(t.Context(), s.c, a.ID))
	require.Equal(t, []event.AnnotationID{a.ID}, one("ANNOTATIONS_DELETED").Changed.DeletedAnnotations)

	more, err := s.c.Import(t.Context(), p, []map[string]string{{"text": "c"}, {"text": "d"}})
	require.NoError(t, err)
	created := one("TASKS_CREATED").Changed.Tasks
	require.Len(t, created, 2)
	require.Equal(t, more[0], created[0].ID)
	require.NoError(t, admin.DeleteTask(t.Context(), s.c, more[0]))
	require.Equal(t, more[:1], one("TASKS_DELETED").Changed.DeletedTasks)
	require.NoError(t, admin.DeleteTasks(t.Context(), s.c, p, more[1]))
	require.Equal(t, more[1:], one("TASKS_DELETED").Changed.DeletedTasks)
	_, err = s.c.PatchProject(t.Context(), p, labelstudio.ProjectPatch{Title: new("renamed")})
	require.NoError(t, err)
	require.Equal(t, "renamed", one("PROJECT_UPDATED").Changed.Title)

	// What nobody is told of.
	row, err := s.c.CreatePrediction(t.Context(), labelstudio.PredictionWrite{Task: ids[1], Score: 0.5, ModelVersion: "v"})
	require.NoError(t, err)
	require.NoError(t, s.c.DeletePrediction(t.Context(), row.ID))
	require.NoError(t, admin.PatchTask(t.Context(), s.c, ids[1], map[string]string{"text": "b2"}))
	require.Empty(t, r.hooks(t))
	c := s.annotate(t, ids[1], "a")
	r.take()
	require.NoError(t, admin.ConvertToDraft(t.Context(), s.c, c.ID))
	require.Empty(t, r.hooks(t), "it vanishes in silence")
	task, err := s.c.Task(t.Context(), ids[1])
	require.NoError(t, err)
	require.Empty(t, task.Annotations)

	w.URL += "2"
	changed, err := s.c.UpdateWebhook(t.Context(), w)
	require.NoError(t, err)
	require.Equal(t, w, changed, "actions and headers survive a change")
	w.Active = false
	_, err = s.c.UpdateWebhook(t.Context(), w)
	require.NoError(t, err)
	s.annotate(t, ids[0], "a")
	require.Empty(t, r.hooks(t))
	all, err := s.c.Webhooks(t.Context(), p)
	require.NoError(t, err)
	require.Equal(t, []labelstudio.Webhook{w}, all)
	require.NoError(t, s.c.DeleteWebhook(t.Context(), w.ID))
	require.NoError(t, s.c.DeleteWebhook(t.Context(), w.ID))
}

// A receiver that hangs costs the annotator a second and gets one attempt.
func (s suite) slowWebhook(t *testing.T) {
	r := newReceiver(t)
	r.slow = make(chan struct{})
	defer close(r.slow)
	p, ids := s.project(t, "a")
	_, err := s.c.CreateWebhook(t.Context(), labelstudio.Webhook{Project: p, URL: r.URL + "/hook", SendPayload: true, Active: true, AllActions: true})
	require.NoError(t, err)
	start := time.Now()
	s.annotate(t, ids[0], "a")
	require.GreaterOrEqual(t, time.Since(start), time.Second)
	require.Len(t, r.take(), 1)
}

func (s suite) backend(t *testing.T) {
	r := newReceiver(t)
	p, ids := s.project(t, "a", "b", "c")
	project, err := s.c.Project(t.Context(), p)
	require.NoError(t, err)
	b, err := s.c.AddBackend(t.Context(), labelstudio.BackendWrite{Project: p, URL: r.URL, Title: "hone", User: "u", Password: "pw"})
	require.NoError(t, err)
	require.Equal(t, "CO", b.State)
	require.Equal(t, "hone-1", b.ModelVersion)
	var paths []string
	for _, c := range r.take() {
		paths = append(paths, c.path)
		require.Equal(t, "Basic dTpwdw==", c.head.Get("Authorization"))
		if c.path == "/setup" {
			setup, err := wire.DecodeSetup(c.body)
			require.NoError(t, err)
			require.Equal(t, p, setup.Project)
			require.Equal(t, project.CreatedAt.Unix(), setup.CreatedAt)
			require.Equal(t, choices, setup.LabelConfig)
			require.Equal(t, s.url, setup.Hostname)
		}
	}
	require.Equal(t, []string{"/health", "/setup", "/health", "/setup"}, paths)
	project, err = s.c.Project(t.Context(), p)
	require.NoError(t, err)
	require.Equal(t, "hone", project.ModelVersion, "set to the backend's title")
	hooks, err := s.c.Webhooks(t.Context(), p)
	require.NoError(t, err)
	require.Len(t, hooks, 1, "made by itself")
	require.Equal(t, r.URL+"/webhook", hooks[0].URL)
	require.True(t, hooks[0].AllActions && hooks[0].SendPayload && hooks[0].Active)
	require.Empty(t, hooks[0].Headers)

	all, err := s.c.Backends(t.Context(), p)
	require.NoError(t, err)
	require.Len(t, all, 1)
	require.Equal(t, b.ID, all[0].ID)
	b, err = s.c.PatchBackend(t.Context(), b.ID, labelstudio.BackendWrite{Project: p, URL: r.URL, Title: "hone", Interactive: true})
	require.NoError(t, err)
	require.True(t, b.Interactive)
	r.mu.Lock()
	r.version = "hone-2"
	r.mu.Unlock()
	b, err = s.c.ValidateBackend(t.Context(), b.ID)
	require.NoError(t, err)
	require.Equal(t, "hone-2", b.ModelVersion)
	r.take()

	require.NoError(t, admin.RetrievePredictions(t.Context(), s.c, p))
	versions, err := s.c.ModelVersions(t.Context(), p)
	require.NoError(t, err)
	require.Equal(t, map[string]int{"hone-2": 2, "hone": 0}, versions, "one task was abstained from; a backend's title counts as a version")
	var asked []event.TaskID // PostgreSQL gives them in any order
	for _, c := range r.take() {
		if c.path == "/predict" {
			predict, err := wire.DecodePredict(c.body)
			require.NoError(t, err)
			require.Equal(t, p, predict.Project)
			for _, task := range predict.Tasks {
				asked = append(asked, task.ID)
			}
		}
	}
	require.ElementsMatch(t, ids, asked)
	require.NoError(t, admin.RetrievePredictions(t.Context(), s.c, p, asked[1:]...))
	for _, c := range r.take() {
		require.NotEqual(t, "/predict", c.path, "it has this version's predictions already")
	}

	require.NoError(t, admin.TrainBackend(t.Context(), s.c, b.ID))
	train := r.take()
	last := train[len(train)-1]
	require.Equal(t, "/webhook", last.path)
	h, err := wire.DecodeHook(last.body, time.Now())
	require.NoError(t, err)
	require.True(t, h.Train)
	require.Equal(t, p, h.Project)

	require.NoError(t, admin.DeleteBackend(t.Context(), s.c, b.ID))
	require.NoError(t, admin.DeleteBackend(t.Context(), s.c, b.ID))
	hooks, err = s.c.Webhooks(t.Context(), p)
	require.NoError(t, err)
	require.Len(t, hooks, 1, "the webhook stays")
}

func (s suite) deadBackend(t *testing.T) {
	p, _ := s.project(t, "a")
	_, err := s.c.AddBackend(t.Context(), labelstudio.BackendWrite{Project: p, URL: "http://127.0.0.1:1", Title: "hone"})
	require.True(t, labelstudio.IsInvalid(err), err)
	require.ErrorContains(t, err, "Can't connect to ML backend")
	require.NotContains(t, err.Error(), "<a ")
	_, err = s.c.ValidateBackend(t.Context(), 1<<40)
	require.True(t, labelstudio.IsNotFound(err), err)
	var e *labelstudio.APIError
	require.True(t, errors.As(err, &e) && !strings.Contains(e.Detail, "<"))
}
