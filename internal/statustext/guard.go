package statustext

import (
	"fmt"

	"github.com/hone-ml/hone/api"
)

// statusGuard tells how the strategy compares with random, or why it does not.
func statusGuard(g api.Guard, row func(name, format string, args ...any)) {
	switch {
	case g.State == "left":
		row("left", "%s", g.Reason)
	case g.State == "off":
		row("against random", "not compared: %s", g.Reason)
	case len(g.Controls) == 0:
		row("against random", "%s is compared once random answers have come", g.Strategy)
	}
	if g.StrategyShare != nil {
		row("chosen", "%.2f of %d answers by %s, the others at random", *g.StrategyShare, g.RandomAnswers+g.AskedAnswers, g.Strategy)
	}
	if g.State == "off" {
		return
	}
	for _, c := range g.Controls {
		row("against random", "%s: %s", c.Control, comparedWithRandom(g.Strategy, c))
	}
}

// comparedWithRandom says how a control's two models predicted the random answers.
func comparedWithRandom(strategy string, c api.GuardControl) string {
	if c.Trials == 0 {
		return "nothing is compared yet"
	}
	out := fmt.Sprintf("of %d random answers %.2f right as learned from %s, %.2f from as many random ones; difference %+.2f (each bound 95 %%, at every look: %+.2f to %+.2f)",
		c.Trials, c.AskedAccuracy, strategy, c.RandomAccuracy, c.Difference, c.Low, c.High)
	switch {
	case c.LabelsSaved == nil:
	case *c.LabelsSaved >= 0:
		out += fmt.Sprintf("; it saves about %d of %d labels, a point figure", *c.LabelsSaved, c.Trials)
	default:
		out += fmt.Sprintf("; it wastes about %d of %d labels, a point figure", -*c.LabelsSaved, c.Trials)
	}
	return out
}
