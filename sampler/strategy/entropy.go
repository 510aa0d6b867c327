package strategy

import (
	"math"

	"github.com/hone-ml/hone/event"
)

// Entropy is 1 less the entropy of the labels, in units of the largest there can be.
// With several labels at once it takes the mean of the labels' entropies, which is
// the entropy of the set per label when labels are independent. Of a scale it takes the mean
// of the steps' entropies, so that doubt between levels far apart counts more.
type Entropy struct{}

// Score implements Strategy.
func (Entropy) Score(e event.Estimate) (float64, bool) {
	if e.Classes == nil {
		p, ok := rightProbability(e)
		return clamp(1 - (entropyTerm(p)+entropyTerm(1-p))/math.Ln2), ok
	}
	d := *e.Classes
	if d.Exclusive && !d.Ordered {
		sum, ok := exclusiveSum(d)
		if !ok {
			return 0, false
		}
		h := 0.0
		for _, p := range d.P {
			h += entropyTerm(p / sum)
		}
		return clamp(1 - h/math.Log(float64(len(d.P)))), true
	}
	answers, ok := yesOrNo(d)
	if !ok {
		return 0, false
	}
	h := 0.0
	for _, p := range answers {
		h += entropyTerm(p) + entropyTerm(1-p)
	}
	return clamp(1 - h/(float64(len(answers))*math.Ln2)), true
}

// entropyTerm is the contribution of one outcome to the entropy, in nats.
func entropyTerm(p float64) float64 {
	if p <= 0 {
		return 0
	}
	return -p * math.Log(p)
}

var _ Strategy = Entropy{}
