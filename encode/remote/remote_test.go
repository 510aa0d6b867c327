package remote

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"github.com/hone-ml/hone/encode"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var _ encode.BatchEncoder = (*Client)(nil)

const key = "sk-not-to-be-seen"

// server answers as an embedding server does, with a vector made of the text's
// length, unless do answers first.
type server struct {
	*httptest.Server
	mu       sync.Mutex
	requests []embeddingRequest
	do       func(w http.ResponseWriter, r embeddingRequest) bool
}

func serve(t *testing.T) (*server, *Client, *[]time.Duration) {
	s := &server{}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		defer s.mu.Unlock()
		var in embeddingRequest
		if err := json.NewDecoder(r.Body).Decode(&in); err != nil || r.URL.Path != "/v1/embeddings" || r.Method != http.MethodPost {
			t.Errorf("%s %s: %v", r.Method, r.URL, err)
		}
		if got := r.Header.Get("Authorization"); got != "Bearer "+key {
			t.Errorf("authorization %q", got)
		}
		s.requests = append(s.requests, in)
		if s.do == nil || !s.do(w, in) {
			answer(w, in)
		}
	}))
	t.Cleanup(s.Close)
	transport := http.DefaultTransport.(*http.Transport).Clone()
	t.Cleanup(transport.CloseIdleConnections)
	c, err := New(Options{URL: s.URL, Model: "small", Key: func() string { return key }, Transport: transport})
	if err != nil {
		t.Fatal(err)
	}
	waits := new([]time.Duration)
	c.wait = func(ctx context.Context, d time.Duration) bool {
		*waits = append(*waits, d)
		return ctx.Err() == nil
	}
	return s, c, waits
}

func answer(w http.ResponseWriter, in embeddingRequest) {
	type entry struct {
		Index     int       `json:"index"`
		Embedding []float32 `json:"embedding"`
	}
	data := make([]entry, len(in.Input))
	for i, t := range in.Input {
		data[len(data)-1-i] = entry{i, []float32{float32(len(t)), 1}} // in no order
	}
	_ = json.NewEncoder(w).Encode(map[string]any{"object": "list", "data": data, "usage": map[string]int{"total_tokens": 7}})
}

func TestBatchesInOrder(t *testing.T) {
	s, c, _ := serve(t)
	texts := make([]string, 150)
	for i := range texts {
		texts[i] = strings.Repeat("ü", i+1)
	}
	got, err := c.EncodeBatch(t.Context(), texts)
	if err != nil {
		t.Fatal(err)
	}
	for i, x := range got {
		if !cmp.Equal(x, []float32{float32(2 * (i + 1)), 1}) {
			t.Fatalf("text %d has %v", i, x)
		}
	}
	if len(got) != 150 || len(s.requests) != 3 || s.requests[0].Model != "small" || s.requests[0].Format != "float" {
		t.Errorf("%d vectors, %d requests", len(got), len(s.requests))
	}
	s.requests = nil
	long := strings.Repeat("ü", maxText)
	if _, err := c.EncodeBatch(t.Context(), slices.Repeat([]string{long}, 10)); err != nil {
		t.Fatal(err)
	}
	if len(s.requests) < 2 || len(s.requests[0].Input[0]) != maxText {
		t.Errorf("%d requests, the first text has %d bytes", len(s.requests), len(s.requests[0].Input[0]))
	}
	if got, err := c.EncodeBatch(t.Context(), nil); err != nil || len(got) != 0 {
		t.Errorf("of nothing: %v, %v", got, err)
	}
}

func TestTriesAgainWhatMayPass(t *testing.T) {
	s, c, waits := serve(t)
	fail := 2
	s.do = func(w http.ResponseWriter, _ embeddingRequest) bool {
		if fail--; fail < 0 {
			return false
		}
		w.Header().Set("Retry-After", "7")
		w.WriteHeader([]int{http.StatusTooManyRequests, http.StatusBadGateway}[fail])
		return true
	}
	if _, err := c.EncodeBatch(t.Context(), []string{"a"}); err != nil {
		t.Fatal(err)
	}
	if !cmp.Equal(*waits, []time.Duration{7 * time.Second, 7 * time.Second}) {
		t.Errorf("waits %v", *waits)
	}
	fail, s.requests = 1000, nil
	s.do = func(w http.ResponseWriter, _ embeddingRequest) bool {
		http.Error(w, "out of memory, your key is "+key, http.StatusInternalServerError)
		return true
	}
	_, err := c.EncodeBatch(t.Context(), []string{"a"})
	if err == nil || !strings.Contains(err.Error(), "out of memory") || strings.Contains(err.Error(), key) {
		t.Errorf("error %v", err)
	}
	if len(s.requests) != maxAttempts {
		t.Errorf("%d attempts", len(s.requests))
	}
	s.do = func(w http.ResponseWriter, _ embeddingRequest) bool {
		w.Header().Set("Retry-After", "3000")
		w.WriteHeader(http.StatusTooManyRequests)
		return true
	}
	*waits = nil
	if _, err := c.EncodeBatch(t.Context(), []string{"a"}); err == nil || len(*waits) > 0 {
		t.Errorf("it waits %v for an hour's limit, error %v", *waits, err)
	}
}

