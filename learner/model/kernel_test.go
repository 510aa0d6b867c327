package model_test

import (
	"context"
	"math/rand/v2"
	"testing"

	"pgregory.net/rapid"

	"github.com/hone-ml/hone/learner/model"
)

// withParts gives an example two dense parts more, or fewer: a text may lack each.
func withParts(rng *rand.Rand, e model.Example) model.Example {
	for _, dim := range []int{3, 6} {
		var d []float32
		if rng.IntN(5) > 0 {
			for range dim {
				d = append(d, float32(rng.NormFloat64())/2)
			}
		}
		e.X.Dense = append(e.X.Dense, d)
	}
	if rng.IntN(6) == 0 {
		e.X.Dense = nil
	}
	if rng.IntN(2) == 0 {
		e.X = e.X.Compact()
	}
	return e
}

// In a kernel a model predicts its examples, and those that it has not learned, as without one,
// whatever the settings, the prior and the history.
func TestAKernelModelPredictsAsAModel(t *testing.T) {
	for _, link := range []model.Link{model.Exclusive, model.Independent} {
		rapid.Check(t, func(t *rapid.T) {
			rng := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 1))
			classes := rapid.IntRange(1, 9).Draw(t, "classes")
			var all []model.Example
			for id := range int64(rapid.IntRange(0, 30).Draw(t, "examples")) {
				all = append(all, withParts(rng, makeExample(rng, 7*id, classes, link, false)))
			}
			k := model.NewKernel(all)
			names, lines := madePrior(rng, classes), madePrior(rng, classes)
			for range 3 { // settings that share the kernel
				s := model.Settings{
					Ridge: rapid.SampledFrom([]float64{0.01, 0.1, 1}).Draw(t, "ridge"),
					Bias:  rapid.SampledFrom([]float64{0, 0.3}).Draw(t, "bias"),
					Parts: rapid.SliceOfN(rapid.SampledFrom([]float64{0, 0.5, 1, 2}), 0, 4).Draw(t, "parts"),
					Trust: rapid.SliceOfN(rapid.SampledFrom([]float64{0, 1, 3}), 0, 3).Draw(t, "trust"),
					Power: rapid.SampledFrom([]float64{0, 0.5, 2}).Draw(t, "power"),
				}
				prior := rapid.SampledFrom([]model.Prior{nil, names, lines, names.Mix(lines, 0.5)}).Draw(t, "prior")
				checkKernel(t, rng, k, all, prior, classes, link, s)
			}
		})
	}
}

func madePrior(rng *rand.Rand, classes int) model.Prior {
	p := make(model.Prior, 2)
	for part, dim := range []int{3, 5} { // of the second part, rows are missing
		for range dim * classes {
			p[part].Weights = append(p[part].Weights, float32(rng.NormFloat64()))
		}
	}
	for range classes {
		p[1].Bias = append(p[1].Bias, float32(rng.NormFloat64()))
	}
	return p
}

func checkKernel(t fataler, rng *rand.Rand, k *model.Kernel, all []model.Example, prior model.Prior, classes int, link model.Link, s model.Settings) {
	t.Helper()
	const tolerance = 1e-3
	m, in := model.NewFrom(prior, classes, link, s), model.NewInKernel(k, prior, classes, link, s)
	for _, e := range all {
		if rng.IntN(4) == 0 {
			continue
		}
		if err := m.Upsert(e); err != nil {
			t.Fatalf("%v", err)
		}
		if err := in.UpsertWarm(e, nil); err != nil {
			t.Fatalf("%v", err)
		}
		if rng.IntN(4) == 0 {
			in.Optimize(context.Background(), 0.5)
			m.Remove(e.ID)
			in.Remove(e.ID)
		}
	}
	a, b := m.Optimize(context.Background(), tolerance), in.Optimize(context.Background(), tolerance)
	if a.Bound > 10*tolerance || b.Bound > 10*tolerance || m.Len() != in.Len() || m.NoLabelShare() != in.NoLabelShare() {
		t.Fatalf("not optimized: %+v %+v", a, b)
	}
	var scratch model.Scratch
	want, got := make([]float64, classes), make([]float64, classes)
	for _, e := range all {
		m.PredictExample(e, want, &scratch)
		in.PredictExample(e, got, &scratch)
		near(t, want, got, a.Bound+b.Bound+1e-4)
	}
	// A model that starts from the duals is at the optimum.
	moved := model.NewFrom(prior, classes, link, s)
	in.Duals(func(e model.Example, p []float32) bool {
		if err := moved.UpsertWarm(e, p); err != nil {
			t.Fatalf("%v", err)
		}
		return true
	})
	if p := moved.Optimize(context.Background(), 2*b.Bound+1e-3); p.Passes > 0 {
		t.Fatalf("%d passes more, after a bound of %g", p.Passes, b.Bound)
	}
}

func TestAKernelModelRefusesOtherExamples(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	in := makeExample(rng, 1, 3, model.Exclusive, true)
	out := makeExample(rng, 2, 3, model.Exclusive, true)
	m := model.NewInKernel(model.NewKernel([]model.Example{in}), nil, 3, model.Exclusive, model.Defaults())
	if err := m.Upsert(in); err != nil {
		t.Fatal(err)
	}
	if m.Upsert(out) == nil || m.UpsertWarm(out, []float32{1, 0, 0}) == nil || m.Len() != 1 {
		t.Errorf("%d examples, of a kernel of one", m.Len())
	}
	defer func() {
		if recover() == nil {
			t.Error("it predicted an example that is not in the kernel")
		}
	}()
	m.PredictExample(out, make([]float64, 3), nil)
}
