package simulate

import (
	"encoding/json"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hone-ml/hone/evaluate"
)

// curveOf measures at 0, 100, 200 and so on.
func curveOf(strategy string, seed int, y ...float64) Curve {
	c := Curve{Strategy: strategy, Seed: seed}
	for i, v := range y {
		c.Points = append(c.Points, Point{Labels: 100 * i, Accuracy: v})
	}
	return c
}

func savingsOf(curves ...Curve) []Saving { return Result{Curves: curves}.Savings() }

func TestLabelsSavedAreReadOffTheMeanCurve(t *testing.T) {
	got := savingsOf(curveOf("margin", 0, .2, .5, .7, .9), curveOf("random", 0, .2, .4, .6, .8))
	require.Len(t, got, 4)
	for i, want := range []float64{0, 50, 50} {
		assert.InDelta(t, want, got[i].Saved, 1e-9)
		assert.InDelta(t, want+float64(100*i), got[i].Random, 1e-9)
		assert.Nil(t, got[i].StandardError, "one seed")
	}
	assert.Equal(t, Saving{Strategy: "margin", Labels: 300, Random: 300, AtLeast: true}, got[3])
	assert.Equal(t, "more than +0", got[3].String())
	assert.Equal(t, "+50", got[2].String())

	worse := savingsOf(curveOf("margin", 0, .2, .3), curveOf("random", 0, .2, .4))
	assert.InDelta(t, -50, worse[1].Saved, 1e-9)
	late := savingsOf(Curve{Strategy: "margin", Points: []Point{{Labels: 50, Accuracy: .1}}}, Curve{Strategy: "random", Points: []Point{{Labels: 50, Accuracy: .3}}})
	assert.Equal(t, Saving{Strategy: "margin", Labels: 50, Random: 50, AtMost: true}, late[0])
	assert.Nil(t, savingsOf(curveOf("margin", 0, .2, .3)), "nothing to compare with")
	assert.Empty(t, savingsOf(curveOf("random", 0, .2, .3)))
	b, err := json.Marshal(late[0])
	require.NoError(t, err)
	assert.JSONEq(t, `{"strategy":"margin","labels":50,"random":50,"at_most":true,"saved":0,"standard_error":null}`, string(b))
}

// Spans are compared by what is found of them, not by whole texts.
func TestSavingsOfSpansAreBySpanF1(t *testing.T) {
	of := func(strategy string, f1 ...float64) Curve {
		c := curveOf(strategy, 0, make([]float64, len(f1))...)
		for i := range f1 {
			c.Points[i].SpanF1 = f1[i]
		}
		return c
	}
	got := savingsOf(of("margin", 0, .4, .4), of("random", 0, .2, .4))
	assert.InDelta(t, 100, got[1].Saved, 1e-9)
}

// The estimated error is about the spread that repetitions have, and curves that are the same
// save nothing.
func TestTheStandardErrorIsAboutRight(t *testing.T) {
	rng := rand.New(rand.NewPCG(4, 4))
	noisy := func(strategy string, gain float64) (out []Curve) {
		for seed := range 5 {
			y := make([]float64, 6)
			for i := range y {
				y[i] = 0.1*float64(i) + gain*min(1, float64(i)) + 0.02*rng.NormFloat64()
			}
			out = append(out, curveOf(strategy, seed, y...))
		}
		return out
	}
	var saved, errs []float64
	for range 400 {
		got := savingsOf(append(noisy("margin", 0.1), noisy("random", 0)...)...)[3]
		if got.StandardError != nil {
			saved, errs = append(saved, got.Saved), append(errs, *got.StandardError)
		}
	}
	require.Greater(t, len(saved), 390)
	mean, sd := spreadOf(saved)
	assert.InDelta(t, 100, mean, 5)
	meanErr, _ := spreadOf(errs)
	assert.InDelta(t, 1, meanErr/sd, 0.25, "sd %g, estimated %g", sd, meanErr)

	same := noisy("margin", 0)
	var twin []Curve
	for _, c := range same {
		c.Strategy = "random"
		twin = append(twin, c)
	}
	for i, s := range savingsOf(append(slices.Clone(same), twin...)...) {
		if y := evaluate.Isotonic(means(same)); i > 0 && y[i] > y[i-1] && y[i] == means(same)[i] {
			assert.InDelta(t, 0, s.Saved, 1e-6)
		}
	}
}

func means(curves []Curve) []float64 {
	out := make([]float64, len(curves[0].Points))
	for i := range out {
		out[i] = mean(curves, i, func(p Point) float64 { return p.Accuracy })
	}
	return out
}

func TestIsotonicRises(t *testing.T) {
	assert.Equal(t, []float64{1, 2.5, 2.5, 4}, evaluate.Isotonic([]float64{1, 3, 2, 4}))
	assert.Equal(t, []float64{2, 2, 2}, evaluate.Isotonic([]float64{3, 2, 1}))
	rng := rand.New(rand.NewPCG(5, 5))
	for range 300 {
		y := make([]float64, 1+rng.IntN(12))
		var sum float64
		for i := range y {
			y[i] = rng.Float64()
			sum += y[i]
		}
		got := evaluate.Isotonic(y)
		require.Len(t, got, len(y))
		assert.True(t, slices.IsSorted(got))
		var after float64
		for _, v := range got {
			assert.False(t, math.IsNaN(v))
			after += v
		}
		assert.InDelta(t, sum, after, 1e-9)
	}
}