func TestOneRefusedTextDoesNotSpoilTheBatch(t *testing.T) {
	s, c, _ := serve(t)
	refuse := func(w http.ResponseWriter, r embeddingRequest) bool {
		if slices.ContainsFunc(r.Input, func(t string) bool { return strings.Contains(t, "bad") || len(t) > 2000 }) {
			http.Error(w, `{"error":{"message":"input is too long"}}`, http.StatusBadRequest)
			return true
		}
		return false
	}
	s.do = refuse
	texts := []string{"a", "bad", "ccc", strings.Repeat("d", 5000)}
	got, err := c.EncodeBatch(t.Context(), texts)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff([][]float32{{1, 1}, nil, {3, 1}, {1250, 1}}, got); d != "" {
		t.Error(d)
	}
	// A server that refuses everything refuses no text.
	s.do = func(w http.ResponseWriter, _ embeddingRequest) bool {
		http.Error(w, "model: field required", http.StatusUnprocessableEntity)
		return true
	}
	if _, err := c.EncodeBatch(t.Context(), texts); err == nil || !strings.Contains(err.Error(), "field required") {
		t.Errorf("error %v", err)
	}
}

func TestGarbageIsAnError(t *testing.T) {
	s, c, _ := serve(t)
	for name, body := range map[string]string{
		"no JSON":            "<html>welcome</html>",
		"empty":              "",
		"another protocol":   `{"embeddings":[[1,2]]}`,
		"too few":            `{"data":[{"index":0,"embedding":[1]}]}`,
		"an index twice":     `{"data":[{"index":0,"embedding":[1]},{"index":0,"embedding":[1]}]}`,
		"an index beyond":    `{"data":[{"index":0,"embedding":[1]},{"index":9,"embedding":[1]}]}`,
		"a negative index":   `{"data":[{"index":-1,"embedding":[1]},{"index":0,"embedding":[1]}]}`,
		"lengths that vary":  `{"data":[{"index":0,"embedding":[1,2]},{"index":1,"embedding":[1]}]}`,
		"no numbers":         `{"data":[{"index":0,"embedding":[]},{"index":1,"embedding":[]}]}`,
		"texts for numbers":  `{"data":[{"index":0,"embedding":["x"]},{"index":1,"embedding":["x"]}]}`,
		"a number too large": `{"data":[{"index":0,"embedding":[1e99]},{"index":1,"embedding":[1]}]}`,
		"much":               strings.Repeat(" ", 2*answerBytesPerText+answerOverhead+1),
	} {
		s.do = func(w http.ResponseWriter, _ embeddingRequest) bool { fmt.Fprint(w, body); return true }
		if got, err := c.EncodeBatch(t.Context(), []string{"a", "b"}); err == nil || got != nil {
			t.Errorf("%s: %v, %v", name, got, err)
		}
	}
}

func TestErrorsNameTheFix(t *testing.T) {
	s, c, waits := serve(t)
	for status, want := range map[int]string{
		http.StatusUnauthorized: "learner.openai_key",
		http.StatusForbidden:    "learner.openai_key",
		http.StatusNotFound:     "learner.openai_model",
		http.StatusFound:        "final address",
		http.StatusTeapot:       "418",
	} {
		s.do = func(w http.ResponseWriter, _ embeddingRequest) bool {
			w.Header().Set("Location", "http://elsewhere.invalid/")
			w.WriteHeader(status)
			return true
		}
		if _, err := c.EncodeBatch(t.Context(), []string{"a"}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%d: %v", status, err)
		}
	}
	if len(*waits) > 0 {
		t.Error("what will not pass is tried again")
	}
	s.Close()
	_, err := c.EncodeBatch(t.Context(), []string{"a"})
	if err == nil || !strings.Contains(err.Error(), "does not answer") || len(*waits) != maxAttempts-1 {
		t.Errorf("no server: %v after %v", err, *waits)
	}
}

func TestSlowServerIsGivenUp(t *testing.T) {
	s, c, _ := serve(t)
	ctx, cancel := context.WithCancel(t.Context())
	held := make(chan struct{})
	s.do = func(http.ResponseWriter, embeddingRequest) bool {
		cancel()
		<-held
		return true
	}
	_, err := c.EncodeBatch(ctx, []string{"a"})
	close(held)
	if !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
}

func TestEndpoint(t *testing.T) {
	for in, want := range map[string]string{
		"http://localhost:8080":               "http://localhost:8080/v1/embeddings",
		"http://localhost:8080/":              "http://localhost:8080/v1/embeddings",
		"http://localhost:8080/v1/":           "http://localhost:8080/v1/embeddings",
		"https://x.test/proxy/v1/embeddings/": "https://x.test/proxy/v1/embeddings",
	} {
		if got, err := endpoint(in); err != nil || got != want {
			t.Errorf("%s: %q, %v", in, got, err)
		}
	}
	for _, bad := range []string{"", "localhost:8080", "ftp://x.test", "http://", "http://u:hidden@x.test", "http://x.test/?key=hidden", "http://x.test/#a", "http://[::1"} {
		if _, err := endpoint(bad); err == nil || strings.Contains(err.Error(), "hidden") {
			t.Errorf("%q: %v", bad, err)
		}
	}
	if s := fmt.Sprintf("%+v", Options{Key: func() string { return key }}); strings.Contains(s, key) {
		t.Error("options print the key")
	}
}

func FuzzDecode(f *testing.F) {
	f.Add([]byte(`{"data":[{"index":1,"embedding":[1,2]},{"index":0,"embedding":[3,4]}]}`), 2)
	f.Add([]byte(`{"data":[{"embedding":[1]}]}`), 1)
	f.Fuzz(func(t *testing.T, b []byte, n int) {
		got, err := decodeVectors(b, n)
		if err != nil {
			return
		}
		if len(got) != n {
			t.Fatalf("%d vectors for %d texts", len(got), n)
		}
		for _, x := range got {
			if len(x) == 0 || len(x) != len(got[0]) {
				t.Fatal("vectors of several lengths")
			}
		}
	})
}
