package lstest_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/hone-ml/hone/event"
	"github.com/hone-ml/hone/internal/secret"
	"github.com/hone-ml/hone/labelstudio"
	"github.com/hone-ml/hone/labelstudio/lstest"
	"github.com/hone-ml/hone/labelstudio/lstest/admin"
)

func start(t *testing.T) (*lstest.Server, *labelstudio.Client) {
	t.Helper()
	s := lstest.New()
	t.Cleanup(s.Close)
	return s, client(t, s, lstest.Token)
}

func client(t *testing.T, s *lstest.Server, token secret.Secret) *labelstudio.Client {
	t.Helper()
	c, err := labelstudio.NewClient(labelstudio.Options{URL: s.URL, Token: token, RetryWait: time.Microsecond, MaxRetryWait: time.Microsecond})
	require.NoError(t, err)
	t.Cleanup(c.Close)
	return c
}

func project(t *testing.T, c *labelstudio.Client) (event.ProjectID, []event.TaskID) {
	t.Helper()
	p, err := c.CreateProject(t.Context(), "test", "<View/>")
	require.NoError(t, err)
	ids, err := c.Import(t.Context(), p.ID, []map[string]string{{"text": "a"}, {"text": "b"}})
	require.NoError(t, err)
	return p.ID, ids
}

func keys(o map[string]any) (out []string) {
	for k := range o {
		out = append(out, k)
	}
	slices.Sort(out)
	return out
}

// What the stand-in sends has the fields recorded from a real Label Studio, no
// more and, where hone reads, no fewer.
func TestWebhookShapes(t *testing.T) {
	var mu sync.Mutex
	sent := map[string]map[string]any{}
	r := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, q *http.Request) {
		var o map[string]any
		_ = json.NewDecoder(q.Body).Decode(&o)
		mu.Lock()
		defer mu.Unlock()
		sent[o["action"].(string)] = o
	}))
	defer r.Close()
	_, c := start(t)
	p, ids := project(t, c)
	_, err := c.CreateWebhook(t.Context(), labelstudio.Webhook{Project: p, URL: r.URL, SendPayload: true, AllActions: true, Active: true})
	require.NoError(t, err)
	_, err = c.Import(t.Context(), p, []map[string]string{{"text": "c"}})
	require.NoError(t, err)
	a, err := c.CreateAnnotation(t.Context(), ids[0], labelstudio.AnnotationWrite{LeadTime: new(1.0)})
	require.NoError(t, err)
	_, err = admin.UpdateAnnotation(t.Context(), c, a.ID, labelstudio.AnnotationWrite{GroundTruth: new(true)})
	require.NoError(t, err)
	require.NoError(t, admin.DeleteAnnotation(t.Context(), c, a.ID))
	require.NoError(t, admin.DeleteTask(t.Context(), c, ids[0]))
	_, err = c.PatchProject(t.Context(), p, labelstudio.ProjectPatch{Title: new("other")})
	require.NoError(t, err)
	for action, file := range map[string]string{
		"ANNOTATION_CREATED": "annotation-created", "ANNOTATION_UPDATED": "annotation-updated", "ANNOTATIONS_DELETED": "annotations-deleted",
		"TASKS_CREATED": "tasks-created", "TASKS_DELETED": "tasks-deleted", "PROJECT_UPDATED": "project-updated",
	} {
		raw, err := os.ReadFile("../testdata/fixtures/webhook-" + file + "-choices.json")
		require.NoError(t, err)
		var fixture struct {
			Request struct{ Body map[string]any }
		}
		require.NoError(t, json.Unmarshal(raw, &fixture))
		want, got := fixture.Request.Body, sent[action]
		if want == nil { // a fixture that is the body alone
			require.NoError(t, json.Unmarshal(raw, &want))
		}
		require.Equal(t, keys(want), keys(got), action)
		for k, v := range want {
			switch v := v.(type) {
			case map[string]any:
				if k != "project" {
					require.Equal(t, keys(v), keys(got[k].(map[string]any)), "%s %s", action, k)
					continue
				}
				for _, field := range keys(got[k].(map[string]any)) {
					require.Contains(t, v, field, action)
				}
			case []any:
				require.Equal(t, keys(v[0].(map[string]any)), keys(got[k].([]any)[0].(map[string]any)), "%s %s", action, k)
			}
		}
	}
}

