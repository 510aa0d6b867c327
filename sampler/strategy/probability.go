package strategy

import (
	"math"

	"github.com/hone-ml/hone/event"
)

// exclusiveSum is the sum of an exclusive head's numbers, which rounding keeps from
// being 1. ok is false when they are no distribution over at least two labels.
func exclusiveSum(d event.Distribution) (sum float64, ok bool) {
	for _, p := range d.P {
		if !(p >= 0) {
			return 0, false
		}
		sum += p
	}
	return sum, len(d.P) > 1 && sum > 0 && !math.IsInf(sum, 0)
}

// validProbabilities reports whether there are numbers and each lies between 0 and 1.
func validProbabilities(d event.Distribution) bool {
	for _, p := range d.P {
		if !(p >= 0 && p <= 1) {
			return false
		}
	}
	return len(d.P) > 0
}

// yesOrNo returns the probabilities of the independent yes-or-no questions that a head asks which
// is not exclusive, or whose labels are ordered: then one fewer than labels, whether the answer
// is above each step. ok is false when the numbers are no probabilities.
func yesOrNo(d event.Distribution) (p []float64, ok bool) {
	if !d.Ordered {
		return d.P, validProbabilities(d)
	}
	sum, ok := exclusiveSum(d)
	if !ok {
		return nil, false
	}
	above := make([]float64, len(d.P)-1)
	rest := 0.0
	for k := len(above) - 1; k >= 0; k-- {
		rest += d.P[k+1]
		above[k] = clamp(rest / sum)
	}
	return above, true
}

func clamp(x float64) float64 { return max(0, min(1, x)) }
