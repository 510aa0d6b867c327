package strategy

import (
	"math"

	"github.com/hone-ml/hone/event"
)

// LeastConfidence is the probability of the likeliest label. With several labels at
// once it is the probability of the likeliest set of labels, per label (a geometric
// mean); of a scale that of the likeliest side of each step, per step.
type LeastConfidence struct{}

// Score implements Strategy.
func (LeastConfidence) Score(e event.Estimate) (float64, bool) {
	if e.Classes == nil {
		p, ok := rightProbability(e)
		return 2*p - 1, ok
	}
	d := *e.Classes
	if d.Exclusive && !d.Ordered {
		n := float64(len(d.P))
		sum, ok := exclusiveSum(d)
		if !ok {
			return 0, false
		}
		top := 0.0
		for _, p := range d.P {
			top = max(top, p/sum)
		}
		return clamp((top - 1/n) / (1 - 1/n)), true
	}
	answers, ok := yesOrNo(d)
	if !ok {
		return 0, false
	}
	logs := 0.0
	for _, p := range answers {
		logs += math.Log(max(p, 1-p))
	}
	return clamp(2*math.Exp(logs/float64(len(answers))) - 1), true
}

var _ Strategy = LeastConfidence{}
