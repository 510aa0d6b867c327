package statustext

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/hone-ml/hone/api"
)

func TestStatusSaysHowTheStrategyComparesWithRandom(t *testing.T) {
	printed := func(g *api.Guard) string { return printed(api.Project{ID: 3, Guard: g}) }
	assert.NotContains(t, printed(nil), "random", "an older hone does not tell")
	assert.Regexp(t, `(?m)^  against random +margin is compared once random answers have come$`, printed(&api.Guard{State: "comparing", Strategy: "margin"}))
	assert.Regexp(t, `(?m)^  against random +not compared: random_share is 0$`, printed(&api.Guard{State: "off", Reason: "random_share is 0"}))
	g := api.Guard{
		State: "comparing", Strategy: "margin", RandomAnswers: 61, AskedAnswers: 539, StrategyShare: new(0.8983),
		Controls: []api.GuardControl{
			{Control: "topic", Trials: 60, AskedAccuracy: 0.7, RandomAccuracy: 0.65, Difference: 0.05, Low: -0.1, High: 0.2, LabelsSaved: new(12)},
			{Control: "tone"},
		},
	}
	out := printed(&g)
	assert.Regexp(t, `(?m)^  chosen +0.90 of 600 answers by margin, the others at random$`, out)
	assert.Regexp(t, `(?m)^  against random +topic: of 60 random answers 0.70 right as learned from margin, 0.65 from as many random ones; difference \+0.05 \(each bound 95 %, at every look: -0.10 to \+0.20\); it saves about 12 of 60 labels, a point figure$`, out)
	assert.Regexp(t, `(?m)^  against random +tone: nothing is compared yet$`, out)
	g.State, g.Reason, g.Controls[0].LabelsSaved = "left", "margin was left for random", new(-12)
	out = printed(&g)
	assert.Regexp(t, `(?m)^  left +margin was left for random$`, out)
	assert.Contains(t, out, "it wastes about 12 of 60 labels, a point figure")
}
