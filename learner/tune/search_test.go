package tune

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/hone-ml/hone/encode/text/ngram"
	"github.com/hone-ml/hone/labelstudio"
	"github.com/hone-ml/hone/learner/head"
	"github.com/hone-ml/hone/learner/model"
)

func asked(t testing.TB, choice string) *head.Spec {
	return specOf(t, `<View><Text name="t" value="$text"/><Choices name="c" toName="t" choice="`+choice+`">
		<Choice value="a"/><Choice value="b"/><Choice value="c"/></Choices></View>`)
}

// specOf is of the first control of a config.
func specOf(t testing.TB, config string) *head.Spec {
	t.Helper()
	cfg, err := labelstudio.ParseLabelConfig(config)
	if err != nil {
		t.Fatal(err)
	}
	return head.NewSpec(cfg, cfg.Learnable()[0])
}

// noisy examples: a word tells the class, and a share of the labels is wrong.
func noisy(n int, wrong float64) []model.Example {
	rng := rand.New(rand.NewPCG(11, 12))
	h := ngram.New()
	out := make([]model.Example, n)
	for i := range out {
		class := rng.IntN(3)
		s := ""
		for range 6 {
			s += fmt.Sprintf("w%d ", rng.IntN(400))
		}
		s += []string{"alpha", "beta", "gamma"}[class]
		if rng.Float64() < wrong {
			class = rng.IntN(3)
		}
		out[i] = model.Example{ID: int64(i + 1), X: h.Encode(s), Weight: 1, Target: []model.Share{{Class: int32(class), P: 1}}}
	}
	return out
}

func TestAChoiceFollowsTheDataNotTheirOrder(t *testing.T) {
	q := asked(t, "single")
	settings := func(ctx context.Context, examples []model.Example) (model.Settings, error) {
		steps := 0
		got, err := Search(ctx, q, examples, make(chan struct{}, 2), func() { steps++ })
		if err == nil && (steps == 0 || steps > Steps(q)) {
			t.Errorf("%d steps, said at most %d", steps, Steps(q))
		}
		return got, err
	}
	chosen := func(examples []model.Example) model.Settings {
		s, err := settings(t.Context(), examples)
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	clean, noise := chosen(noisy(400, 0)), chosen(noisy(400, 0.6))
	if clean.Ridge >= noise.Ridge {
		t.Errorf("ridge %g for clean labels, %g for noise", clean.Ridge, noise.Ridge)
	}
	shuffled := noisy(400, 0.6)
	rand.New(rand.NewPCG(1, 1)).Shuffle(len(shuffled), func(i, j int) { shuffled[i], shuffled[j] = shuffled[j], shuffled[i] })
	if again := chosen(shuffled); !cmp.Equal(again, noise) {
		t.Errorf("in another order it chooses %+v, not %+v", again, noise)
	}
	stopped, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := settings(stopped, shuffled); !errors.Is(err, context.Canceled) {
		t.Errorf("when stopped: %v", err)
	}
}

func TestTwoSettingsAreComparedOnTheSameFolds(t *testing.T) {
	q := asked(t, "single")
	strong := model.Defaults()
	strong.Ridge = 3
	of := func(examples []model.Example, candidate, live model.Settings) Comparison {
		steps := 0
		c, err := Compare(t.Context(), q, examples, candidate, live, make(chan struct{}, 2), func() { steps++ })
		if err != nil {
			t.Fatal(err)
		}
		if steps > CompareSteps {
			t.Errorf("%d steps, said at most %d", steps, CompareSteps)
		}
		return c
	}
	clean, noise := of(noisy(400, 0), model.Defaults(), model.Defaults()), of(noisy(400, 0.6), model.Defaults(), strong)
	if !(clean.Candidate > 0.9) || clean.Live != clean.Candidate || !(noise.Candidate < 0.9) || noise.Live == noise.Candidate {
		t.Errorf("accuracies %+v, and %+v of noise", clean, noise)
	}
	if back := of(noisy(400, 0.6), strong, model.Defaults()); math.Abs(back.Candidate-noise.Live)+math.Abs(back.Live-noise.Candidate) > 0.02 {
		t.Errorf("the other way round %+v, was %+v", back, noise)
	}
	shuffled := noisy(MaxCompared+200, 0.6)
	want := of(shuffled, model.Defaults(), strong)
	rand.New(rand.NewPCG(1, 1)).Shuffle(len(shuffled), func(i, j int) { shuffled[i], shuffled[j] = shuffled[j], shuffled[i] })
	if again := of(shuffled, model.Defaults(), strong); again != want {
		t.Errorf("in another order %+v, not %+v", again, want)
	}
	if few := of(noisy(minCompared-1, 0), model.Defaults(), strong); !math.IsNaN(few.Candidate) || !math.IsNaN(few.Live) {
		t.Errorf("few examples are compared: %+v", few)
	}
}

func TestBuildTellsHowFarItIs(t *testing.T) {
	q, examples := asked(t, "single"), noisy(300, 0.2)
	var told []float64
	m, err := Build(t.Context(), q, examples, model.Defaults(), 0.05, func(share float64) { told = append(told, share) })
	if err != nil {
		t.Fatal(err)
	}
	if n := len(told); n < 3 || !slices.IsSorted(told) || told[0] <= 0 || told[0] > 0.5 || told[n-1] != 1 {
		t.Errorf("told %v", told)
	}
	if m.Len() != 300 || m.Bound() > 0.05 {
		t.Errorf("%d examples, within %g", m.Len(), m.Bound())
	}
	ctx, cancel := context.WithCancel(t.Context())
	if _, err := Build(ctx, q, examples, model.Defaults(), 0.05, func(float64) { cancel() }); !errors.Is(err, context.Canceled) {
		t.Errorf("called off it says %v", err)
	}
}
