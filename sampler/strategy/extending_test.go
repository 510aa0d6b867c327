package strategy

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hone-ml/hone/event"
)

// This is the example of docs/EXTENDING.md: all that a strategy needs. The type would be in
// sampler/strategy/ratio.go, and the entry in strategy.go.

// Ratio is 1 less the second likeliest label's probability as a share of the likeliest's
// (Schein & Ungar, "Active Learning for Logistic Regression", 2007).
type Ratio struct{}

// Score implements Strategy.
func (Ratio) Score(e event.Estimate) (float64, bool) {
	if e.Classes == nil {
		p, ok := rightProbability(e)
		return 1 - (1-p)/p, ok
	}
	d := *e.Classes
	if d.Exclusive {
		if _, ok := exclusiveSum(d); !ok {
			return 0, false
		}
		sorted := slices.Sorted(slices.Values(d.P))
		return clamp(1 - sorted[len(sorted)-2]/sorted[len(sorted)-1]), true
	}
	if !validProbabilities(d) {
		return 0, false
	}
	score := 1.0
	for _, p := range d.P {
		score = min(score, 1-min(p, 1-p)/max(p, 1-p))
	}
	return score, true
}

var _ Strategy = Ratio{}

func TestAnExampleStrategyNeedsATypeAndAnEntry(t *testing.T) {
	before := strategies
	t.Cleanup(func() { strategies = before })
	strategies = append(slices.Clone(strategies), named{"ratio", Ratio{}})

	s, err := Named("ratio")
	require.NoError(t, err)
	assert.Contains(t, Names(), "ratio")
	_, err = Named("other")
	assert.ErrorContains(t, err, "ratio")
	// From what to ask first to what to ask last, with classes and without.
	last := -1.0
	for _, e := range []event.Estimate{
		dist(true, .5, .5), dist(true, .5, .4, .1), {Certainty: .3}, dist(false, .7, .99), dist(true, .8, .1, .1), {Certainty: 1},
	} {
		score, ok := Combine(s, []event.Estimate{e})
		assert.True(t, ok)
		assert.Greater(t, score, last, "%+v", e)
		last = score
	}
	assert.Equal(t, 1.0, last)
}
