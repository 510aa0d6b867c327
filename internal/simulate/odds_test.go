package simulate

import (
	"bytes"
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hone-ml/hone/encode/encoders"
	"github.com/hone-ml/hone/sampler/strategy"
)

// With odds all answers say how common the labels are, whatever the strategy: the intervals hold the shares, and shrink.
// All is the same at each run.
func TestOddsTellHowCommonLabelsAre(t *testing.T) {
	d := load(t, generated(200, 1), generated(60, 2))
	o := options()
	o.Strategies = []string{strategy.NameCoverage, strategy.NameMargin}
	o.Labels, o.Batch, o.Seeds, o.Odds, o.DesignEffect, o.Encoder = []int{0, 10, 20, 60}, 5, 3, true, 2, encoders.Default()
	res := simulated(t, d, o)
	assert.Equal(t, res, simulated(t, d, o))
	require.Len(t, res.Curves, 6)
	require.Len(t, res.WithoutOdds, 6)
	held, all := 0, 0
	widths := map[int]float64{}
	for _, c := range res.Curves {
		require.Nil(t, c.Points[0].Drawn, "nothing is drawn")
		for _, p := range c.Points[1:] {
			require.Len(t, p.Drawn.Shares, 3)
			sum, truth := 0.0, 0.0
			for _, s := range p.Drawn.Shares {
				if all++; s.Holds(s.Truth) {
					held++
				}
				widths[p.Labels] += s.Width()
				sum, truth = sum+s.Estimate, truth+s.Truth
			}
			assert.InDelta(t, 1, truth, 1e-9, "each task has one label")
			assert.InDelta(t, 1, sum, 0.4, "%s, %d labels", c.Strategy, p.Labels)
			require.NotNil(t, p.Drawn.Accuracy)
		}
	}
	assert.GreaterOrEqual(t, held, all*82/100, "of %d", all)
	assert.Less(t, widths[60], widths[20])
	assert.Less(t, widths[20], widths[10])
	require.Len(t, res.Prices, 2)
	assert.NotNil(t, res.Prices[0].Accuracy.StandardError)

	var table bytes.Buffer
	require.NoError(t, res.OddsTable(&table))
	assert.Regexp(t, `(?m)^coverage +60 +\d\.\d{3} +\d\.\d{3} +\d\.\d{4} +\d\.\d{3} +\d\.\d{2} +\d\.\d{3} +\d\.\d{3}$`, table.String())
	assert.Regexp(t, `(?m)^margin +[+-]\d\.\d{4} ± \d\.\d{4} +[+-]\d\.\d{4} ± \d\.\d{4}$`, table.String())
	b, err := json.Marshal(res)
	require.NoError(t, err)
	for _, key := range []string{`"without_odds"`, `"odds_price"`, `"drawn":{"shares":[{"label":"class_0","estimate":`, `"random_width"`} {
		assert.Contains(t, string(b), key)
	}
}

// Without odds nothing is said of them.
func TestWithoutOddsNothingIsSaidOfThem(t *testing.T) {
	d := load(t, generated(60, 1), generated(20, 2))
	o := options()
	o.Labels = []int{10}
	res := simulated(t, d, o)
	var table bytes.Buffer
	require.NoError(t, res.OddsTable(&table))
	assert.Empty(t, table.String())
	b, err := json.Marshal(res)
	require.NoError(t, err)
	assert.NotContains(t, string(b), "odds")
	assert.NotContains(t, string(b), "drawn")
}

func TestWhatHasNoOddsIsRefused(t *testing.T) {
	o := options()
	o.Odds, o.Strategies = true, []string{strategy.NameBadge}
	require.ErrorContains(t, o.Validate(), "badge does not say by how much a task gains")
	o = options()
	o.Odds, o.DesignEffect = true, 1
	require.ErrorContains(t, o.Validate(), "design effect 1; it must be above 1")
	o.DesignEffect = 2
	_, err := Run(t.Context(), load(t, `{"tokens":["a","b"],"tags":["O","B-X"]}`+"\n", `{"tokens":["c","b"],"tags":["O","B-X"]}`+"\n"), o)
	require.ErrorIs(t, err, errNoOdds)
}
