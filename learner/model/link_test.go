package model

import (
	"math"
	"testing"

	"pgregory.net/rapid"
)

// Probabilities raised to a power are those of the margins times that power.
func TestSharpenScalesMargins(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		link := rapid.SampledFrom([]Link{Exclusive, Independent}).Draw(t, "link")
		margins := rapid.SliceOfN(rapid.Float64Range(-8, 8), 2, 6).Draw(t, "margins")
		power := rapid.Float64Range(0.3, 3).Draw(t, "power")
		p, want := make([]float64, len(margins)), make([]float64, len(margins))
		link.probabilities(margins, p)
		for i := range margins {
			margins[i] *= power
		}
		link.probabilities(margins, want)
		link.Sharpen(p, p, power)
		for i := range p {
			if math.Abs(p[i]-want[i]) > 1e-9 {
				t.Fatalf("%v, want %v", p, want)
			}
		}
	})
}

// A certain answer stays finite.
func TestSharpenOfCertainty(t *testing.T) {
	for _, link := range []Link{Exclusive, Independent} {
		p := []float64{1, 0}
		link.Sharpen(p, p, 0.5)
		for _, v := range p {
			if !(v >= 0 && v <= 1) {
				t.Errorf("%v: %v", link, p)
			}
		}
	}
}