// A write whose answer was lost is not repeated: the client reports it, and
// there is one row.
func TestLostAnswer(t *testing.T) {
	s, c := start(t)
	p, ids := project(t, c)
	once := func(method string) {
		var done sync.Once
		s.SetFault(func(r *http.Request) (f lstest.Fault) {
			if r.Method == method {
				done.Do(func() { f.CutAfter = true })
			}
			return f
		})
	}
	once(http.MethodPost)
	_, err := c.CreatePrediction(t.Context(), labelstudio.PredictionWrite{Task: ids[0], Score: 0.5, ModelVersion: "v"})
	require.Error(t, err)
	require.True(t, labelstudio.Retryable(err))
	var rows []labelstudio.PredictionRow
	for row, err := range c.Predictions(t.Context(), p) {
		require.NoError(t, err)
		rows = append(rows, row)
	}
	require.Len(t, rows, 1)
	once(http.MethodGet)
	_, err = c.Project(t.Context(), p)
	require.NoError(t, err, "a read is repeated")
	once(http.MethodDelete)
	require.NoError(t, c.DeletePrediction(t.Context(), rows[0].ID), "repeated, and gone the second time")
	once(http.MethodPatch)
	_, err = c.PatchProject(t.Context(), p, labelstudio.ProjectPatch{Title: new("again")})
	require.NoError(t, err)
}

func TestInjectedStatus(t *testing.T) {
	s, c := start(t)
	left := 2
	s.SetFault(func(*http.Request) lstest.Fault {
		if left--; left < 0 {
			return lstest.Fault{}
		}
		return lstest.Fault{Status: http.StatusTooManyRequests, Header: http.Header{"Retry-After": {"0"}}, Delay: time.Microsecond}
	})
	_, err := c.CreateProject(t.Context(), "test", "<View/>")
	require.NoError(t, err, "refused twice, then accepted")
	require.Len(t, s.Requests(), 3)
	s.SetFault(nil)
	res, err := http.Get(s.URL + "/api/nonsense") //nolint:noctx // a test's own request
	require.NoError(t, err)
	defer func() { _ = res.Body.Close() }()
	require.Equal(t, http.StatusNotImplemented, res.StatusCode)
	b, _ := io.ReadAll(res.Body)
	require.Contains(t, string(b), "/api/nonsense")
}

func TestDroppedWebhooks(t *testing.T) {
	got := make(chan string, 10)
	r := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		got <- q.URL.Path
		w.WriteHeader(http.StatusInternalServerError)
	}))
	defer r.Close()
	s, c := start(t)
	p, ids := project(t, c)
	_, err := c.CreateWebhook(t.Context(), labelstudio.Webhook{Project: p, URL: r.URL + "/h", AllActions: true, Active: true})
	require.NoError(t, err)
	s.DropWebhooks(1)
	for range 2 {
		_, err = c.CreateAnnotation(t.Context(), ids[0], labelstudio.AnnotationWrite{})
		require.NoError(t, err, "a failing webhook is no concern of the annotator's")
	}
	require.Len(t, got, 1)
	d := s.Deliveries()
	require.Len(t, d, 2)
	require.ErrorIs(t, d[0].Err, lstest.ErrDropped)
	require.Equal(t, http.StatusInternalServerError, d[1].Status)
	require.JSONEq(t, `{"action":"ANNOTATION_CREATED"}`, string(d[1].Body), "no payload was asked for")
}

func TestTokens(t *testing.T) {
	s, c := start(t)
	pat, err := admin.CreatePersonalAccessToken(t.Context(), c)
	require.NoError(t, err)
	jwt := client(t, s, pat)
	exchanges := func() int {
		return len(slices.DeleteFunc(s.Requests(), func(r lstest.Request) bool { return r.Path != "/api/token/refresh/" }))
	}
	for range 3 {
		_, err = jwt.WhoAmI(t.Context())
		require.NoError(t, err)
	}
	require.Equal(t, 1, exchanges())
	s.RevokeAccess()
	_, err = jwt.WhoAmI(t.Context())
	require.NoError(t, err)
	require.Equal(t, 2, exchanges())
	s.SetAccessLife(-time.Second) // every exchanged token is stale at once
	s.RevokeAccess()
	_, err = jwt.WhoAmI(t.Context())
	require.True(t, labelstudio.IsUnauthorized(err), err)
	require.Equal(t, 3, exchanges(), "renewed once, not for ever")
	s.SetAccessLife(time.Minute)
	s.SetTokens(lstest.TokenSettings{PersonalAccessTokens: true})
	_, err = c.WhoAmI(t.Context())
	require.ErrorContains(t, err, "use a personal access token")
	_, err = jwt.WhoAmI(t.Context())
	require.NoError(t, err)
}

