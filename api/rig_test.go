package api_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/hone-ml/hone/api"
	"github.com/hone-ml/hone/event"
	"github.com/hone-ml/hone/internal/secret"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var at = time.Date(2026, 11, 23, 20, 50, 33, 468_784_000, time.UTC)

// full has every field set.
func full() api.Project {
	return api.Project{
		ID: 3, Title: "Topics", Labels: 60, Pool: 940, Tasks: 1000, Skipped: 2, ModelVersion: "hone-1", Snapshot: 17,
		OptimalityGap: new(0.001), LastEvent: new(at), LastReconcile: new(at.Add(time.Second)), MissedFound: 4, ReconcileFailures: 1,
		Connection: "poll", Poll: &api.Poll{IntervalSeconds: 2, Last: new(at), FailingSince: new(at.Add(time.Second)), Error: "no answer"},
		Reconcile: &api.Reconcile{Running: true, Read: 500, Total: 1000, LastFull: new(at), LastContents: new(at)},
		Heads: []api.Head{{
			Control: "topic", Type: "Choices", Labels: []string{"A", "B"}, Examples: 58, Ridge: 0.5, Accuracy: new(0.75), MacroF1: new(0.7),
			LogLoss: new(0.9), RecentAccuracy: new(0.8), RecentMacroF1: new(0.78),
		}},
		Settings:    []api.Setting{{Key: "queue", Value: "12", Default: "30", Set: true, Type: "a whole number", Doc: "how many"}},
		Unlearnable: []api.Unlearnable{{Control: "box", Type: "RectangleLabels", Reason: "it is about images"}},
		Queue: api.Queue{
			Labels: 60, Strategy: "margin", Tasks: []event.TaskID{9, 4}, Pushed: 1, Confidences: []*float64{new(0.61), nil},
			RankedBy: "margin", Reasons: []api.Reason{
				{Kind: "uncertain", Text: "unsure between a (0.61) and b (0.39)", Control: "topic", Between: []api.LabelProbability{{Label: "a", Probability: 0.61}, {Label: "b", Probability: 0.39}}},
				{Kind: "random", Text: "random control"},
			},
			Random: []event.TaskID{4}, LastPush: new(at),
			ReadySeconds: 0.01, LagSeconds: 0.4, Error: "slow",
		},
		SettingsHeld: true,
		Retrain:      api.Retrain{Running: true, Progress: 0.5, Waiting: "for vectors", Last: new(at), Outcome: "hone-1 stays"},
		Backlog:      5, DeadLetters: 6, Problems: []string{"none really"},
	}
}

// fake is everything the API stands on.
type fake struct {
	mu       sync.Mutex
	events   []event.Event
	fail     error
	asked    []string
	ready    error
	late     bool
	short    bool
	projects map[event.ProjectID]api.Project
}

func (f *fake) err() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.fail
}

func (f *fake) note(format string, args ...any) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.asked = append(f.asked, fmt.Sprintf(format, args...))
}

func (f *fake) List(context.Context) (api.Listing, error) {
	return api.Listing{Projects: []api.Project{full()}}, f.err()
}

func (f *fake) Rotate() error {
	f.note("rotate")
	return f.err()
}

func (f *fake) NewSignInLink() api.SignInLink {
	return api.SignInLink{Path: "ui/sign-in?link=0123", Ends: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)}
}

func (f *fake) Rotation() api.Rotation {
	return api.Rotation{Rotating: true, Projects: []api.Registration{{Project: 3, Carries: true}, {Project: 4, Problem: "unreachable"}}}
}

func (f *fake) Get(_ context.Context, id event.ProjectID) (api.Project, error) {
	if err := f.err(); err != nil {
		return api.Project{}, err
	}
	p, ok := f.projects[id]
	if !ok {
		return p, fmt.Errorf("%w %d: run `hone connect --project %d`", api.ErrUnknownProject, id, id)
	}
	return p, nil
}

func (f *fake) Versions(ctx context.Context, id event.ProjectID) ([]api.Version, error) {
	if _, err := f.Get(ctx, id); err != nil {
		return nil, err
	}
	return []api.Version{{Name: "hone-1", Live: true, CreatedAt: at, Reason: "first", Labels: 60, Accuracy: map[string]float64{"topic": 0.75}}}, nil
}

