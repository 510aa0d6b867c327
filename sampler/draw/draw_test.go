package draw_test

import (
	"math"
	"testing"

	"pgregory.net/rapid"

	"github.com/hone-ml/hone/sampler/draw"
)

// Whatever the gains: probabilities sum to 1, nobody's is below the floor's, what gains more is drawn no less
// often, and the unit of the gains does not matter.
func TestOddsAreProbabilities(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		gain := rapid.OneOf(rapid.Float64Range(0, 1e9), rapid.Float64Range(0, 1e-300), rapid.Just(0.0), rapid.Just(-1.0), rapid.Just(math.NaN()), rapid.Just(math.Inf(1)))
		gains := rapid.SliceOfN(gain, 1, 40).Draw(t, "gains")
		floor, temperature := rapid.Float64Range(0, 1).Draw(t, "floor"), rapid.Float64Range(0.05, 20).Draw(t, "temperature")
		p := draw.Odds(gains, floor, temperature)
		n, sum := 0, 0.0
		for i, g := range gains {
			sum += p[i]
			if g >= 0 {
				n++
			} else if p[i] != 0 {
				t.Fatalf("%g is drawn with %g", g, p[i])
			}
		}
		if n == 0 {
			if sum != 0 || draw.One(gains, floor, temperature, 1, 1).Index != -1 {
				t.Fatalf("nothing can be drawn, yet %v", p)
			}
			return
		}
		if math.Abs(sum-1) > 1e-9 {
			t.Fatalf("%v sum to %g", p, sum)
		}
		for i, g := range gains {
			if g >= 0 && p[i] < floor/float64(n)-1e-12 {
				t.Fatalf("%g is below the floor of %g/%d", p[i], floor, n)
			}
			for j := range gains {
				if g > gains[j] && p[i] < p[j] {
					t.Fatalf("%g gains more than %g, and has %g for %g", g, gains[j], p[i], p[j])
				}
			}
		}
		if at := draw.One(gains, floor, temperature, rapid.Uint64().Draw(t, "seed"), rapid.Uint64().Draw(t, "number")); p[at.Index] == 0 {
			t.Fatalf("%d is drawn, which has a probability of 0", at.Index)
		}
	})
}

func TestTheUnitOfGainsDoesNotMatter(t *testing.T) {
	a, b := draw.Odds([]float64{1, 2, 4, 0}, .1, .5), draw.Odds([]float64{1e6, 2e6, 4e6, 0}, .1, .5)
	for i, want := range []float64{.025 + .9/21, .025 + .9*4/21, .025 + .9*16/21, .025} {
		if math.Abs(a[i]-want) > 1e-12 || math.Abs(b[i]-want) > 1e-12 {
			t.Errorf("%d: %g and %g, want %g", i, a[i], b[i], want)
		}
	}
}

// Over many numbers things are drawn as often as their odds say, and those of even draws equally often.
func TestDrawsHaveTheirOdds(t *testing.T) {
	gains := []float64{1, 5, 0, -1, 2, 5}
	const floor, temperature, n = 0.2, 0.7, 60_000
	var count, even [6]float64
	for number := range uint64(n) {
		d := draw.One(gains, floor, temperature, 7, number)
		count[d.Index]++
		if d.Even {
			even[d.Index]++
		}
		if again := draw.One(gains, floor, temperature, 7, number); again != d {
			t.Fatalf("draw %d is %v and %v", number, d, again)
		}
	}
	chi := 0.0
	for i, p := range draw.Odds(gains, floor, temperature) {
		if p == 0 {
			if count[i] > 0 {
				t.Errorf("%d is drawn", i)
			}
			continue
		}
		chi += (count[i] - n*p) * (count[i] - n*p) / (n * p)
		if want := n * floor / 5; math.Abs(even[i]-want) > 5*math.Sqrt(want) {
			t.Errorf("%d is drawn in %g even draws, want about %g", i, even[i], want)
		}
	}
	if chi > 23.5 { // .9997 of the distribution with 4 degrees of freedom
		t.Errorf("chi squared is %.1f: %v", chi, count)
	}
}

// Draws of neighbouring seeds and numbers have nothing to do with each other.
func TestDrawsAreIndependent(t *testing.T) {
	gains := []float64{1, 1}
	const n = 20_000
	for name, other := range map[string]func(i uint64) (seed, number uint64){
		"number": func(i uint64) (uint64, uint64) { return 3, i + 1 },
		"seed":   func(i uint64) (uint64, uint64) { return 4, i },
	} {
		same := 0.0
		for i := range uint64(n) {
			seed, number := other(i)
			if draw.One(gains, 0, 1, 3, i).Index == draw.One(gains, 0, 1, seed, number).Index {
				same++
			}
		}
		if math.Abs(same-n/2) > 5*math.Sqrt(n)/2 {
			t.Errorf("%s: %g of %d draws are the same", name, same, n)
		}
	}
}
