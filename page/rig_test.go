package page

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/stretchr/testify/require"

	"github.com/hone-ml/hone/access"
	"github.com/hone-ml/hone/api"
	"github.com/hone-ml/hone/event"
	"github.com/hone-ml/hone/internal/secret"
)

// fake is all that the page asks. Its fields may be changed under mu.
type fake struct {
	mu        sync.Mutex
	listing   api.Listing
	meanings  api.Descriptions
	shown     map[event.TaskID]Shown
	lists     int
	published []event.Event
	described []string
	changes   []api.Change
	logins    []string
	connected []string
	report    api.Report
	err       error
}

func (f *fake) with(do func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	do()
}

func (f *fake) List(context.Context) (api.Listing, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.lists++
	return f.listing, f.err
}

func (f *fake) Get(_ context.Context, id event.ProjectID) (api.Project, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, p := range f.listing.Projects {
		if p.ID == id {
			return p, nil
		}
	}
	return api.Project{}, api.ErrUnknownProject
}

func (f *fake) Versions(context.Context, event.ProjectID) ([]api.Version, error) {
	return []api.Version{{Name: "hone-1", Reason: "first"}, {Name: "hone-2", Live: true, Reason: "retrain", Accuracy: map[string]float64{"topic": 0.5}}}, nil
}

func (f *fake) Accuracy(context.Context, event.ProjectID) (api.AccuracyHistory, error) {
	return api.AccuracyHistory{Points: []api.AccuracyPoint{
		{Labels: 10, Asked: map[string]float64{"topic": 0.3}},
		{Labels: 20, Pool: map[string]api.PoolAccuracy{"topic": {Estimate: new(0.6), Low: new(0.5), High: new(0.7)}}},
	}}, nil
}

func (f *fake) Shares(context.Context, event.ProjectID) (api.Shares, error) {
	return api.Shares{}, nil
}

func (f *fake) Show(_ context.Context, _ event.ProjectID, tasks []event.TaskID) ([]Shown, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	out := make([]Shown, len(tasks))
	for i, t := range tasks {
		out[i] = f.shown[t]
	}
	return out, nil
}

func (f *fake) URL() string { return "http://studio.example:8080" }
func (f *fake) Projects(context.Context) ([]Offered, error) {
	return []Offered{{ID: 3, Title: "known", Tasks: 5}, {ID: 4, Title: "new", Tasks: 1}}, nil
}

func (f *fake) Publish(_ context.Context, events ...event.Event) error {
	f.with(func() { f.published = append(f.published, events...) })
	return nil
}

func (f *fake) Descriptions(context.Context, event.ProjectID) (api.Descriptions, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.meanings, nil
}

func (f *fake) Describe(_ context.Context, _ event.ProjectID, object []byte) (api.Descriptions, error) {
	f.with(func() { f.described = append(f.described, string(object)) })
	return api.Descriptions{}, nil
}

func (f *fake) Configure(_ context.Context, _ event.ProjectID, changes []api.Change) (api.Configuration, error) {
	f.with(func() { f.changes = append(f.changes, changes...) })
	return api.Configuration{}, nil
}

// connector is the fake as api.Connector.
type connector struct{ *fake }

func (f connector) Connect(_ context.Context, _ event.ProjectID, at string) (api.Report, error) {
	f.with(func() { f.connected = append(f.connected, at) })
	return f.report, nil
}

func (f connector) ConnectPolled(context.Context, event.ProjectID) (api.Report, error) {
	f.with(func() { f.connected = append(f.connected, "polled") })
	return f.report, nil
}

func (f connector) Login(_ context.Context, at string, token secret.Secret) (api.Report, error) {
	f.with(func() { f.logins = append(f.logins, at+" "+token.Reveal()) })
	return api.Report{Steps: []api.Step{{Level: "ok", Name: "token", What: "works"}}}, nil
}

func (f connector) Disconnect(context.Context, event.ProjectID, bool) (api.Report, error) {
	return api.Report{}, nil
}

func (f connector) Forget(context.Context, event.ProjectID) (api.Report, error) {
	return api.Report{}, nil
}

func (f connector) Doctor(context.Context, event.ProjectID) (api.Report, error) {
	return api.Report{Steps: []api.Step{{Level: "warn", Name: "sampling", What: "sequential", Fix: "turn it on"}}}, nil
}

// rig is a page behind a real gate, which asks for a token.
type rig struct {
	*fake
	t    *testing.T
	page *Server
	keys *access.Keys
	gate *access.Gate
	http http.Handler
	done chan struct{}
	// cookie is the session that requests carry, if any.
	cookie *http.Cookie
}

