package model

import (
	"math"
	"testing"

	"pgregory.net/rapid"
)

func TestWrightOmegaSolvesItsEquation(t *testing.T) {
	for x := -700.0; x < 1000; x += 0.37 {
		w := wrightOmega(x)
		if r := math.Abs(w + math.Log(w) - x); r > 1e-9*(1+math.Abs(x)) {
			t.Fatalf("omega(%g) = %g is off by %g", x, w, r)
		}
	}
}

func TestBlockUpdateIsTheFixedPoint(t *testing.T) {
	for _, link := range []Link{Exclusive, Independent} {
		rapid.Check(t, func(t *rapid.T) {
			k := rapid.IntRange(1, 40).Draw(t, "classes")
			kappa := math.Exp(rapid.Float64Range(-30, 12).Draw(t, "log kappa"))
			m, q := make([]float64, k), make([]float64, k)
			guess := make([]float32, k)
			for y := range m {
				m[y] = rapid.Float64Range(-1e3, 1e3).Draw(t, "margin")
				guess[y] = float32(rapid.Float64Range(0, 1).Draw(t, "guess"))
			}
			q[rapid.IntRange(0, k-1).Draw(t, "class")] = 1
			p := make([]float64, k)
			for y := range p {
				p[y] = m[y] + kappa*q[y]
			}
			link.solveBlock(p, kappa, guess, make([]float64, k), make([]float64, k))
			again := make([]float64, k)
			for y := range again {
				again[y] = m[y] + kappa*(q[y]-p[y])
			}
			link.probabilities(again, again)
			var sum float64
			for y := range p {
				// An error e in p moves the right side by up to kappa e.
				if math.Abs(again[y]-p[y]) > 1e-7*(1+kappa) || math.IsNaN(p[y]) {
					t.Fatalf("class %d: p %g, link gives %g (kappa %g)", y, p[y], again[y], kappa)
				}
				sum += p[y]
			}
			if link == Exclusive && math.Abs(sum-1) > 1e-9 {
				t.Fatalf("p sums to %g", sum)
			}
		})
	}
}

func TestBeyondTheBestIsBetterThanBefore(t *testing.T) {
	for _, link := range []Link{Exclusive, Independent} {
		rapid.Check(t, func(t *rapid.T) {
			k := rapid.IntRange(2, 6).Draw(t, "classes")
			log := rapid.Float64Range(-25, 0) // small probabilities are where it goes wrong
			p, best := make([]float32, k), make([]float64, k)
			before := make([]float64, k)
			for y := range best {
				before[y], best[y] = log.Draw(t, "before"), log.Draw(t, "best")
			}
			if link == Exclusive {
				link.probabilities(before, before)
				link.probabilities(best, best)
			} else {
				for y := range best {
					before[y], best[y] = math.Exp(before[y]), math.Exp(best[y])
				}
			}
			for y, v := range before {
				p[y] = float32(v)
			}
			relax := link.maxRelaxation(rapid.Float64Range(1, 1.5).Draw(t, "relax"), p, best)
			if relax < 1 {
				t.Fatalf("it would stop on the way, at %g", relax)
			}
			after := make([]float32, k)
			for y, v := range best {
				after[y] = float32(v + (relax-1)*(v-float64(p[y])))
				if after[y] < 0 || link == Independent && after[y] > 1 {
					t.Fatalf("class %d goes from %g beyond %g to %g", y, p[y], v, after[y])
				}
			}
			if was, is := link.divergence(p, best), link.divergence(after, best); is > was+1e-6 {
				t.Fatalf("from %v beyond %v to %v: worse by %g than by %g", p, best, after, is, was)
			}
		})
	}
}
