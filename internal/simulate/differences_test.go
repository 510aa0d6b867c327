package simulate

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestLabelsToBeWhereRandomEnds(t *testing.T) {
	of := func(curves ...Curve) *Reach { return Result{Curves: curves}.Areas()[0].Reaches }
	// Random has .8 with 300 labels; margin is there midway between 200 and 300.
	got := of(curveOf("margin", 0, .2, .5, .7, .9), curveOf("random", 0, .2, .4, .6, .8))
	assert.InDelta(t, 250, got.Labels, 1e-9)
	assert.InDelta(t, 50, got.Saved, 1e-9)
	assert.Nil(t, got.StandardError, "one seed")
	assert.Equal(t, "250, saves 50", got.String())

	// The mean is at .75 with 200; one alone is at .8 with 250, the other at .7 with 150.
	got = of(
		curveOf("margin", 0, .2, .5, .7, .9), curveOf("margin", 1, .2, .6, .8, .9),
		curveOf("random", 0, .2, .4, .6, .8), curveOf("random", 1, .2, .4, .6, .7))
	require.NotNil(t, got.StandardError)
	assert.InDelta(t, 200, got.Labels, 1e-9)
	assert.InDelta(t, 50, *got.StandardError, 1e-9)
	assert.Equal(t, "200 ± 50, saves 100", got.String())

	got = of(curveOf("margin", 0, .2, .3, .4), curveOf("random", 0, .2, .4, .6))
	assert.Equal(t, &Reach{Labels: 200, AtLeast: true}, got)
	assert.Equal(t, "more than 200", got.String())
	from10 := func(strategy string, y ...float64) Curve {
		c := curveOf(strategy, 0, y...)
		c.Points[0].Labels = 10
		return c
	}
	got = of(from10("margin", .7, .8), from10("random", .2, .6))
	assert.Equal(t, &Reach{Labels: 10, AtMost: true, Saved: 90}, got)
	assert.Equal(t, "less than 10, saves more than 90", got.String())
}

func TestTheFirstStrategyIsComparedWithEachOther(t *testing.T) {
	r := Result{Curves: []Curve{
		curveOf("coverage", 0, 0, .5, .5), curveOf("coverage", 1, 0, .7, .7),
		curveOf("margin", 0, 0, .4, .4), curveOf("margin", 1, 0, .4, .4),
		curveOf("random", 0, 0, .1, .1), curveOf("random", 1, 0, .1, .1),
	}}
	all := r.Differences()
	require.Len(t, all, 1, "random has its own column")
	assert.Equal(t, "coverage", all[0].Strategy)
	assert.Equal(t, "margin", all[0].Less)
	assert.InDelta(t, .2, all[0].Accuracy.Difference, 1e-12)
	assert.InDelta(t, .1, *all[0].Accuracy.StandardError, 1e-12) // of .1 and .3
	assert.InDelta(t, 0, all[0].MacroF1.Difference, 1e-12)
	assert.Nil(t, all[0].SpanF1)
	var out bytes.Buffer
	require.NoError(t, r.AreaTable(&out))
	assert.Regexp(t, `(?m)^coverage less margin +\+0\.200 ± 0\.100 +\+0\.000 ± 0\.000$`, out.String())

	r.Curves = r.Curves[2:]
	assert.Nil(t, r.Differences(), "there is no other")
	r.Curves = []Curve{curveOf("random", 0, 0, .1, .1), curveOf("margin", 0, 0, .1, .1)}
	assert.Nil(t, r.Differences(), "random is in the areas")
}
