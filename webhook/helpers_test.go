package webhook

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/gin-gonic/gin"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/sirupsen/logrus"
	"go.uber.org/goleak"

	"github.com/hone-ml/hone/event"
	"github.com/hone-ml/hone/labelstudio"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// memory keeps events as the log would: encoded, so that what is read back
// shares nothing with what was published.
type memory struct {
	mu     sync.Mutex
	stored [][]byte
	calls  int
	fail   error
	hold   chan struct{} // when set, Publish waits for it and minds no context
}

func (m *memory) Publish(_ context.Context, events ...event.Event) error {
	m.mu.Lock()
	hold := m.hold
	m.mu.Unlock()
	if hold != nil {
		<-hold
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.calls++
	if m.fail != nil {
		return m.fail
	}
	for _, e := range events {
		b, err := event.Encode(e)
		if err != nil {
			return err
		}
		m.stored = append(m.stored, b)
	}
	return nil
}

func (m *memory) failWith(err error) {
	m.mu.Lock()
	m.fail = err
	m.mu.Unlock()
}

func (m *memory) events(t testing.TB) []event.Event {
	t.Helper()
	m.mu.Lock()
	defer m.mu.Unlock()
	var out []event.Event
	for _, b := range m.stored {
		e, err := event.Decode(b)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, e)
	}
	return out
}

// lines says in one line each what is stored.
func (m *memory) lines(t testing.TB) []string {
	t.Helper()
	var out []string
	for _, e := range m.events(t) {
		out = append(out, line(e))
	}
	return out
}

func line(e event.Event) string {
	switch e := e.(type) {
	case *event.Changed:
		s := fmt.Sprintf("changed %d", e.Project)
		for _, t := range e.Tasks {
			s += fmt.Sprintf(" task %d", t.ID)
		}
		for _, a := range e.Annotations {
			s += fmt.Sprintf(" annotation %d of %d", a.ID, a.Task)
			if a.Cancelled {
				s += " skipped"
			}
		}
		for _, id := range e.DeletedAnnotations {
			s += fmt.Sprintf(" -annotation %d", id)
		}
		for _, id := range e.DeletedTasks {
			s += fmt.Sprintf(" -task %d", id)
		}
		if e.Gone {
			s += " gone"
		}
		return s
	case *event.ReconcileDue:
		if e.Full {
			return fmt.Sprintf("reconcile %d full", e.Project)
		}
		return fmt.Sprintf("reconcile %d", e.Project)
	case *event.RetrainDue:
		return fmt.Sprintf("retrain %d", e.Project)
	}
	return fmt.Sprintf("%T", e)
}

// hone is what stands behind the server in these tests: projects with their
// versions, and a predictor that answers with the task's own text.
type hone struct {
	mu         sync.Mutex
	versionsOf map[event.ProjectID][]string
	setups     []SetupInfo
	setup      func(context.Context, SetupInfo) (string, error)
	predict    func(context.Context, event.ProjectID, string, []event.Task) ([]labelstudio.Prediction, error)
}

func (h *hone) Projects() []event.ProjectID {
	h.mu.Lock()
	defer h.mu.Unlock()
	var out []event.ProjectID
	for p := range h.versionsOf {
		out = append(out, p)
	}
	return out
}

func (h *hone) Versions(p event.ProjectID) []string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Clone(h.versionsOf[p])
}

func (h *hone) Setup(ctx context.Context, info SetupInfo) (string, error) {
	h.mu.Lock()
	h.setups = append(h.setups, info)
	setup := h.setup
	h.mu.Unlock()
	if setup != nil {
		return setup(ctx, info)
	}
	return "hone-1", nil
}

