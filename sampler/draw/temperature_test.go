package draw_test

import (
	"math"
	"testing"

	"pgregory.net/rapid"

	"github.com/hone-ml/hone/sampler/draw"
)

// Of any gains the odds at the temperature have the design effect that is asked for at most, and at a lower one
// a larger effect, but at the bounds.
func TestTheTemperatureBoundsTheDesignEffect(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		gains := rapid.SliceOfN(rapid.Float64Range(0, 100), 1, 60).Draw(t, "gains")
		floor, effect := rapid.Float64Range(0.05, 1).Draw(t, "floor"), rapid.Float64Range(1.1, 4).Draw(t, "effect")
		at := draw.Temperature(gains, floor, effect)
		if at < 16-1e-9 && draw.DesignEffect(draw.Odds(gains, floor, at)) > effect+1e-9 {
			t.Fatalf("at %g the effect is above %g", at, effect)
		}
		if colder := at * 0.98; at > 1.01/16 && draw.DesignEffect(draw.Odds(gains, floor, colder)) <= effect {
			t.Fatalf("at %g the effect is not above %g either", colder, effect)
		}
	})
}

func TestDesignEffects(t *testing.T) {
	for want, odds := range map[float64][]float64{
		1:                        {.25, .25, .25, .25},
		(1/.1 + 1/.4 + 1/.5) / 9: {.1, .4, .5},
		(1/.75 + 1/.25) / 4:      {.75, 0, .25},
		0:                        {0, 0},
	} {
		if got := draw.DesignEffect(odds); math.Abs(got-want) > 1e-12 {
			t.Errorf("%v: %g, want %g", odds, got, want)
		}
	}
}
