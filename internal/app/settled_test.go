package app_test

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hone-ml/hone/api"
	"github.com/hone-ml/hone/event"
	"github.com/hone-ml/hone/internal/app"
	"github.com/hone-ml/hone/internal/app/apptest"
	"github.com/hone-ml/hone/labelstudio/lstest/admin"
)

// gatedEncoder is a server of embeddings that keeps requests waiting which hold some text.
type gatedEncoder struct {
	*httptest.Server
	mu     sync.Mutex
	passes func(text string) bool // guarded by mu
	opened chan struct{}          // guarded by mu; closed when passes changes
}

func newGatedEncoder(t *testing.T) *gatedEncoder {
	g := &gatedEncoder{passes: func(string) bool { return false }, opened: make(chan struct{})}
	g.Server = httptest.NewServer(http.HandlerFunc(g.serve))
	t.Cleanup(g.Close)
	return g
}

func (g *gatedEncoder) serve(w http.ResponseWriter, r *http.Request) {
	var req struct{ Input []string }
	_ = json.NewDecoder(r.Body).Decode(&req)
	type vector struct {
		Index     int       `json:"index"`
		Embedding []float32 `json:"embedding"`
	}
	var out []vector
	for i, text := range req.Input {
		if !g.await(r, text) {
			return
		}
		v := vector{Index: i, Embedding: []float32{0, 0, 0, 1}}
		for j, topic := range apptest.Topics {
			if apptest.TopicOf(text) == topic {
				v.Embedding[j] = 1
			}
		}
		out = append(out, v)
	}
	_ = json.NewEncoder(w).Encode(map[string]any{"data": out})
}

// await waits until a text may pass; it is false when nobody waits for the answer any more.
func (g *gatedEncoder) await(r *http.Request, text string) bool {
	for {
		g.mu.Lock()
		passes, opened := g.passes(text), g.opened
		g.mu.Unlock()
		if passes {
			return true
		}
		select {
		case <-opened:
		case <-r.Context().Done():
			return false
		}
	}
}

func (g *gatedEncoder) let(passes func(text string) bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.passes = passes
	close(g.opened)
	g.opened = make(chan struct{})
}

// modelSettled reports whether all that was heard is learned, the model is at its optimum,
// and Label Studio holds the queue that it ranks.
func modelSettled(h *apptest.Instance, got api.Project, labels int) bool {
	st, ok := h.Learner.Status(got.ID)
	q, is := h.Sampler.Status(got.ID)
	return ok && is && st.Settled && st.Labels == labels && q.Complete && q.Snapshot >= st.Announced && got.Backlog == 0 && got.Queue.Pushed == len(got.Queue.Tasks)
}

// A project whose labelled texts, or whose queue, lack vectors of a slow encoder has not
// settled, though its model is at its optimum. The rest of the pool does not matter.
func TestSettledMeansVectorsOfLabelsAndQueue(t *testing.T) {
	s, g := apptest.NewStudio(t), newGatedEncoder(t)
	cfg := apptest.Settings(t.TempDir(), s)
	cfg.Learner.Encoder, cfg.Learner.OpenAIModel = "openai:"+g.URL+"/v1", "gated"
	cfg.Sampler.Strategy, cfg.Sampler.Queue = "random", 10 // an order that vectors do not change
	h := apptest.Start(t, cfg)
	p := s.NewProject(60)
	h.Register(p)
	h.Await(p, "read", func(p api.Project) bool { return p.Pool == 60 && p.Queue.Pushed == 10 })
	task, topic := s.Next(p)
	s.Annotate(task, topic)
	got := h.Await(p, "model and queue are done", func(got api.Project) bool { return modelSettled(h, got, 1) })
	assert.False(t, got.Settled, "no text has a vector")

	texts := map[string]event.TaskID{}
	tasks, err := h.Store.Tasks(t.Context(), p, nil)
	require.NoError(t, err)
	for _, t := range tasks {
		var d struct{ Text string }
		_ = json.Unmarshal(t.Task.Data, &d)
		texts[d.Text] = t.Task.ID
	}
	isTask := func(text string) bool { _, is := texts[text]; return is }
	g.let(func(text string) bool { return !isTask(text) || texts[text] == task })
	got = h.Await(p, "labels and their names have vectors", func(got api.Project) bool {
		st, _ := h.Learner.Status(p)
		return modelSettled(h, got, 1) && !st.VectorsMissing
	})
	assert.False(t, got.Settled, "the queue has no vectors")

	queued := map[event.TaskID]bool{task: true}
	for _, id := range got.Queue.Tasks {
		queued[id] = true
	}
	g.let(func(text string) bool { return !isTask(text) || queued[texts[text]] })
	got = h.Await(p, "the queue has its vectors", func(p api.Project) bool { return p.Settled })
	assert.False(t, got.Encoding.Done, "the rest of the pool has none")
	g.let(func(string) bool { return true })
	h.Await(p, "all is encoded", func(p api.Project) bool { return p.Settled && p.Encoding.Done })
}

// deafStudio is a way to Label Studio on which no prediction is written while it is deaf.
type deafStudio struct {
	deaf  atomic.Bool
	tried atomic.Int64
}

