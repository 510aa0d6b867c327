package strategy

import "github.com/hone-ml/hone/event"

// rightProbability is how probably the answer of a head without classes is right: from a
// half when it is a guess, to 1. For such a head there is one question, whether its
// answer is right, and a strategy scores it like a question of two labels. So heads with
// and without classes compare. ok is false when the certainty is none.
func rightProbability(e event.Estimate) (p float64, ok bool) {
	return (1 + e.Certainty) / 2, e.Certainty >= 0 && e.Certainty <= 1
}
