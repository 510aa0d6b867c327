package tune

import (
	"context"
	"errors"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/hone-ml/hone/learner/head"
	"github.com/hone-ml/hone/learner/head/headtest"
	"github.com/hone-ml/hone/learner/model"
)

func TestAChoiceFollowsTheDataNotTheirOrder(t *testing.T) {
	q := headtest.Choices(t, "single")
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
	clean, noise := chosen(headtest.Noisy(400, 0)), chosen(headtest.Noisy(400, 0.6))
	if clean.Ridge >= noise.Ridge {
		t.Errorf("ridge %g for clean labels, %g for noise", clean.Ridge, noise.Ridge)
	}
	shuffled := headtest.Noisy(400, 0.6)
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
	q := headtest.Choices(t, "single")
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
	clean, noise := of(headtest.Noisy(400, 0), model.Defaults(), model.Defaults()), of(headtest.Noisy(400, 0.6), model.Defaults(), strong)
	if !(clean.Candidate > 0.9) || clean.Live != clean.Candidate || !(noise.Candidate < 0.9) || noise.Live == noise.Candidate {
		t.Errorf("accuracies %+v, and %+v of noise", clean, noise)
	}
	if back := of(headtest.Noisy(400, 0.6), strong, model.Defaults()); math.Abs(back.Candidate-noise.Live)+math.Abs(back.Live-noise.Candidate) > 0.02 {
		t.Errorf("the other way round %+v, was %+v", back, noise)
	}
	shuffled := headtest.Noisy(MaxCompared+200, 0.6)
	want := of(shuffled, model.Defaults(), strong)
	rand.New(rand.NewPCG(1, 1)).Shuffle(len(shuffled), func(i, j int) { shuffled[i], shuffled[j] = shuffled[j], shuffled[i] })
	if again := of(shuffled, model.Defaults(), strong); again != want {
		t.Errorf("in another order %+v, not %+v", again, want)
	}
	if few := of(headtest.Noisy(MinCompared-1, 0), model.Defaults(), strong); !math.IsNaN(few.Candidate) || !math.IsNaN(few.Live) {
		t.Errorf("few examples are compared: %+v", few)
	}
}

func TestBuildTellsHowFarItIs(t *testing.T) {
	q, examples := headtest.Choices(t, "single"), headtest.Noisy(300, 0.2)
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

// A handful of examples moves no setting far from its default, and the value of a dimension that
// all of many examples speak for is the one that is left.
func TestFewExamplesMoveSettingsLittle(t *testing.T) {
	q := headtest.Choices(t, "single")
	settings := func(examples []model.Example) model.Settings {
		s, err := Search(t.Context(), q, examples, make(chan struct{}, 2), func() {})
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	d := Defaults(q)
	for _, wrong := range []float64{0, 0.6} {
		if s := settings(headtest.Noisy(8, wrong)); s.Ridge < d.Ridge/4 || s.Ridge > d.Ridge*8 {
			t.Errorf("ridge %g after 8 examples of which %g are wrong, the default is %g", s.Ridge, wrong, d.Ridge)
		}
	}
	if s := settings(headtest.Noisy(400, 0.6)); !(s.Ridge > 0.25) {
		t.Errorf("ridge %g after 400 noisy examples", s.Ridge)
	}
	if s := settings(nil); !Equal(s, d) {
		t.Errorf("without examples %+v, not the defaults %+v", s, d)
	}
}

// Settings that make a model too sure of the same answers are not worse: how sure it should be is
// found for each.
func TestLossForgivesHowSureAModelIs(t *testing.T) {
	q := headtest.Choices(t, "single")
	s := newSearch(q, CrossValidate(q, headtest.Noisy(200, 0.3), crossValidation), make(chan struct{}, 2), func() {})
	s.weighExamples()
	kind := q.Kind.(head.Probable)
	plain := make([]float64, len(s.folds))
	if err := s.eachFold(t.Context(), Defaults(q), func(f int, m head.Incremental) {
		l := kind.LogLosses(q, m, s.folds[f].Test, slices.Repeat([]float64{1}, len(s.folds[f].Test)), []float64{1})
		direct, _ := q.Kind.Evaluate(q, m, s.folds[f].Test)
		if math.Abs(l[0]-direct) > 1e-9*direct {
			t.Errorf("fold %d: log-loss %g, by Evaluate %g", f, l[0], direct)
		}
		plain[f] = l[0]
	}); err != nil {
		t.Fatal(err)
	}
	for f, fold := range s.folds {
		s.balanced[f] = slices.Repeat([]float64{1}, len(fold.Test))
	}
	loss, err := s.loss(t.Context(), Defaults(q))
	if err != nil {
		t.Fatal(err)
	}
	if !(loss <= sum(plain)) {
		t.Errorf("loss %g is above %g, that of the probabilities as they are", loss, sum(plain))
	}
}

// How sure of itself a model is to be is found anew with an adapted part: it does not come on top of
// what it was without.
func TestThePowerIsFoundAnewWithAnAdaptedPart(t *testing.T) {
	q := headtest.Choices(t, "single")
	folds := CrossValidate(q, headtest.Noisy(120, 0.5), 3)
	base := Defaults(q)
	var found []float64
	for _, power := range []float64{0, 0.5, 2} {
		base.Power = power
		s, err := SearchAdapted(t.Context(), folds, base, make(chan struct{}, 2))
		if err != nil {
			t.Fatal(err)
		}
		found = append(found, s.Power)
	}
	if math.Abs(found[1]-found[0]) > 0.02 || math.Abs(found[2]-found[0]) > 0.02 {
		t.Errorf("powers %g, where they were 1, 0.5 and 2 without the adapted part", found)
	}
}
