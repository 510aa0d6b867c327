package webhook

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/gin-gonic/gin"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/sirupsen/logrus"

	"github.com/hone-ml/hone/access"
	"github.com/hone-ml/hone/event"
)

type rig struct {
	*Server
	engine   *gin.Engine
	memory   *memory
	hone     *hone
	registry *prometheus.Registry
	logged   *syncBuffer
}

// newRig makes a server whose log is kept, at debug level. Project 3 is known.
func newRig(t testing.TB, change ...func(testing.TB, *Options)) *rig {
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
		Gate:   access.NewGate(keysOf(t, access.Options{}), access.GateOptions{Insecure: true}),
		Logger: logrus.NewEntry(logger), Registerer: r.registry,
	}
	for _, f := range change {
		f(t, &o)
	}
	s, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Start(context.Background()); err != nil {
		t.Fatal(err)
	}
	r.Server, r.engine = s, s.Engine()
	t.Cleanup(func() {
		if err := s.Stop(context.Background()); err != nil {
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

// recorded is the body of a request that a real Label Studio sent, byte for byte.
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
	return spaced(out.Bytes())
}

// spaced puts a space after each comma and colon, as Python writes JSON.
func spaced(compact []byte) string {
	var out strings.Builder
	quoted := false
	for i := 0; i < len(compact); i++ {
		b := compact[i]
		out.WriteByte(b)
		switch {
		case quoted && b == '\\':
			i++
			out.WriteByte(compact[i])
		case b == '"':
			quoted = !quoted
		case !quoted && (b == ',' || b == ':'):
			out.WriteByte(' ')
		}
	}
	return out.String()
}

func TestRecordedIsByteForByte(t *testing.T) {
	for name, length := range map[string]int{"webhook-annotation-created-choices": 3139, "webhook-annotations-created-bulk-choices": 4272, "backend-predict-choices": 1246} {
		if n := len(recorded(t, name)); n != length {
			t.Errorf("%s: %d bytes, Label Studio sent %d", name, n, length)
		}
	}
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

func prefixesOf(texts ...string) (out []netip.Prefix) {
	for _, t := range texts {
		out = append(out, netip.MustParsePrefix(t))
	}
	return out
}
