package head

import (
	"math"
	"slices"
	"testing"

	"github.com/hone-ml/hone/labelstudio/labelconfig"
)

func asked(t testing.TB, choice string) *Spec {
	cfg, err := labelconfig.Parse(`<View><Text name="t" value="$text"/><Choices name="c" toName="t" choice="` + choice + `">
		<Choice value="a"/><Choice value="b"/><Choice value="c"/></Choices></View>`)
	if err != nil {
		t.Fatal(err)
	}
	return NewSpec(Decide(cfg).Learned()[0])
}

func TestWhichOfSeveralLabelsAreSaid(t *testing.T) {
	q := asked(t, "multiple")
	for _, c := range []struct {
		p          []float64
		none       float64
		usages     int
		required   bool
		said       []string
		confidence float64
	}{
		{p: []float64{0.41, 0.39, 0.9}, said: []string{"a", "c"}, confidence: (0.41 + 0.61 + 0.9) / 3},
		{p: []float64{0.1, 0.2, 0.3}, none: 0.2, said: []string{"c"}, confidence: (0.9 + 0.8 + 0.3) / 3},
		{p: []float64{0.1, 0.2, 0.3}, none: 0.5, confidence: (0.9 + 0.8 + 0.7) / 3},
		{p: []float64{0.1, 0.2, 0.3}, none: 0.5, required: true, said: []string{"c"}, confidence: (0.9 + 0.8 + 0.3) / 3},
		{p: []float64{0.4, 0.5, 0.6}, usages: 2, said: []string{"b", "c"}, confidence: (0.6 + 0.5 + 0.6) / 3},
	} {
		q.Control.MaxUsages, q.Control.Required = c.usages, c.required
		said := q.decide(c.p, c.none)
		if !slices.Equal(said, c.said) {
			t.Errorf("%v: said %v, want %v", c.p, said, c.said)
		}
		if got := q.confidence(c.p, said); math.Abs(got-c.confidence) > 1e-9 {
			t.Errorf("%v: confidence %g, want %g", c.p, got, c.confidence)
		}
	}
}
