package strategy

import (
	"math"

	"github.com/hone-ml/hone/event"
)

// Margin is the distance between the two likeliest labels (Scheffer, Decomain &
// Wrobel, "Active Hidden Markov Models for Information Extraction", 2001). With
// several labels at once it is the narrowest of the labels' margins (Brinker, "On
// Active Learning in Multi-label Classification", 2006). Of a scale it is the narrowest of
// the steps' margins: how little it takes to move the median to the next level.
type Margin struct{}

// Score implements Strategy.
func (Margin) Score(e event.Estimate) (float64, bool) {
	if e.Classes == nil {
		p, ok := rightProbability(e)
		return 2*p - 1, ok
	}
	d := *e.Classes
	if d.Exclusive && !d.Ordered {
		sum, ok := exclusiveSum(d)
		if !ok {
			return 0, false
		}
		first, second := 0.0, 0.0
		for _, p := range d.P {
			if p = p / sum; p > first {
				first, second = p, first
			} else if p > second {
				second = p
			}
		}
		return clamp(first - second), true
	}
	answers, ok := yesOrNo(d)
	if !ok {
		return 0, false
	}
	narrow := 1.0
	for _, p := range answers {
		narrow = min(narrow, math.Abs(2*p-1))
	}
	return clamp(narrow), true
}

var _ Strategy = Margin{}
