package event

import (
	"math"
	"testing"
)

// The confidence is the probability of what is answered: of a scale that of the median, however
// likely other levels are.
func TestConfidenceIsThatOfTheAnswer(t *testing.T) {
	for _, c := range []struct {
		d    Distribution
		want float64
	}{
		{Distribution{P: []float64{.2, .5, .3}, Exclusive: true}, .5},
		{Distribution{P: []float64{.4, .2, .4}, Exclusive: true, Ordered: true}, .2},
		{Distribution{P: []float64{.1, .1}, Exclusive: true, Ordered: true}, .1},
		{Distribution{P: []float64{.9, .4}}, .75},
	} {
		if got := (Estimate{Classes: &c.d}).Confidence(); math.Abs(got-c.want) > 1e-12 {
			t.Errorf("%+v: %g, want %g", c.d, got, c.want)
		}
	}
	if got := (Estimate{Certainty: 1}).Confidence(); got != -1 {
		t.Errorf("without classes %g", got)
	}
}