func (f *fake) Accuracy(ctx context.Context, id event.ProjectID) (api.AccuracyHistory, error) {
	if _, err := f.Get(ctx, id); err != nil {
		return api.AccuracyHistory{}, err
	}
	estimate := 0.75
	return api.AccuracyHistory{Points: []api.AccuracyPoint{{
		Labels: 60, At: at, Asked: map[string]float64{"topic": 0.5},
		Pool: map[string]api.PoolAccuracy{"topic": {Estimate: &estimate, Low: &estimate, High: &estimate, Random: 6, Labels: 60}},
	}}}, nil
}

func (f *fake) Shares(ctx context.Context, id event.ProjectID) (api.Shares, error) {
	if _, err := f.Get(ctx, id); err != nil {
		return api.Shares{}, err
	}
	return api.Shares{Odds: api.Odds{On: true, Draws: 40, Open: 3}, Tasks: 1000, Controls: []api.ControlShares{{
		Control: "topic", Draws: 36, Missing: 1, Waiting: 3, Shares: []api.LabelShare{{Label: "A", Estimate: 0.25, Low: 0.2, High: 0.3}},
	}}}, nil
}

func (f *fake) Publish(_ context.Context, es ...event.Event) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.fail == nil {
		f.events = append(f.events, es...)
	}
	return f.fail
}

func (f *fake) Disconnect(ctx context.Context, id event.ProjectID, deletePredictions bool) (api.Report, error) {
	if _, err := f.Get(ctx, id); err != nil {
		return api.Report{}, err
	}
	f.note("disconnect %d %v", id, deletePredictions)
	return api.Report{Project: id, Steps: []api.Step{{Level: "ok", Name: "ML backend", What: "removed"}}}, nil
}

func (f *fake) Forget(ctx context.Context, id event.ProjectID) (api.Report, error) {
	if _, err := f.Get(ctx, id); err != nil {
		return api.Report{}, err
	}
	f.note("forget %d", id)
	return api.Report{Project: id, Steps: []api.Step{{Level: "ok", Name: "project", What: "deleted"}}}, nil
}

func (f *fake) Connect(_ context.Context, id event.ProjectID, url string) (api.Report, error) {
	f.note("connect %d %s", id, url)
	return api.Report{Project: id, Steps: []api.Step{{Level: "ok", Name: "webhook", What: "created"}}}, f.err()
}

func (f *fake) Login(_ context.Context, url string, token secret.Secret) (api.Report, error) {
	f.note("login %s %d", url, len(token.Reveal()))
	return api.Report{Steps: []api.Step{{Level: "ok", Name: "login", What: "stored"}}}, f.err()
}

func (f *fake) ConnectPolled(_ context.Context, id event.ProjectID) (api.Report, error) {
	f.note("poll %d", id)
	return api.Report{Project: id, Steps: []api.Step{{Level: "ok", Name: "poll", What: "on"}}}, f.err()
}

func (f *fake) Configure(_ context.Context, id event.ProjectID, changes []api.Change) (api.Configuration, error) {
	said := ""
	for _, c := range changes {
		said += " " + c.Key
		if c.Value != nil {
			said += "=" + *c.Value
		}
	}
	f.note("configure %d%s", id, said)
	return api.Configuration{Project: id, Applied: !f.late, Settings: full().Settings}, f.err()
}

func (f *fake) Descriptions(_ context.Context, id event.ProjectID) (api.Descriptions, error) {
	f.note("descriptions %d", id)
	return api.Descriptions{
		Project: id, Applied: true, Descriptions: json.RawMessage(`{"A":["a line"]}`),
		Controls: []api.DescribedControl{{Control: "topic", Labels: []api.DescribedLabel{{Label: "A", Lines: []string{"a line"}, Hint: "a hint", Source: api.SourceLines}}}},
	}, f.err()
}

