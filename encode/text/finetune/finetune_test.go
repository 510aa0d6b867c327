package finetune

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/hone-ml/hone/encode/text/minilm"
)

// The number of cores makes no difference to any bit.
func TestWorkersMakeNoDifference(t *testing.T) {
	var want []float32
	for _, workers := range []int{1, 2, 3} {
		tr := tinyTrainer(t, tinyShapes["mean"], workers)
		for range 3 {
			if _, err := tr.step(t.Context(), 0); err != nil {
				t.Fatal(err)
			}
		}
		if want == nil {
			want = tr.network.parameters
		}
		for i, p := range tr.network.parameters {
			if math.Float32bits(p) != math.Float32bits(want[i]) {
				t.Fatalf("%d workers: parameter %d is %g, want %g", workers, i, p, want[i])
			}
		}
	}
}

func TestStepsDoNotAllocate(t *testing.T) {
	ctx := context.Background()
	for name, s := range tinyShapes {
		tr := tinyTrainer(t, s, 2)
		if n := testing.AllocsPerRun(5, func() { _, _ = tr.step(ctx, 0) }); n > 0 {
			t.Errorf("%s: %v allocations a step", name, n)
		}
	}
}

func base(t testing.TB) *minilm.Encoder {
	t.Helper()
	e, err := minilm.Load()
	if errors.Is(err, minilm.ErrNotBuiltIn) {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// separable are texts about four animals, told apart by what is said of them.
func separable() []Example {
	var out []Example
	for _, animal := range []string{"cat", "dog", "horse", "cow"} {
		for _, place := range []string{"house", "garden", "street", "field"} {
			out = append(out, Example{fmt.Sprintf("the %s in the %s was happy and loud", animal, place), 0},
				Example{fmt.Sprintf("the %s in the %s was sad and silent", animal, place), 1})
		}
	}
	return out
}

// last returns the last part of texts' vectors.
func last(e *minilm.Encoder) func(text string) []float32 {
	return func(text string) []float32 {
		v := e.Encode(nil, text)
		return v[len(v)-e.Dim():]
	}
}

// separation is the mean similarity within classes less that between them.
func separation(t *testing.T, encode func(text string) []float32, examples []Example) float64 {
	t.Helper()
	var sums, counts [2]float64
	var vectors [][]float32
	for i, a := range examples {
		vectors = append(vectors, encode(a.Text))
		for k, b := range examples[:i] {
			var dot float64
			for j, v := range vectors[k] {
				dot += float64(v) * float64(vectors[i][j])
			}
			same := 0
			if a.Class == b.Class {
				same = 1
			}
			sums[same] += dot
			counts[same]++
		}
	}
	return sums[1]/counts[1] - sums[0]/counts[0]
}

func TestTrainSeparatesClasses(t *testing.T) {
	e := base(t)
	r := DefaultRecipe(1)
	r.Steps, r.Batch, r.LearningRate = 8, 16, 3e-3 // few steps, but large ones
	examples := separable()
	a, err := Train(t.Context(), e, examples, r, Options{Workers: 2})
	if err != nil {
		t.Fatal(err)
	}
	adapted := e.WithAdapter(a)
	before, after := separation(t, last(e), examples), separation(t, last(adapted), examples)
	if !(after > before+0.2) {
		t.Errorf("separation %.3f before, %.3f after", before, after)
	}
	if !strings.Contains(adapted.Name(), a.Hash()) {
		t.Errorf("name %q", adapted.Name())
	}
}

// The adapter is a function of the examples and the recipe: neither their order nor the number
// of cores nor pauses make a difference to any bit.
func TestTrainIsAFunctionOfTheExamples(t *testing.T) {
	e := base(t)
	r := DefaultRecipe(1)
	r.Steps, r.Batch = 2, 12
	examples := append(separable(), Example{"the cat in the house was sad and silent", 0}) // of two classes
	want := ""
	for workers := range 4 {
		var yields atomic.Int64
		o := Options{Workers: workers}
		if workers > 1 {
			o.Yield = func() { yields.Add(1) }
		}
		a, err := Train(t.Context(), e, examples, r, o)
		if err != nil {
			t.Fatal(err)
		}
		if want == "" {
			want = a.Hash()
		}
		if a.Hash() != want {
			t.Errorf("another adapter with %d workers", workers)
		}
		if workers > 1 && yields.Load() < 30 {
			t.Errorf("%d yields", yields.Load())
		}
		rand.Shuffle(len(examples), func(i, j int) { examples[i], examples[j] = examples[j], examples[i] })
	}
	r.Seed++
	if a, err := Train(t.Context(), e, examples, r, Options{Workers: 2}); err != nil || a.Hash() == want {
		t.Errorf("the same adapter with another seed: %v", err)
	}
}

// A training that is cancelled ends with the piece of work it is at.
func TestTrainStops(t *testing.T) {
	e := base(t)
	for _, at := range []int64{1, 40, 55} { // in the first layers, forward, backward
		ctx, cancel := context.WithCancel(t.Context())
		var yields atomic.Int64
		_, err := Train(ctx, e, separable(), DefaultRecipe(1), Options{Workers: 1, Yield: func() {
			if yields.Add(1) == at {
				cancel()
			}
		}})
		if !errors.Is(err, context.Canceled) || yields.Load() > at+1 {
			t.Errorf("%v after %d yields, cancelled at %d", err, yields.Load(), at)
		}
	}
}

// The largest training by the default recipe stays within 300 MB.
func TestMemory(t *testing.T) {
	e := base(t)
	heap := func() float64 {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return float64(m.HeapAlloc) / 1e6
	}
	before := heap()
	r := DefaultRecipe(1)
	var texts []labelledText
	for i := range r.Steps * r.Batch {
		texts = append(texts, labelledText{i % 4, i})
	}
	plan, err := drawBatches(rand.New(rand.NewPCG(1, 1)), texts, r.Steps, r.Batch)
	if err != nil {
		t.Fatal(err)
	}
	states := make([][]float32, len(texts))
	for i := range states {
		states[i] = make([]float32, r.tokensEach(len(texts))*384)
	}
	tr := newTrainer(newNetwork(shape{e.Network(), r.Rank}, e.LastLayers()), states, texts, plan, &r, &Options{Workers: 2})
	defer tr.workers.close()
	if used := heap() - before; used > 300 {
		t.Errorf("%.0f MB", used)
	} else {
		t.Logf("%.0f MB", used)
	}
	runtime.KeepAlive(tr)
}

func TestTrainErrors(t *testing.T) {
	e := base(t)
	if _, err := Train(t.Context(), e, []Example{{"a", 1}, {"b", 1}}, DefaultRecipe(1), Options{}); !errors.Is(err, ErrTooFewClasses) {
		t.Error(err)
	}
	if _, err := Train(t.Context(), e, separable(), Recipe{}, Options{}); err == nil {
		t.Error("an empty recipe is accepted")
	}
	ctx, cancel := context.WithCancel(t.Context())
	_, err := Train(ctx, e, separable(), DefaultRecipe(1), Options{Progress: func(int, float64) { cancel() }})
	if !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

func TestMoreExamplesMoreSteps(t *testing.T) {
	for examples, steps := range map[int]int{0: 40, 24: 40, 64: 40, 96: 60, 192: 120, 256: 160, 1_000_000: 160} {
		if got := DefaultRecipe(examples).Steps; got != steps {
			t.Errorf("%d examples: %d steps, want %d", examples, got, steps)
		}
	}
}