// Two people are never given the same task, and clusters are taken in turn.
func TestNextTaskForTeams(t *testing.T) {
	s, c := start(t)
	p, err := c.CreateProject(t.Context(), "test", "<View/>")
	require.NoError(t, err)
	ids, err := c.Import(t.Context(), p.ID, []map[string]string{{"t": "0"}, {"t": "1"}, {"t": "2"}, {"t": "3"}})
	require.NoError(t, err)
	for i, cluster := range []int{7, 7, 8, 8} {
		_, err = c.CreatePrediction(t.Context(), labelstudio.PredictionWrite{Task: ids[i], Score: 0.001 * float64(i+1), ModelVersion: "v", Cluster: &cluster})
		require.NoError(t, err)
	}
	_, err = c.PatchProject(t.Context(), p.ID, labelstudio.ProjectPatch{ModelVersion: new("v"), Sampling: new(labelstudio.UncertaintySampling)})
	require.NoError(t, err)
	other := client(t, s, secret.Secret(s.AddUser("second@example.com")))
	mine, err := c.NextTask(t.Context(), p.ID)
	require.NoError(t, err)
	theirs, err := other.NextTask(t.Context(), p.ID)
	require.NoError(t, err)
	require.Equal(t, []event.TaskID{ids[0], ids[1]}, []event.TaskID{mine.ID, theirs.ID})
	_, err = c.CreateAnnotation(t.Context(), mine.ID, labelstudio.AnnotationWrite{})
	require.NoError(t, err)
	next, err := c.NextTask(t.Context(), p.ID)
	require.NoError(t, err)
	require.Equal(t, ids[2], next.ID, "cluster 8 has been solved less")
	require.True(t, strings.HasPrefix(s.URL, "http://127.0.0.1:"))
}

// A backup keeps what it held, whatever is written later over the same row.
func TestABackupKeepsTheResultsOfPredictions(t *testing.T) {
	s := lstest.New()
	defer s.Close()
	c, err := labelstudio.NewClient(labelstudio.Options{URL: s.URL, Token: lstest.Token})
	require.NoError(t, err)
	defer c.Close()
	p, err := c.CreateProject(t.Context(), "a project", `<View><Text name="t" value="$text"/></View>`)
	require.NoError(t, err)
	_, err = c.Import(t.Context(), p.ID, []map[string]string{{"text": "x"}})
	require.NoError(t, err)
	page, err := c.TasksPage(t.Context(), p.ID, labelstudio.TaskQuery{})
	require.NoError(t, err)
	write := labelstudio.PredictionWrite{Task: page.Tasks[0].ID, Result: json.RawMessage(`[{"from_name":"a long name"}]`), ModelVersion: "v"}
	row, err := c.CreatePrediction(t.Context(), write)
	require.NoError(t, err)
	backup := s.Backup()
	write.Result = json.RawMessage(`[]`)
	_, err = c.UpdatePrediction(t.Context(), row.ID, write)
	require.NoError(t, err)
	s.Restore(backup)
	_, result, err := c.Prediction(t.Context(), row.ID)
	require.NoError(t, err)
	require.JSONEq(t, `[{"from_name":"a long name"}]`, string(result))
}

func TestProjectIsSavedWhole(t *testing.T) {
	s, c := start(t)
	p, _ := project(t, c)
	ctx := t.Context()
	s.OnProjectSave(func([]byte) {
		s.OnProjectSave(nil)
		if err := admin.PatchProject(ctx, c, p, labelstudio.ProjectPatch{Sampling: new(labelstudio.UncertaintySampling)}); err != nil {
			t.Error(err)
		}
	})
	_, err := c.PatchProject(ctx, p, labelstudio.ProjectPatch{Title: new("renamed")})
	require.NoError(t, err)
	now, err := c.Project(ctx, p)
	require.NoError(t, err)
	require.Equal(t, "renamed", now.Title)
	require.Equal(t, labelstudio.SequentialSampling, now.Sampling, "what was saved in between is lost")
}