func (f *fake) Describe(ctx context.Context, id event.ProjectID, object []byte) (api.Descriptions, error) {
	out, err := f.Descriptions(ctx, id)
	f.note("describe %s", object)
	out.Applied = !f.late
	return out, err
}

func (f *fake) Doctor(_ context.Context, id event.ProjectID) (api.Report, error) {
	f.note("doctor %d", id)
	return api.Report{Steps: []api.Step{{Level: "fail", Name: "token", What: "refused", Fix: "another"}}}, f.err()
}

func (f *fake) PredictTasks(ctx context.Context, id event.ProjectID, data []json.RawMessage) (api.PredictResponse, error) {
	if _, err := f.Get(ctx, id); err != nil {
		return api.PredictResponse{}, err
	}
	out := api.PredictResponse{ModelVersion: "hone-1", Fields: []string{"text"}, Predictions: make([]api.TaskPrediction, len(data))}
	for i, d := range data {
		f.note("predict %d %.40s", id, d)
		out.Predictions[i].Controls = []api.ControlPrediction{{Control: "topic", Type: "Choices", Labels: &[]string{"A"}}}
	}
	if f.short {
		out.Predictions = out.Predictions[:0]
	}
	return out, nil
}

func (f *fake) Backup(w io.Writer) error {
	_, _ = io.WriteString(w, "a whole ")
	if err := f.err(); err != nil {
		return err
	}
	_, err := io.WriteString(w, "database")
	return err
}

type letters struct{ *fake }

func (f letters) List(_ context.Context, limit int) ([]api.DeadLetter, error) {
	f.note("list %d", limit)
	return []api.DeadLetter{{ID: 17, Topic: "changes", At: at, Reason: "panic", Event: "{}"}}, f.err()
}

func (f letters) Replay(_ context.Context, ids ...uint64) (int, error) {
	f.note("replay %v", ids)
	return len(ids), f.err()
}

func (f letters) Drop(_ context.Context, ids ...uint64) (int, error) {
	f.note("drop %v", ids)
	return len(ids), f.err()
}

// coded is an error that brings its own status.
type coded int

func (c coded) Error() string   { return "a coded error" }
func (c coded) HTTPStatus() int { return int(c) }

type rig struct {
	*fake
	t    *testing.T
	http *httptest.Server
	*api.Client
}

const token = "sesame"

func newRig(t *testing.T) *rig {
	t.Helper()
	gin.SetMode(gin.ReleaseMode)
	f := &fake{projects: map[event.ProjectID]api.Project{3: full(), 4: {ID: 4, Problems: []string{"the label config cannot be learned from"}}}}
	e := gin.New()
	e.Use(func(c *gin.Context) {
		if c.GetHeader("Authorization") != "Bearer "+token && strings.HasPrefix(c.FullPath(), "/api") {
			c.AbortWithStatusJSON(http.StatusUnauthorized, api.Error{Error: "who are you?"})
		}
	})
	server := &api.Server{
		Projects: f, Predictor: f, Publisher: f, DeadLetters: letters{f}, Connector: f, Configurer: f, Describer: f, Backup: f, Secrets: f,
		Metrics: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "hone_up 1\n") }),
		Ready:   func() error { return f.ready }, Now: func() time.Time { return at },
	}
	server.RegisterProbes(e)
	server.Register(e)
	s := httptest.NewServer(e)
	t.Cleanup(s.Close)
	return &rig{fake: f, t: t, http: s, Client: &api.Client{Base: s.URL, Token: token}}
}

// call makes a bare request, with credentials.
func (r *rig) call(method, path, body string, change ...func(*http.Request)) (int, string) {
	r.t.Helper()
	q, err := http.NewRequestWithContext(r.t.Context(), method, r.http.URL+path, strings.NewReader(body))
	require.NoError(r.t, err)
	q.Header.Set("Authorization", "Bearer "+token)
	for _, c := range change {
		c(q)
	}
	res, err := r.http.Client().Do(q)
	require.NoError(r.t, err)
	defer func() { _ = res.Body.Close() }()
	b, err := io.ReadAll(res.Body)
	if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) {
		require.NoError(r.t, err)
	}
	return res.StatusCode, string(b)
}
