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

func clamp(x float64) float64 { return max(0, min(1, x)) }
