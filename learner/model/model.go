package model

import (
	"github.com/hone-ml/hone/vector"
)

// Share gives a class a share P, 0 to 1, of an example's target. Classes without a Share
// have none.
type Share struct {
	Class int32
	P     float32
}

// Example is a training example: the features and the target of one annotated task.
type Example struct {
	// ID names the example; an Upsert with the same ID replaces it.
	ID int64
	X  vector.Vector
	// Target sums to 1 for exclusive classes, several annotators averaged; for
	// independent ones each share is between 0 and 1.
	Target []Share
	// Weight multiplies the example's loss. It is above 0.
	Weight float64
}

// Majority returns the class with the largest share, the first of several, -1 without one.
func (e *Example) Majority() int32 {
	class, most := int32(-1), float32(0)
	for _, s := range e.Target {
		if s.P > most {
			class, most = s.Class, s.P
		}
	}
	return class
}

// Model is multinomial (Exclusive) or one-against-the-rest (Independent)
// logistic regression with soft targets and a Gaussian prior, solved in the
// dual by exact block coordinate ascent:
//
//	weights_y = 1/ridge  sum_i weight_i (target_iy - p_iy) x_i
//
// where at the optimum p_i are the model's own probabilities (Yu, Huang & Lin
// 2011; Shalev-Shwartz & Zhang 2013, "Stochastic dual coordinate ascent methods
// for regularized loss minimization", JMLR 14). The problem is strongly convex:
// one optimum, whatever the order, and the duality gap bounds the distance to
// it. A Model is for one goroutine; its Views are for any number.
type Model struct {
	dual
	w *rows
}

// New returns a model without examples. It panics when Validate refuses the settings or
// classes is below 1: both are mistakes of the caller.
func New(classes int, link Link, s Settings) *Model { return NewFrom(nil, classes, link, s) }

// NewFrom is New with a prior whose mean is not zero. It also panics when the prior has
// another number of classes.
func NewFrom(prior Prior, classes int, link Link, s Settings) *Model {
	m := &Model{dual: newDual(classes, link, s)}
	m.w = &rows{weights: newWeights(classes, prior.scale(classes, s.Trust)), settings: &m.settings}
	m.space = m.w
	return m
}

// rows is a space whose weights are rows, one for each feature: they predict any text.
type rows struct {
	*weights
	settings *Settings
	// last is the example that weights expanded last, nil when that is not known, and x its
	// features.
	last *exampleRow
	x    vector.Vector
}

// features returns the features of an example, valid until the next call or expand.
func (w *rows) features(r *exampleRow) vector.Vector {
	if w.last != r {
		w.last, w.x = r, w.expand(r.X)
	}
	return w.x
}

func (w *rows) enter(r *exampleRow) float64 {
	w.last = nil
	w.retain(r.X)
	return w.settings.norm2(w.features(r))
}

func (w *rows) leave(r *exampleRow) {
	w.last = nil
	w.release(r.X)
}

func (w *rows) wasteful() bool { return w.emptyRows > 1024 && w.emptyRows > w.weights.rows/2 }

func (w *rows) clear() {
	w.last = nil
	w.weights = newWeights(w.classes, w.prior)
}

func (w *rows) add(r *exampleRow, delta []float32) {
	w.addFeatures(w.features(r), w.settings, delta)
}

func (w *rows) margins(r *exampleRow, s *Scratch, dst []float32) {
	l := w.current()
	if s == nil {
		l.margins(w.features(r), w.settings, dst)
		return
	}
	l.margins(r.X.Expand(&s.buffer), w.settings, dst)
}
