package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hone-ml/hone/api"
	"github.com/hone-ml/hone/encode/encoders"
	"github.com/hone-ml/hone/encode/text/minilm"
	"github.com/hone-ml/hone/internal/app/apptest"
	"github.com/hone-ml/hone/internal/secret"
)

// embedder answers as an embedding server does: a text's vector is its topic.
func embedder(t *testing.T, key string, up *atomic.Bool, texts *atomic.Int64) *httptest.Server {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var in struct {
			Model string
			Input []string
		}
		if err := json.NewDecoder(r.Body).Decode(&in); err != nil || in.Model != "topics" || r.Header.Get("Authorization") != "Bearer "+key {
			t.Errorf("asked for %+v: %v", in, err)
		}
		if !up.Load() {
			http.Error(w, "quota of "+key, http.StatusPaymentRequired)
			return
		}
		texts.Add(int64(len(in.Input)))
		var data []map[string]any
		for i, text := range in.Input {
			x := []float64{0.1, 0.1, 0.1}
			for j, n := range apptest.Topics {
				if apptest.TopicOf(text) == n {
					x[j] = 1
				}
			}
			data = append(data, map[string]any{"index": i, "embedding": x})
		}
		_ = json.NewEncoder(w).Encode(map[string]any{"data": data})
	}))
	t.Cleanup(s.Close)
	return s
}

func fetched(t *testing.T, url string) string {
	res, err := http.Get(url) //nolint:gosec // the address of this test
	require.NoError(t, err)
	defer func() { _ = res.Body.Close() }()
	b, err := io.ReadAll(res.Body)
	require.NoError(t, err)
	return string(b)
}

func TestEmbeddingServerThatIsDownAndComesBack(t *testing.T) {
	const key = "sk-of-the-server"
	var up atomic.Bool
	var texts atomic.Int64
	e := embedder(t, key, &up, &texts)
	s := apptest.NewStudio(t)
	cfg := apptest.Settings(t.TempDir(), s)
	cfg.Learner.Encoder, cfg.Learner.OpenAIModel, cfg.Learner.OpenAIKey = "openai:"+e.URL, "topics", secret.Secret(key)
	h := start(t, cfg)
	p := s.NewProject(30)
	h.Register(p)
	h.Await(p, "the queue stands", func(p api.Project) bool { return p.Queue.Pushed > 0 })
	for range 4 {
		task, topic := s.Next(p)
		s.Annotate(task, topic)
	}
	got := h.Await(p, "it learns without the server", func(p api.Project) bool {
		return p.Labels == 4 && p.Backlog == 0 && p.Encoding != nil && p.Encoding.Tasks == 30 && len(p.Problems) > 0
	})
	assert.False(t, got.Encoding.Done)
	assert.Contains(t, strings.Join(got.Problems, " "), "402")
	labels, _ := h.Predict(p, "the loan of the bank")
	assert.Len(t, labels, 1)

	up.Store(true)
	assert.Equal(t, "project 1: the texts of all 30 tasks are encoded\n", h.ok("encode"))
	got = h.Status(p)
	assert.Equal(t, 30, got.Encoding.Encoded)
	assert.Empty(t, got.Problems)
	assert.Contains(t, h.ok("status"), "30 of 30 tasks encoded")
	_, said := h.Post("/predict", `{"project":"1","tasks":[{"data":{"text":"a card"}}]}`)
	assert.NotEmpty(t, said)
	log, metrics := h.Log.String(), fetched(t, h.Base+"/metrics")
	assert.Contains(t, metrics, `hone_learner_unencoded_tasks{project="1"} 0`)
	h.Stop()
	for _, seen := range []string{log, metrics, h.Log.String(), strings.Join(got.Problems, " ")} {
		assert.NotContains(t, seen, key)
	}

	sent := texts.Load()
	h = start(t, cfg)
	h.Await(p, "all is there", func(p api.Project) bool { return p.Encoding != nil && p.Encoding.Done && p.Encoding.Encoded == 30 })
	assert.Equal(t, sent, texts.Load(), "texts are sent again after a restart")
}

// A task may be longer than the transformer reads at once, and than it reads at all.
// Who opens it still gets an answer that knows its vector.
func TestLongTextsAreEncodedOnTheSpot(t *testing.T) {
	s := apptest.NewStudio(t)
	cfg := apptest.Settings(t.TempDir(), s)
	cfg.Learner.Encoder = encoders.MiniLM
	if _, err := encoders.Open(encoders.MiniLM, encoders.Options{}); errors.Is(err, minilm.ErrNotBuiltIn) {
		t.Skip(err)
	}
	h := start(t, cfg)
	p := s.NewProject(4)
	h.Register(p)
	task, topic := s.Next(p)
	s.Annotate(task, topic)
	h.Await(p, "it has learned, and encoded what there is", func(p api.Project) bool {
		return p.Labels == 1 && p.Pool == 3 && p.Encoding != nil && p.Encoding.Tasks == 4 && p.Encoding.Done
	})
	for _, words := range []int{300, 3_000, 30_000} {
		encoded := counted(t, h, "hone_learner_encoded_total")
		labels, scores := h.Predict(p, strings.Repeat("loan ", words))
		assert.Len(t, labels, 1, "%d words", words)
		assert.Positive(t, scores[0])
		if problems := h.Status(p).Problems; len(problems) == 1 && strings.Contains(problems[0], context.DeadlineExceeded.Error()) {
			// 300 words take a quarter of a second: no machine is as busy as that.
			require.Greater(t, words, 300, "they took longer than a request waits")
			t.Logf("%d words take longer than a request waits: this machine is busy", words)
			return
		}
		// What the background was at when this began may come on top.
		assert.Greater(t, counted(t, h, "hone_learner_encoded_total"), encoded, "%d words", words)
	}
	assert.Zero(t, counted(t, h, "hone_learner_encode_failures_total"))
	assert.Empty(t, h.Status(p).Problems)
}

// counted is a metric's value.
func counted(t *testing.T, h *instance, name string) (n float64) {
	_, rest, found := strings.Cut(fetched(t, h.Base+"/metrics"), "\n"+name+" ")
	require.True(t, found, name)
	_, err := fmt.Sscan(rest, &n)
	require.NoError(t, err)
	return n
}
