package simulate

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestAreasAreMeanHeightsPairedBySeed(t *testing.T) {
	curve := func(strategy string, seed int, accuracies ...float64) Curve {
		c := Curve{Strategy: strategy, Seed: seed}
		for i, a := range accuracies {
			c.Points = append(c.Points, Point{Labels: []int{0, 10, 30, 40}[i], Accuracy: a, MacroF1: a / 2})
		}
		return c
	}
	r := Result{Curves: []Curve{
		curve("coverage", 0, .1, .4, .6, .8), curve("coverage", 1, .1, .5, .5, .5),
		curve("random", 0, .9, .3, .5, .7), curve("random", 1, .9, .2, .2, .2),
	}}
	areas := r.Areas()
	require.Len(t, areas, 2)
	a := areas[0]
	assert.Equal(t, 10, a.From)
	assert.Equal(t, 40, a.To)
	// Of the first curve (20·.5 + 10·.7)/30, of the second .5; .1 and .3 above random.
	assert.InDelta(t, (17.0/30+.5)/2, a.Accuracy.Area, 1e-12)
	assert.InDelta(t, .2, *a.Accuracy.Above, 1e-12)
	assert.InDelta(t, .1, *a.Accuracy.StandardError, 1e-12)
	assert.InDelta(t, .1, *a.MacroF1.Above, 1e-12)
	assert.Nil(t, a.SpanF1)
	assert.Nil(t, areas[1].Accuracy.Above)

	var out bytes.Buffer
	require.NoError(t, r.AreaTable(&out))
	assert.Contains(t, out.String(), "mean from 10 to 40 labels")
	assert.Contains(t, out.String(), "0.533 (+0.200 ± 0.100)")
	assert.Contains(t, out.String(), "labels to be where random is at 40")

	// Random ends at .45, and the mean of coverage is at .45 with 10 labels, and lower before.
	require.NotNil(t, a.Reaches)
	assert.InDelta(t, 10, a.Reaches.Labels, 1e-12)
	assert.InDelta(t, 30, a.Reaches.Saved, 1e-12)
	assert.Nil(t, areas[1].Reaches)

	r.Curves = r.Curves[:1]
	areas = r.Areas()
	assert.Nil(t, areas[0].Accuracy.Above, "there is no random")
	r.Curves[0].Points = r.Curves[0].Points[:2]
	assert.Nil(t, r.Areas(), "of one point there is no area")
	out.Reset()
	require.NoError(t, r.AreaTable(&out))
	assert.Empty(t, out.String())
}
