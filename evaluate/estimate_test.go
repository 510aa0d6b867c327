package evaluate

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/hone-ml/hone/event"
)

// Bounds as published: 95 % of 5 of 5, 8 of 10 and 0 of 20.
func TestExactInterval(t *testing.T) {
	for _, c := range []struct{ correct, n, low, high float64 }{
		{5, 5, 0.4782, 1}, {8, 10, 0.4439, 0.9748}, {0, 20, 0, 0.1684}, {10, 20, 0.2720, 0.7280},
	} {
		low, high := clopperPearson(c.correct, c.n)
		assert.InDelta(t, c.low, low, 1e-4, "%+v", c)
		assert.InDelta(t, c.high, high, 1e-4, "%+v", c)
	}
}

func TestNoRandomAnswerNoEstimate(t *testing.T) {
	_, ok := Estimate(nil, event.Confidence{Tasks: 100, Mean: 0.7, Variance: 0.02})
	assert.False(t, ok)
}

// Whatever the answers and confidences: bounds between 0 and 1 around the estimate, and never
// wider than the exact interval is at its widest.
func TestEstimateIsAlwaysAnInterval(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		answers := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) event.HeldOut {
			return event.HeldOut{Correct: rapid.Bool().Draw(t, "correct"), Confidence: rapid.OneOf(rapid.Float64Range(0, 1), rapid.Just(1.0)).Draw(t, "confidence")}
		}), 1, 60).Draw(t, "answers")
		pool := event.Confidence{
			Tasks: rapid.IntRange(0, 9).Draw(t, "tasks"), Mean: rapid.Float64Range(0, 1).Draw(t, "mean"), Variance: rapid.Float64Range(0, 0.25).Draw(t, "variance"),
		}
		a, ok := Estimate(answers, pool)
		require.True(t, ok)
		for _, v := range []float64{a.Low, a.Estimate, a.High} {
			require.False(t, math.IsNaN(v) || v < 0 || v > 1, "%+v", a)
		}
		const rounding = 1e-9
		require.True(t, a.Low <= a.Estimate+rounding && a.Estimate <= a.High+rounding, "%+v", a)
		low, high := clopperPearson(float64(len(answers))/2, float64(len(answers)))
		require.LessOrEqual(t, a.High-a.Low, high-low+rounding)
	})
}

// world is a pool in which a model's confidences are drawn, and its answers are correct with
// the probability confidence - overconfidence.
type world struct{ spread, overconfidence float64 }

func (w world) draw(r *rand.Rand) event.HeldOut {
	c := 1 - math.Pow(r.Float64(), w.spread)*0.8
	return event.HeldOut{Confidence: c, Correct: r.Float64() < max(0, c-w.overconfidence)}
}

// Over made worlds the 95 % interval holds the accuracy of the pool at least as often as it
// must, and is narrower than the exact one where confidence tells anything.
func TestIntervalsHoldTheAccuracyAndAreNarrow(t *testing.T) {
	const runs, poolSize = 400, 2000
	for _, w := range []world{{1, 0}, {1, 0.15}, {3, 0}, {3, 0.1}, {0.3, 0}, {0.3, 0.2}} {
		for _, n := range []int{5, 10, 20, 50} {
			r := rand.New(rand.NewPCG(1, uint64(n)))
			held, width, exact := 0, 0.0, 0.0
			for range runs {
				var pool event.Confidence
				var sum, squares, correct float64
				for range poolSize {
					h := w.draw(r)
					sum, squares = sum+h.Confidence, squares+h.Confidence*h.Confidence
					if h.Correct {
						correct++
					}
				}
				pool.Tasks, pool.Mean = poolSize, sum/poolSize
				pool.Variance = squares/poolSize - pool.Mean*pool.Mean
				answers := make([]event.HeldOut, n)
				for i := range answers {
					answers[i] = w.draw(r)
				}
				a, _ := Estimate(answers, pool)
				if a.Low <= correct/poolSize && correct/poolSize <= a.High {
					held++
				}
				e, _ := Estimate(answers, event.Confidence{})
				width, exact = width+(a.High-a.Low)/runs, exact+(e.High-e.Low)/runs
			}
			assert.GreaterOrEqual(t, float64(held)/runs, 0.92, "%+v, %d answers", w, n)
			assert.LessOrEqual(t, width, exact, "%+v, %d answers", w, n)
		}
	}
}
