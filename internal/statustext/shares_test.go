package statustext

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/hone-ml/hone/api"
)

func TestSharesAreForPeople(t *testing.T) {
	printed := func(s api.Shares) string {
		var out strings.Builder
		Shares(&out, s)
		return out.String()
	}
	assert.Equal(t, "No task was drawn with known odds. Draw them from now on: hone configure odds=on\n", printed(api.Shares{}))
	assert.Equal(t, "Tasks are not drawn with known odds: why\n", printed(api.Shares{Odds: api.Odds{Reason: "why"}}))
	s := api.Shares{Odds: api.Odds{On: true}, Tasks: 900, Controls: []api.ControlShares{
		{Control: "topic", Draws: 40, Missing: 2, Waiting: 3, Shares: []api.LabelShare{{Label: "bank\x1b[2J", Estimate: .25, Low: .2, High: .312}}},
		{Control: "tone"},
	}}
	assert.Equal(t, `topic: of 900 tasks, by 40 that were drawn; 3 drawn later wait for the first of them; 2 were skipped or say nothing of it, and may be unlike the others
  label     share  95 %
  bank [2J  0.250  0.200 to 0.312
tone: of 900 tasks, by 0 that were drawn
`, printed(s))
	s.Odds.On = false
	assert.Contains(t, printed(s), "No more tasks are drawn")
	assert.Regexp(t, `(?m)^  odds +9 tasks drawn with known odds, 3 of them not answered yet; see .hone shares.$`, status(&api.Odds{On: true, Draws: 9, Open: 3}))
	assert.Regexp(t, `(?m)^  odds +not drawn: why$`, status(&api.Odds{Reason: "why"}))
	assert.NotContains(t, status(nil), "odds")
}

func status(o *api.Odds) string { return printed(api.Project{ID: 3, Odds: o}) }