const hostile = `<script>alert(1)</script>"'&amp;<img src=x onerror=alert(1)>`

func newRig(t *testing.T) *rig {
	t.Helper()
	keys, err := access.Open(access.Options{Dir: t.TempDir(), AdminToken: "admin", ViewToken: "view"})
	require.NoError(t, err)
	f := &fake{
		listing: api.Listing{Projects: []api.Project{{
			ID: 3, Title: "Topics " + hostile, Labels: 20, Pool: 40, Tasks: 60, ModelVersion: "hone-2", Snapshot: 7,
			Heads:    []api.Head{{Control: "topic", Labels: []string{"a", hostile}, Examples: 20, PoolAccuracy: &api.PoolAccuracy{Estimate: new(0.6), Low: new(0.5), High: new(0.7), Random: 12}}},
			Queue:    api.Queue{Tasks: []event.TaskID{11, 12}, Confidences: []*float64{new(0.4), nil}, Reasons: []api.Reason{{Text: "unsure between a and " + hostile}, {Text: "drawn at random"}}, Pushed: 1},
			Problems: []string{"a problem with " + hostile}, Encoding: &api.Encoding{Tasks: 60, Encoded: 30, SecondsLeft: 90},
			Settings: []api.Setting{{Key: "queue", Value: "30", Doc: "how many"}}, Unlearnable: []api.Unlearnable{{Control: "box", Type: "RectangleLabels", Reason: "images"}},
		}}},
		meanings: api.Descriptions{Descriptions: json.RawMessage(`{}`), Controls: []api.DescribedControl{{Control: "topic", Labels: []api.DescribedLabel{{Label: "a"}, {Label: hostile}}}}},
		shown:    map[event.TaskID]Shown{11: {Text: "a text " + hostile, Suggested: "a"}},
	}
	gate := access.NewGate(keys, access.GateOptions{Addr: everywhere{}})
	r := &rig{fake: f, t: t, keys: keys, gate: gate, done: make(chan struct{})}
	r.page = New(Options{
		Projects: f, Tasks: f, LabelStudio: f, Publisher: f, Connector: connector{f}, Describer: f, Configurer: f,
		Admits: gate.Admits, Sessions: keys.Sessions(), RoleOfToken: keys.RoleOfToken, Address: func() string { return "http://hone.example:9090" },
		Version: "test", Done: r.done,
	})
	gin.SetMode(gin.TestMode)
	e := gin.New()
	e.Use(gate.Enforce(func(c *gin.Context) { c.Status(http.StatusUnauthorized) }))
	r.page.Register(e)
	e.GET("/", func(c *gin.Context) {
		if !r.page.Home(c) {
			c.JSON(http.StatusOK, gin.H{"status": "UP"})
		}
	})
	r.http = e
	return r
}

// everywhere is an address that is not loopback.
type everywhere struct{}

func (everywhere) Network() string { return "tcp" }
func (everywhere) String() string  { return "0.0.0.0:9090" }

// as signs in.
func (r *rig) as(role access.Role) *rig {
	r.cookie = r.keys.Sessions().Cookie(role, httptest.NewRequest(http.MethodGet, "/ui/", http.NoBody))
	return r
}

func (r *rig) do(req *http.Request) *httptest.ResponseRecorder {
	if r.cookie != nil {
		req.AddCookie(r.cookie)
	}
	w := httptest.NewRecorder()
	r.http.ServeHTTP(w, req)
	return w
}

func (r *rig) get(path string) *httptest.ResponseRecorder {
	req := httptest.NewRequest(http.MethodGet, "http://hone.example:9090"+path, http.NoBody)
	req.Header.Set("Accept", "text/html,application/xhtml+xml,*/*;q=0.8")
	return r.do(req)
}

// post sends a form with the token that pages have; fields in pairs.
func (r *rig) post(path string, fields ...string) *httptest.ResponseRecorder {
	v := url.Values{}
	for i := 0; i < len(fields); i += 2 {
		v.Set(fields[i], fields[i+1])
	}
	if !v.Has("form_token") {
		q := httptest.NewRequest(http.MethodGet, "/ui/", http.NoBody)
		if r.cookie != nil {
			q.AddCookie(r.cookie)
		}
		v.Set("form_token", r.keys.Sessions().FormToken(q))
	}
	req := httptest.NewRequest(http.MethodPost, "http://hone.example:9090"+path, strings.NewReader(v.Encode()))
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	return r.do(req)
}

// clock is a clock that tests move.
type clock struct {
	mu sync.Mutex
	at time.Time
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

func (c *clock) pass(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = c.at.Add(d)
}
