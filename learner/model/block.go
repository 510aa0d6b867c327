package model

import "math"

// The block update of dual coordinate ascent: given the margins m of an example
// without its own contribution, its target q and its curvature kappa = c
// |x|^2 / ridge, the best probabilities are the solution of
//
//	p = link(m + kappa (q - p)).
//
// Yu, Huang & Lin 2011, "Dual coordinate descent methods for logistic
// regression and maximum entropy models" (Machine Learning 85) solve it class
// by class; here the whole block is solved by one unknown.

const (
	blockSteps = 60
	blockTol   = 1e-10
)

// solveExclusive overwrites t, which holds m + kappa q, with p. guess is a
// starting point near p; any distribution will do. u and e are working memory, as long as t.
//
// With u = kappa p and mu the logarithm of the normaliser the equation reads
// u + log u = t + log kappa - mu, sum u = kappa. Each u is a decreasing, convex
// function of mu, so Newton's method on mu needs no line search: left of the
// root it climbs to it, right of the root one step takes it to the left.
func solveExclusive(t []float64, kappa float64, guess []float32, u, e []float64) {
	if kappa < 1e-9 {
		Exclusive.probabilities(t, t)
		return
	}
	best := 0
	for y := range t {
		if t[y] > t[best] {
			best = y
		}
	}
	top := t[best]
	for y := range t {
		t[y] -= top
	}
	// From here on t is at most 0 and mu is measured from the largest one.
	lowest := -(kappa + math.Log(kappa))
	mu := lowest
	if v := kappa * float64(guess[best]); v > 0 {
		mu = max(mu, -(v + math.Log(v)))
	}
	for y, p := range guess {
		u[y], e[y] = kappa*float64(p), -1
	}
	var sum float64
	for range blockSteps {
		var slope, far float64
		sum = 0
		scale := math.Exp(-mu) // mu alone changes from step to step
		for y, ty := range t {
			var w, r float64
			if z := ty - mu; z < smallOmega && scale < maxScale {
				if e[y] < 0 {
					e[y] = math.Exp(ty)
				}
				w = omegaOfExp(e[y] * scale)
			} else if w, r = omegaFrom(u[y], z); math.Abs(r) > far {
				far = math.Abs(r)
			}
			u[y] = w
			sum += w
			slope += w / (1 + w)
		}
		// One step of the fourth order from a residual of 1e-3 is exact enough.
		if math.Abs(sum-kappa) <= blockTol*kappa && far < 1e-3 {
			break
		}
		mu = max(mu+(sum-kappa)/slope, lowest)
	}
	for y := range t {
		t[y] = u[y] / sum
	}
}

// omegaFrom is wrightOmega(t) found from a guess w near it, in one step where
// the residual r of the guess is small.
func omegaFrom(w, t float64) (omega, r float64) {
	if t < smallOmega || w < 1e-6 {
		return wrightOmega(t), 0
	}
	r = t - w - math.Log(w)
	if math.Abs(r) > 0.5 {
		return wrightOmega(t), 0
	}
	return omegaStep(w, r), r
}

// omegaStep is the fourth-order step of Fritsch, Shafer & Crowley 1973 for a
// guess with residual r.
func omegaStep(w, r float64) float64 {
	a := 2 * (1 + w) * (1 + w + 2.0/3*r)
	return w * (1 + r/(1+w)*(a-r)/(a-2*r))
}

const (
	// smallOmega is where wrightOmega is a short series in the exponential of its argument.
	smallOmega = -5
	// maxScale keeps products with an exponential from overflowing.
	maxScale = 1e300
)

// omegaOfExp is wrightOmega of the logarithm of z, which is at most that of smallOmega.
func omegaOfExp(z float64) float64 {
	return z * (1 - z*(1-z*(1.5-z*(8.0/3-z*125.0/24))))
}

// wrightOmega is the solution of w + log w = t (Corless & Jeffrey 2002), to
// about 1e-12 relative.
func wrightOmega(t float64) float64 {
	if t < smallOmega {
		return omegaOfExp(math.Exp(t))
	}
	var w float64
	if t < 1 {
		e := math.Exp(t - 1)
		w = 1.6 * e / (1 + 0.6*e) // exact at t = 1, of the right order below
	} else {
		w = max(t-math.Log(t), 0.5)
	}
	for range 2 {
		w = omegaStep(w, t-w-math.Log(w))
	}
	return w
}

// solveIndependent overwrites t, which holds m + kappa q, with p, class by
// class: s + kappa sigmoid(s) = t, p = sigmoid(s). The left side rises, so the
// root lies between t - kappa and t. Newton's steps that do not shrink fast
// enough (they may circle an inflection) give way to halving.
func solveIndependent(t []float64, kappa float64, guess []float32) {
	for y, ty := range t {
		low, high := ty-kappa, ty
		s := min(max(ty-kappa*float64(guess[y]), low), high)
		last := 2 * kappa
		for range 2 * blockSteps {
			p := sigmoid(s)
			f := s + kappa*p - ty
			if f > 0 {
				high = s
			} else {
				low = s
			}
			if math.Abs(f) <= blockTol*(1+math.Abs(ty)) {
				break
			}
			next := s - f/(1+kappa*p*(1-p))
			if next < low || next > high || math.Abs(next-s) > last/2 {
				next = (low + high) / 2
			}
			last, s = math.Abs(next-s), next
		}
		t[y] = sigmoid(s)
	}
}

func (l Link) solveBlock(t []float64, kappa float64, guess []float32, u, e []float64) {
	if l == Independent {
		solveIndependent(t, kappa, guess)
		return
	}
	solveExclusive(t, kappa, guess, u, e)
}
