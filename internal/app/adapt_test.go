package app_test

import (
	"context"
	"encoding/json"
	"maps"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hone-ml/hone/api"
	"github.com/hone-ml/hone/encode"
	"github.com/hone-ml/hone/encode/encoders"
	"github.com/hone-ml/hone/event"
	"github.com/hone-ml/hone/internal/app"
	"github.com/hone-ml/hone/internal/app/apptest"
)

// adapters is how many are trained of a head's labels: one a fold, and the one that is kept.
const adapters = 4

// wordTrainer counts in texts the words of each class. It trains, and makes vectors with the adapter that
// is kept, when it is let.
type wordTrainer struct {
	train, encode chan struct{} // closed to let it

	mu      sync.Mutex
	trained int
	held    int // batches of texts that wait for encode, or did
}

func newWordTrainer() *wordTrainer {
	return &wordTrainer{train: make(chan struct{}), encode: make(chan struct{})}
}

// open lets it do all.
func (g *wordTrainer) open() *wordTrainer {
	close(g.train)
	close(g.encode)
	return g
}

func (g *wordTrainer) counts() (trained, held int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.trained, g.held
}

func (*wordTrainer) Name() string { return "words" }

func (g *wordTrainer) Train(ctx context.Context, texts []encode.LabelledText) ([]byte, error) {
	select {
	case <-g.train:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	seen := map[string]map[int]bool{}
	for _, t := range texts {
		for _, w := range strings.Fields(t.Text) {
			if seen[w] == nil {
				seen[w] = map[int]bool{}
			}
			seen[w][t.Class] = true
		}
	}
	classes := map[string]int{} // of the words that only one class has
	for w, of := range seen {
		if all := slices.Collect(maps.Keys(of)); len(all) == 1 {
			classes[w] = all[0]
		}
	}
	g.mu.Lock()
	g.trained++
	g.mu.Unlock()
	return json.Marshal(classes)
}

func (g *wordTrainer) Adapted(adapter []byte) (encode.BatchEncoder, error) {
	e := &wordEncoder{trainer: g}
	return e, json.Unmarshal(adapter, &e.classes)
}

// wordEncoder is what a wordTrainer adapts.
type wordEncoder struct {
	trainer *wordTrainer
	classes map[string]int
}

func (*wordEncoder) Name() string { return "words" }

func (e *wordEncoder) EncodeBatch(ctx context.Context, texts []string) ([][]float32, error) {
	if trained, _ := e.trainer.counts(); trained >= adapters {
		e.trainer.mu.Lock()
		e.trainer.held++
		e.trainer.mu.Unlock()
		select {
		case <-e.trainer.encode:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	out := make([][]float32, len(texts))
	for i, t := range texts {
		out[i] = make([]float32, len(apptest.Topics)+1)
		out[i][len(apptest.Topics)] = 0.1
		for _, w := range strings.Fields(t) {
			if class, known := e.classes[w]; known {
				out[i][class]++
			}
		}
	}
	return out, nil
}

// While an encoder adapts, hone learns and answers as it did. Then the project goes by what came of it,
// over a restart too, until the configuration says otherwise.
func TestAnEncoderThatAdapts(t *testing.T) {
	const tasks, labels = 30, 17 // encoders adapt to the first 16
	s, dir := apptest.NewStudio(t), t.TempDir()
	texts, topics := unseen()
	start := func(dir string, g *wordTrainer) *apptest.Instance {
		cfg, seams := apptest.Settings(dir, s), app.Seams{}
		if cfg.Learner.Adapt = "off"; g != nil {
			cfg.Learner.Adapt, seams.Trainer = "auto", g
		}
		return apptest.StartWith(t, cfg, seams)
	}
	g := newWordTrainer()
	r := &configured{s: s, dir: dir}
	r.h = start(dir, g)
	r.p = s.NewProject(tasks)
	r.h.Register(r.p)
	r.h.Await(r.p, "read", func(p api.Project) bool { return p.Pool == tasks && p.Queue.Pushed >= 5 })
	answers := func() []float64 {
		t.Helper()
		got, _ := r.h.Predict(r.p, texts...)
		assert.Greater(t, right(got, topics), len(topics)/2)
		_, scores := r.h.Predict(r.p, "about bank and flight", "luggage and recipe with sugar", "the oven of a hotel")
		return scores
	}
	vectors := func() (n int) {
		require.NoError(t, r.h.Store.VectorKeys(t.Context(), encoders.AdaptedName(g.Name()), func(event.ContentKey) { n++ }))
		return n
	}

	r.label(labels)
	got := r.h.Await(r.p, "it trains", func(p api.Project) bool { return p.Adapted != nil })
	assert.Equal(t, &api.Adapted{Control: "topic", AdaptingTo: 16}, got.Adapted)
	assert.False(t, got.Settled)
	answers()
	close(g.train)
	apptest.Until(t, "its vectors are asked for", func() bool { _, held := g.counts(); return held > 0 })
	got = r.h.Status(r.p)
	assert.Equal(t, &api.Adapted{Control: "topic", AdaptingTo: 16}, got.Adapted)
	answers()
	r.label(1)
	assert.Zero(t, vectors())
	close(g.encode)
	got = settled(r.h, r.p)
	require.NotNil(t, got.Adapted)
	assert.Equal(t, 16, got.Adapted.Labels)
	assert.Zero(t, got.Adapted.AdaptingTo)
	require.NotNil(t, got.Adapted.At)
	assert.True(t, got.Encoding.Done)
	assert.Equal(t, tasks, got.Encoding.Encoded)
	assert.GreaterOrEqual(t, vectors(), tasks)
	adapted := answers()
	trained, _ := g.counts()
	assert.Equal(t, adapters, trained)

	r.h.Stop()
	g = newWordTrainer().open()
	r.h = start(dir, g)
	again := settled(r.h, r.p)
	assert.Equal(t, got.Adapted, again.Adapted)
	assert.True(t, inDelta(adapted, answers()), "after a restart: %v and %v", adapted, answers())
	trained, _ = g.counts()
	assert.Zero(t, trained, "adapters that were trained again")

	r.h.Stop()
	r.h = start(dir, nil)
	got = settled(r.h, r.p)
	assert.Nil(t, got.Adapted)
	assert.Nil(t, got.Encoding)
	assert.Equal(t, labels+1, got.Labels)
	plain := answers()
	assert.False(t, inDelta(adapted, plain), "%v and %v", adapted, plain)
	r.label(1)
	settled(r.h, r.p)
	plain = answers()

	r.h.Stop()
	r.h = start(t.TempDir(), nil)
	r.h.Register(r.p)
	r.h.Await(r.p, "read", func(p api.Project) bool { return p.Settled && p.Labels == labels+2 })
	assert.True(t, inDelta(plain, answers()), "a hone that never adapted")
	r.h.Stop()

	g = newWordTrainer().open()
	r.h = start(dir, g)
	r.h.Await(r.p, "adapted again", func(p api.Project) bool { return p.Settled && p.Adapted != nil && p.Adapted.Labels == 16 })
	trained, _ = g.counts()
	assert.Equal(t, adapters, trained)
}

// A transformer in a folder adapts as the one in the program does, in a process of its own. Another folder takes
// nothing of what the first one had adapted to.
func TestAFolderThatAdapts(t *testing.T) {
	const tasks, labels = 30, 16
	s, dir := apptest.NewStudio(t), t.TempDir()
	me, err := os.Executable()
	require.NoError(t, err)
	start := func(folder string) (*apptest.Instance, string) {
		cfg := apptest.Settings(dir, s)
		cfg.Learner.Encoder, cfg.Learner.Adapt = encoders.BERT+"../../encode/text/bert/testdata/"+folder, "auto"
		trainer, err := encoders.NewTrainer(cfg.Learner.Encoder, encoders.Options{})
		require.NoError(t, err)
		return apptest.StartOptions(t, cfg, app.Options{TrainCommand: func(encoder string) []string { return []string{me, trainsFor, encoder} }}), trainer.BaseName()
	}
	adapted := func(h *apptest.Instance, p event.ProjectID, base string) api.Adapted {
		t.Helper()
		got := h.Await(p, "it has adapted", func(p api.Project) bool {
			return p.Settled && p.Adapted != nil && p.Adapted.Labels == labels && p.Adapted.AdaptingTo == 0
		})
		n := 0
		require.NoError(t, h.Store.VectorKeys(t.Context(), encoders.AdaptedName(base), func(event.ContentKey) { n++ }))
		assert.GreaterOrEqual(t, n, tasks)
		return *got.Adapted
	}
	h, base := start("mean")
	r := &configured{s: s, h: h, dir: dir, p: s.NewProject(tasks)}
	h.Register(r.p)
	h.Await(r.p, "read", func(p api.Project) bool { return p.Pool == tasks && p.Queue.Pushed >= 5 })
	r.label(labels)
	first := adapted(h, r.p, base)
	h.Stop()

	h, base = start("mean")
	assert.Equal(t, first, adapted(h, r.p, base), "after a restart")
	h.Stop()

	h, base = start("max")
	other := adapted(h, r.p, base)
	assert.True(t, other.At.After(*first.At), "%v and then %v", first.At, other.At)
	assert.Contains(t, h.Log.String(), "the adapter is gone; adapting again")
	assert.NotContains(t, h.Log.String(), "training in this one")
}

// What trains an adapter has paused when a change is acknowledged.
func TestTrainingPausesForChanges(t *testing.T) {
	h := apptest.Start(t, apptest.Settings(t.TempDir(), nil))
	var pauses atomic.Int64
	defer h.Foreground.AddBackground(func() { pauses.Add(1) }, func() {})()
	require.NoError(t, h.Pipeline.Publish(t.Context(), labelled(1, 1)))
	assert.Positive(t, pauses.Load())
}
