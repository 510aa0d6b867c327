package model

import (
	"math"

	"github.com/hone-ml/hone/vector"
)

// addSquares adds the squares of an example's features, times sign, to r.squares.
func (r *Regression) addSquares(s *regressionExample, sign float32) {
	weight := sign * float32(s.Weight)
	v := r.w.expand(s.X)
	scale := s.X.Scale * r.settings.part(0)
	for _, t := range v.Terms {
		row := r.squares.writable(int(r.squares.rowOf[t.Bucket()].Load()) - 1)
		x := scale * t.Units()
		row[0] += weight * x * x
	}
	r.squares.ownDense()
	for part, d := range v.Dense {
		k := r.settings.part(part+1) * r.settings.part(part+1)
		for j, x := range d {
			r.squares.dense[part][j] += weight * k * x * x
		}
	}
}

// leverage returns the variance of a predicted value that comes from uncertain weights, in
// units of the noise. It takes the features as independent given the examples (the diagonal
// of the Hessian; MacKay 1992, "A practical Bayesian framework for backpropagation
// networks"). To leave out an example that is in the sums, pass its weight as less.
func (l *weightsView) leverage(v vector.Vector, s *Settings, less float64) float64 {
	var sum float64
	scale := float64(v.Scale) * float64(s.part(0))
	for _, t := range v.Terms {
		x2 := scale * float64(t.Units())
		x2 *= x2
		known := 0.0
		if row := l.rowOf[t.Bucket()].Load() - 1; uint32(row) < uint32(l.rows) {
			known = float64(l.pages[row>>l.shift][row&(int32(1)<<l.shift-1)])
		}
		sum += x2 / (s.Ridge + max(0, known-less*x2))
	}
	for part, d := range v.Dense {
		k := float64(s.part(part+1)) * float64(s.part(part+1))
		for j, x := range d {
			x2 := k * float64(x) * float64(x)
			known := 0.0
			if part < len(l.dense) && j < len(l.dense[part]) {
				known = float64(l.dense[part][j])
			}
			sum += x2 / (s.Ridge + max(0, known-less*x2))
		}
	}
	return sum
}

// RegressionView is the state of a Regression at one moment. It is immutable: any number of
// goroutines may read it without a lock while the model goes on learning.
type RegressionView struct {
	settings         Settings
	weights, squares weightsView
	examples         int
	fit              fitSummary
	center           float64
}

// View returns an immutable view of the model as it is now. It costs what Model.View costs.
func (r *Regression) View() *RegressionView {
	v := &RegressionView{settings: r.settings, weights: r.w.snapshot(), squares: r.squares.snapshot(), examples: len(r.examples), fit: r.fit, center: r.center}
	v.fit.intercept = r.intercept()
	return v
}

// Examples returns how many examples the model had.
func (v *RegressionView) Examples() int { return v.examples }

// Spread returns the standard deviation of the targets, and whether all of them are whole
// numbers, both as of the last measurement.
func (v *RegressionView) Spread() (sd float64, whole bool) { return v.fit.spread, v.fit.whole }

// Predict returns the mean and the standard deviation of a text's target. It allocates
// nothing once s has been used.
func (v *RegressionView) Predict(x vector.Vector, s *Scratch) (mean, sd float64) {
	if cap(s.margins) < dualColumns {
		s.margins = make([]float32, dualColumns)
	}
	m := s.margins[:dualColumns]
	x = x.Expand(&s.buffer)
	v.weights.margins(x, &v.settings, m)
	mean = v.center + float64(m[0]) + v.fit.intercept*(1-float64(m[1]))
	return mean, math.Sqrt(v.fit.noise * (1 + v.squares.leverage(x, &v.settings, 0)))
}

// Predict returns what View().Predict would, without making a view.
func (r *Regression) Predict(x vector.Vector, s *Scratch) (mean, sd float64) {
	v := RegressionView{settings: r.settings, weights: r.w.current(), squares: r.squares.current(), fit: r.fit, center: r.center}
	v.fit.intercept = r.intercept()
	return v.Predict(x, s)
}