func (d *deafStudio) RoundTrip(r *http.Request) (*http.Response, error) {
	if d.deaf.Load() && r.Method != http.MethodGet && strings.Contains(r.URL.Path, "/predictions") {
		d.tried.Add(1)
		return &http.Response{
			StatusCode: http.StatusServiceUnavailable, Header: http.Header{}, Body: io.NopCloser(bytes.NewBufferString("busy")), Request: r,
		}, nil
	}
	return http.DefaultTransport.RoundTrip(r)
}

// slowListing is a way to Label Studio on which the listing of tasks waits.
type slowListing struct{ opened chan struct{} }

func (l slowListing) RoundTrip(r *http.Request) (*http.Response, error) {
	if strings.Contains(r.URL.Path, "/tasks") {
		select {
		case <-l.opened:
		case <-r.Context().Done():
			return nil, r.Context().Err()
		}
	}
	return http.DefaultTransport.RoundTrip(r)
}

// A project whose tasks were not read yet has not settled, though nothing is left to do
// with those that are known.
func TestSettledMeansThatTheProjectWasRead(t *testing.T) {
	s, l := apptest.NewStudio(t), slowListing{make(chan struct{})}
	h := apptest.StartWith(t, apptest.Settings(t.TempDir(), s), app.Seams{Transport: l, Jitter: func() float64 { return 0 }})
	p := s.NewProject(40)
	h.Register(p)
	got := h.Await(p, "being read, and nothing else to do", func(got api.Project) bool {
		return got.Reconcile != nil && got.Reconcile.Running && modelSettled(h, got, 0)
	})
	assert.False(t, got.Settled)
	close(l.opened)
	got = h.Await(p, "settled", func(p api.Project) bool { return p.Settled })
	assert.Equal(t, 40, got.Tasks)
}

// A project whose queue Label Studio does not take has not settled.
func TestSettledMeansThatLabelStudioHoldsTheQueue(t *testing.T) {
	s, d := apptest.NewStudio(t), &deafStudio{}
	cfg := apptest.Settings(t.TempDir(), s)
	h := apptest.StartWith(t, cfg, app.Seams{Transport: d, Jitter: func() float64 { return 0 }})
	p := s.NewProject(40)
	h.Register(p)
	h.Await(p, "settled", func(p api.Project) bool { return p.Settled && p.Pool == 40 })
	d.deaf.Store(true)
	task, topic := s.Next(p)
	s.Annotate(task, topic)
	got := h.Await(p, "the label is learned, and its queue cannot be written", func(got api.Project) bool {
		st, _ := h.Learner.Status(p)
		return got.Labels == 1 && got.Backlog == 0 && st.Settled && d.tried.Load() > 0
	})
	assert.False(t, got.Settled)
	d.deaf.Store(false)
	got = h.Await(p, "settled again", func(p api.Project) bool { return p.Settled })
	assert.Equal(t, len(got.Queue.Tasks), got.Queue.Pushed)
}

// From the moment at which hone says that it has heard of a label or an order until all
// that follows is done, no answer says that a project has settled.
func TestSettledIsNeverEarly(t *testing.T) {
	s := apptest.NewStudio(t)
	h := apptest.Start(t, apptest.Settings(t.TempDir(), s))
	p := s.NewProject(60)
	h.Register(p)
	h.Await(p, "settled", func(p api.Project) bool { return p.Settled && p.Pool == 60 })
	tasks, err := h.Store.Tasks(t.Context(), p, nil)
	require.NoError(t, err)
	var notes []event.Annotation
	for i := range 40 {
		_, topic := apptest.Text(i)
		notes = append(notes, s.Annotate(tasks[i].Task.ID, topic)) // answered when the webhook was
		apptest.Until(t, "the webhook has come", func() bool { return heardOf(s, i+1) })
		got := h.Await(p, "settled", func(p api.Project) bool { return p.Settled })
		require.Equal(t, i+1, got.Labels, "said to have settled before the label was learned")
		require.Equal(t, i+1, got.Queue.Labels, "said to have settled before the queue was ranked with it")
		require.NotContains(t, got.Queue.Tasks, tasks[i].Task.ID)
		require.Len(t, got.Queue.Tasks, min(30, 60-i-1))
		require.Equal(t, len(got.Queue.Tasks), got.Queue.Pushed)
	}
	require.NoError(t, admin.DeleteAnnotation(t.Context(), s.Client, notes[0].ID))
	h.Await(p, "forgotten", func(p api.Project) bool { return p.Labels == 39 && p.Settled })
	for i := range 3 {
		at, err := h.Retrain(t.Context(), p)
		require.NoError(t, err)
		got := h.Await(p, "settled", func(p api.Project) bool { return p.Settled })
		require.NotNil(t, got.Retrain.Last, "said to have settled before retrain %d", i)
		require.False(t, got.Retrain.Last.Before(at), "said to have settled before retrain %d", i)
	}
}

// heardOf reports whether Label Studio has delivered so many annotations.
func heardOf(s *apptest.Studio, n int) bool {
	for _, d := range s.Deliveries() {
		if d.Action == "ANNOTATION_CREATED" {
			n--
		}
	}
	return n <= 0
}
