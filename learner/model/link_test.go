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

// The divergence from margins is that from their probabilities.
func TestDivergenceFromMargins(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		k := rapid.IntRange(2, 30).Draw(t, "classes")
		margin := rapid.Float32Range(-20, 20)
		p, margins, r, of := make([]float32, k), make([]float32, k), make([]float64, k), make([]float64, k)
		for y := range p {
			margins[y] = margin.Draw(t, "margin")
			of[y] = float64(margins[y]) + rapid.Float64Range(-3, 3).Draw(t, "off")*rapid.SampledFrom([]float64{0, 1e-3, 1}).Draw(t, "far")
			r[y] = float64(margins[y])
		}
		Exclusive.probabilities(r, r)
		Exclusive.probabilities(of, of)
		for y, v := range of {
			p[y] = float32(v)
		}
		want, got := Exclusive.divergence(p, r), exclusiveDivergence(negativeEntropy(p), p, margins)
		if math.Abs(got-want) > 1e-9 {
			t.Fatalf("%g from margins, %g from probabilities", got, want)
		}
	})
}
