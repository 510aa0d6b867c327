package model

import "math"

// Link says how the classes of a model relate.
type Link int

const (
	// Exclusive means that exactly one class is correct: probabilities sum to 1 (softmax).
	Exclusive Link = iota
	// Independent means that each class is correct or not by itself (a sigmoid each).
	Independent
)

// probabilities fills p with the link's probabilities at the margins. The two
// may be the same slice.
func (l Link) probabilities(margins, p []float64) {
	if l == Independent {
		for y, m := range margins {
			p[y] = sigmoid(m)
		}
		return
	}
	top := math.Inf(-1)
	for _, m := range margins {
		top = max(top, m)
	}
	var sum float64
	for y, m := range margins {
		p[y] = math.Exp(m - top)
		sum += p[y]
	}
	for y := range p {
		p[y] /= sum
	}
}

// Sharpen writes probabilities raised to a power to dst: those of the margins times the power. The
// two may be the same slice.
func (l Link) Sharpen(dst, p []float64, power float64) {
	for y, v := range p {
		v = max(v, minProbability)
		dst[y] = power * math.Log(v)
		if l == Independent {
			dst[y] -= power * math.Log(max(1-v, minProbability))
		}
	}
	l.probabilities(dst, dst)
}

// divergence returns the Kullback-Leibler divergence from the probabilities of the margins
// (r) to those of the dual variables (p): one example's share of the duality gap.
func (l Link) divergence(p []float32, r []float64) float64 {
	var d float64
	for y := range r {
		d += generalizedKL(float64(p[y]), r[y])
		if l == Independent {
			d += generalizedKL(1-float64(p[y]), 1-r[y])
		}
	}
	return max(d, 0)
}

// negativeEntropy returns the sum of p log p - p: the part of a divergence that p alone makes.
func negativeEntropy(p []float32) (sum float64) {
	for _, v := range p {
		q := float64(v)
		if q >= minProbability {
			sum += q * math.Log(q)
		}
		sum -= q
	}
	return sum
}

// exclusiveDivergence is divergence for Exclusive, from p and its negativeEntropy, and from the margins themselves: it
// takes no logarithm for each class.
func exclusiveDivergence(entropy float64, p, margins []float32) float64 {
	top := margins[0]
	for _, m := range margins {
		top = max(top, m)
	}
	var sum, mass, along float64
	for y, v := range margins {
		m, q := float64(v)-float64(top), float64(p[y])
		sum += math.Exp(m)
		mass += q
		along += q * m
	}
	return max(entropy-along+mass*math.Log(sum)+1, 0)
}

// maxRelaxation returns by what factor, at most relax, a step from the probabilities p to
// the optimal ones t may be lengthened so that its end is still better than p. relax is
// from 1 to 1.5. A p is worse than t by their divergence plus kappa/2 |p - t|^2. So of two
// points on both sides of t the one at half the distance is better, unless one of its
// probabilities is below half of that in t.
func (l Link) maxRelaxation(relax float64, p []float32, t []float64) float64 {
	for y, v := range p {
		if d := float64(v) - t[y]; d > 0 {
			relax = min(relax, 1+t[y]/(2*d))
		} else if l == Independent && d < 0 {
			relax = min(relax, 1-(1-t[y])/(2*d))
		}
	}
	return relax
}

// minProbability keeps logarithms finite.
const minProbability = 1e-12

// generalizedKL returns p log(p/r) - p + r. It is of second order in p - r even when
// rounded probabilities do not quite sum to 1.
func generalizedKL(p, r float64) float64 {
	if p < minProbability {
		return r
	}
	r = max(r, minProbability)
	return p*math.Log(p/r) - p + r
}

func sigmoid(m float64) float64 {
	if m >= 0 {
		return 1 / (1 + math.Exp(-m))
	}
	e := math.Exp(m)
	return e / (1 + e)
}
