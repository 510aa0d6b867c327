package strategy

import "github.com/hone-ml/hone/event"

// RandomScore is the score that Random gives to every task.
const RandomScore = 0.5

// Random gives all tasks the same score, so that ties are broken by the ranking's
// random order. It does not look at the model: a ranking need not ask for what the
// model believes.
type Random struct{}

// Score implements Strategy.
func (Random) Score(event.Estimate) (float64, bool) { return RandomScore, true }

var _ Strategy = Random{}