func (h *hone) Predict(ctx context.Context, p event.ProjectID, config string, tasks []event.Task) ([]labelstudio.Prediction, error) {
	if h.predict != nil {
		return h.predict(ctx, p, config, tasks)
	}
	out := make([]labelstudio.Prediction, len(tasks))
	for i, t := range tasks {
		var data struct {
			Text string `json:"text"`
		}
		if err := json.Unmarshal(t.Data, &data); err != nil {
			return nil, err
		}
		if data.Text == "" {
			continue
		}
		value, err := json.Marshal(map[string]any{"choices": []string{data.Text}})
		if err != nil {
			return nil, err
		}
		out[i] = labelstudio.Prediction{
			Result: []labelstudio.Region{{FromName: "sentiment", ToName: "text", Type: "choices", Value: value}},
			Score:  0.5, ModelVersion: "hone-1",
		}
	}
	return out, nil
}

type rig struct {
	*Server
	engine   *gin.Engine
	memory   *memory
	hone     *hone
	registry *prometheus.Registry
	logged   *syncBuffer
}

// newRig makes a server whose log is kept, at debug level. Project 3 is known.
func newRig(t testing.TB, change ...func(*Options)) *rig {
	t.Helper()
	r := &rig{
		memory:   new(memory),
		hone:     &hone{versionsOf: map[event.ProjectID][]string{3: {"hone-1", "hone-2"}}},
		registry: prometheus.NewRegistry(),
		logged:   new(syncBuffer),
	}
	logger := logrus.New()
	logger.SetOutput(r.logged)
	logger.SetLevel(logrus.DebugLevel)
	o := Options{
		Publisher: r.memory, Predictor: r.hone, Projects: r.hone, Adopter: r.hone,
		Logger: logrus.NewEntry(logger), Registerer: r.registry,
	}
	for _, f := range change {
		f(&o)
	}
	s, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	r.Server, r.engine = s, s.Engine()
	t.Cleanup(func() {
		if err := s.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return r
}

// serve puts the engine behind a real HTTP server.
func (r *rig) serve(t testing.TB) string {
	t.Helper()
	srv := httptest.NewServer(r.engine)
	t.Cleanup(srv.Close)
	return srv.URL
}

type reply struct {
	status int
	line   string // the status line, as Label Studio shows it
	header http.Header
	body   string
}

func (r reply) String() string { return r.line + " " + r.body }

// client makes a new connection for each call, as Label Studio does.
var client = &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}

func call(t testing.TB, method, url, body string, header ...string) reply {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	resp, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return reply{resp.StatusCode, resp.Status, resp.Header, string(b)}
}

// direct calls the engine without a network, for tests in a bubble of fake time.
func (r *rig) direct(method, path, body string) *httptest.ResponseRecorder {
	req := httptest.NewRequest(method, path, strings.NewReader(body))
	req.Header.Set("Content-Type", "application/json")
	w := httptest.NewRecorder()
	r.engine.ServeHTTP(w, req)
	return w
}

// recorded is the body of a request that a real Label Studio sent.
func recorded(t testing.TB, name string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", name+".json"))
	if err != nil {
		t.Fatal(err)
	}
	var f struct {
		Request struct {
			Body json.RawMessage `json:"body"`
		} `json:"request"`
	}
	if err := json.Unmarshal(b, &f); err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if err := json.Compact(&out, f.Request.Body); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

// count reads a counter, or a histogram's number of observations; labels are
// pairs of name and value.
func (r *rig) count(t testing.TB, name string, labels ...string) float64 {
	t.Helper()
	families, err := r.registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		if f.GetName() != name {
			continue
		}
		for _, m := range f.GetMetric() {
			ok := true
			for i := 0; i < len(labels); i += 2 {
				found := false
				for _, l := range m.GetLabel() {
					found = found || l.GetName() == labels[i] && l.GetValue() == labels[i+1]
				}
				ok = ok && found
			}
			if !ok {
				continue
			}
			if h := m.GetHistogram(); h != nil {
				return float64(h.GetSampleCount())
			}
			if g := m.GetGauge(); g != nil {
				return g.GetValue()
			}
			return m.GetCounter().GetValue()
		}
	}
	return 0
}

// syncBuffer is a buffer that a handler may still write to while a test reads.
type syncBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *syncBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *syncBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

var errDisk = errors.New("write hone.db: no space left on device")
