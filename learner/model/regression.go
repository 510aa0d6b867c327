package model

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"slices"
)

// Regression is ridge regression with an intercept that is not penalised, the
// mean of a Gaussian process with a linear kernel and an unknown mean (Rasmussen &
// Williams 2006, section 2.7). An example's target is Class 0's P, any finite
// number. It is solved in the dual by exact coordinate ascent (Shalev-Shwartz &
// Zhang 2013, JMLR 14):
//
//	weights = 1/ridge  sum_i weight_i (target_i - b - p_i) x_i
//
// where at the optimum p_i are the model's own values without the intercept b. The
// problem is linear in the targets, so it is solved for the targets and for a
// column of ones at once, and the intercept follows from the two: numbers around
// 10,000 are learned as well as those around 0, and nothing but the examples
// decides. A Regression is for one goroutine; any number may read its RegressionViews.
type Regression struct {
	settings Settings
	w        *weights // has a column for the targets and one for the ones
	squares  *weights // per feature the sum of its squares, see weightsView.leverage
	examples []*regressionExample
	index    map[int64]int
	dense    int
	writes   int
	fit      fitSummary
	// center is the first target there was. It is subtracted from every target, which
	// changes nothing but their rounding.
	center float64

	ascent
	sums measureSums // of the measurement under way
}

// regressionExample is an example and its state in the solver.
type regressionExample struct {
	Example
	y     float64
	p     [2]float64 // the dual variables are weight (target - p), weight (1 - p)
	norm2 float64
}

// fitSummary holds the results of the last measurement.
type fitSummary struct {
	bound            float64 // of any value, in the unit of the targets
	intercept, noise float64 // noise is a variance
	spread           float64 // standard deviation of the targets
	whole            bool    // every target is a whole number
}

// measureSums are the sums that a measurement accumulates over the examples.
type measureSums struct {
	gap, residual, noise, weight, y, y2 float64
	whole                               bool
}

const dualColumns = 2

// NewRegression returns a model without examples. It panics when Validate refuses the
// settings, a mistake of the caller. It does not use Settings.Bias.
func NewRegression(s Settings) *Regression {
	if err := s.Validate(); err != nil {
		panic(fmt.Sprintf("model: settings %+v: %v", s, err))
	}
	s.Bias = 0
	r := &Regression{settings: s, index: map[int64]int{}, w: newWeights(dualColumns, Prior(nil).scale(dualColumns, nil)), squares: newWeights(1, Prior(nil).scale(1, nil))}
	r.changed()
	return r
}

// DualNumbers returns how many numbers Duals yields over all examples.
func (r *Regression) DualNumbers() int { return dualColumns * len(r.examples) }

// Len is the number of examples.
func (r *Regression) Len() int { return len(r.examples) }

// Settings returns the settings that NewRegression was given, without a bias.
func (r *Regression) Settings() Settings { return r.settings }

// Has reports whether the model holds an example with the id.
func (r *Regression) Has(id int64) bool { _, ok := r.index[id]; return ok }

// Examples calls f with every example, in no order, until f returns false. The caller must
// not write to the example's slices.
func (r *Regression) Examples(f func(Example) bool) {
	for _, e := range r.examples {
		if !f(e.Example) {
			return
		}
	}
}

// Duals is Examples with the dual variables that UpsertWarm takes: two numbers from 0 to 1.
// The caller must not keep them.
func (r *Regression) Duals(f func(e Example, duals []float32) bool) {
	var d [dualColumns]float32
	for _, e := range r.examples {
		d[0], d[1] = encodeDual(e.y-e.p[0]), encodeDual(1-e.p[1])
		if !f(e.Example, d[:]) {
			return
		}
	}
}

// encodeDual maps a number of any size to one from 0 to 1, precise to a thousandth even in
// the 16 bits of a checkpoint. decodeDual is its inverse.
func encodeDual(v float64) float32 { return float32(0.5 + math.Asinh(v*1e6)/128) }
func decodeDual(d float32) float64 { return math.Sinh((float64(d)-0.5)*128) / 1e6 }

// Upsert adds an example or replaces the one with its id, and sets its dual variables to their
// optimum given all others. An error names the fault of the example; the model is then
// unchanged.
func (r *Regression) Upsert(e Example) error {
	s, err := r.insert(e)
	if err == nil {
		r.updateBlock(s)
	}
	return err
}

// UpsertWarm is Upsert with a warm start: duals are those that Duals yielded in an earlier run.
// They save steps and do not change the optimum. When their number is wrong
// UpsertWarm does what Upsert does.
func (r *Regression) UpsertWarm(e Example, duals []float32) error {
	if len(duals) != dualColumns {
		return r.Upsert(e)
	}
	s, err := r.insert(e)
	if err != nil {
		return err
	}
	for k, d := range duals {
		if v := decodeDual(min(max(d, 0), 1)); !math.IsNaN(v) {
			s.p[k] -= v
		}
	}
	r.addContribution(s, 1)
	return nil
}

// insert adds an example with dual variables that contribute nothing to the weights.
func (r *Regression) insert(e Example) (*regressionExample, error) {
	if !(e.Weight > 0) || math.IsInf(e.Weight, 0) {
		return nil, fmt.Errorf("example %d: weight %g must be above 0", e.ID, e.Weight)
	}
	if len(e.Target) != 1 || e.Target[0].Class != 0 {
		return nil, fmt.Errorf("example %d: %d targets where one number is wanted", e.ID, len(e.Target))
	}
	y := float64(e.Target[0].P)
	if math.IsNaN(y) || math.IsInf(y, 0) {
		return nil, fmt.Errorf("example %d: target %g is not a number", e.ID, y)
	}
	r.Remove(e.ID)
	if len(r.examples) == 0 {
		r.center = y
	}
	y -= r.center
	s := &regressionExample{Example: e, y: y, p: [2]float64{y, 1}, norm2: r.settings.norm2(r.w.expand(e.X))}
	r.index[e.ID] = len(r.examples)
	r.examples = append(r.examples, s)
	r.w.retain(e.X)
	r.squares.retain(e.X)
	r.addSquares(s, 1)
	r.dense = max(r.dense, e.X.Parts())
	r.changed()
	return s, nil
}

// Remove removes an example and all of its effect, and reports whether it was there.
// Optimize then finds the optimum of the others.
func (r *Regression) Remove(id int64) bool {
	at, ok := r.index[id]
	if !ok {
		return false
	}
	s := r.examples[at]
	r.addContribution(s, -1)
	r.addSquares(s, -1)
	r.w.release(s.X)
	r.squares.release(s.X)
	last := len(r.examples) - 1
	r.examples[at] = r.examples[last]
	r.index[r.examples[at].ID] = at
	r.examples[last] = nil
	r.examples = r.examples[:last]
	delete(r.index, id)
	r.changed()
	if last == 0 {
		r.center, r.fit = 0, fitSummary{}
	}
	if last == 0 || r.w.emptyRows > 1024 && r.w.emptyRows > r.w.rows/2 {
		r.rebuild()
	}
	return true
}

func (r *Regression) addContribution(s *regressionExample, sign float64) {
	c := sign * s.Weight / r.settings.Ridge
	r.w.addFeatures(r.w.expand(s.X), &r.settings, []float32{float32(c * (s.y - s.p[0])), float32(c * (1 - s.p[1]))})
	r.writes++
}

// updateBlock sets the dual variables of one example to their optimum given all others.
func (r *Regression) updateBlock(s *regressionExample) {
	var m [dualColumns]float32
	l, x := r.w.current(), r.w.expand(s.X)
	l.margins(x, &r.settings, m[:])
	kappa := s.Weight * s.norm2 / r.settings.Ridge
	c := s.Weight / r.settings.Ridge
	var delta [dualColumns]float32
	for k := range delta {
		// The value without the example is m - kappa (target - p), with it at its
		// optimum it is p: the target cancels.
		p := (float64(m[k]) + kappa*s.p[k]) / (1 + kappa)
		delta[k] = float32(c * (s.p[k] - p))
		s.p[k] = p
	}
	r.w.addFeatures(x, &r.settings, delta[:])
	r.writes++
}

func (r *Regression) sorted() []*regressionExample {
	out := slices.Clone(r.examples)
	slices.SortFunc(out, func(a, b *regressionExample) int { return cmp.Compare(a.ID, b.ID) })
	return out
}

// rebuild computes everything anew from the dual variables, in the order of the ids, and
// drops rows of features that no example has. It removes the rounding errors of many small
// additions.
func (r *Regression) rebuild() {
	r.w, r.squares, r.dense = newWeights(dualColumns, Prior(nil).scale(dualColumns, nil)), newWeights(1, Prior(nil).scale(1, nil)), 0
	for _, s := range r.sorted() {
		r.w.retain(s.X)
		r.squares.retain(s.X)
		r.dense = max(r.dense, s.X.Parts())
		r.addContribution(s, 1)
		r.addSquares(s, 1)
	}
	r.writes = 0
}

func (r *Regression) changed() {
	r.restart()
	r.fit.bound = math.Inf(1)
}

// Bound returns by how much a predicted value can at most differ from that of the exact
// optimum, in standard deviations of the targets. It is +Inf when the examples have changed
// since the last measurement.
func (r *Regression) Bound() float64 {
	if len(r.examples) == 0 {
		return 0
	}
	return r.fit.bound / r.fit.unit()
}

func (f *fitSummary) unit() float64 {
	if f.spread > 0 {
		return f.spread
	}
	return 1
}

// Optimize is Model.Optimize for a Regression: it optimizes until every predicted value is
// within tolerance standard deviations of the targets from that of the optimum.
func (r *Regression) Optimize(ctx context.Context, tolerance float64) Progress {
	return r.optimize(ctx, r, tolerance)
}

// activeSet implements problem. It takes all examples: a step costs no more than to measure
// whether it is needed.
func (r *Regression) activeSet(order []int32, _ float64) []int32 {
	if r.writes > 64*len(r.examples)+1024 {
		r.rebuild()
	}
	for i := range r.examples {
		order = append(order, int32(i))
	}
	return order
}

func (r *Regression) step(i int32) { r.updateBlock(r.examples[i]) }

// measure computes the bound on the distance to the optimum, and what else depends on all
// examples. It returns false when the context ended first; the next call then goes on.
//
// With the intercept that makes the dual variables sum to 0 they are feasible for
// the whole problem, and its duality gap is half the squares of p less the model's
// value. The primal and the dual are ridge-strongly convex, so ridge |w - w*|^2 <=
// gap; the intercept is off by no more than the mean residual and what the weights
// are.
func (r *Regression) measure(ctx context.Context) bool {
	b := r.intercept()
	l, q := r.w.current(), r.squares.current()
	if r.position == 0 {
		r.sums = measureSums{whole: true}
	}
	var m [dualColumns]float32
	for ; r.position < len(r.examples); r.position++ {
		if r.position%4 == 0 && expired(ctx) {
			return false
		}
		s := r.examples[r.position]
		x := r.w.expand(s.X)
		l.margins(x, &r.settings, m[:])
		off := s.p[0] - float64(m[0]) - b*(s.p[1]-float64(m[1]))
		r.sums.gap += s.Weight * off * off / 2
		r.sums.residual += s.Weight * off

		// times what it would gain from the example itself.
		residual := s.y - b - (s.p[0] - b*s.p[1])
		left := q.leverage(x, &r.settings, s.Weight)
		r.sums.noise += s.Weight * residual * residual * (1 + left)
		r.sums.weight += s.Weight
		r.sums.y += s.Weight * s.y
		r.sums.y2 += s.Weight * s.y * s.y
		r.sums.whole = r.sums.whole && s.Target[0].P == float32(math.Trunc(float64(s.Target[0].P)))
	}
	n := r.sums.weight
	mean := r.sums.y / n
	r.fit = fitSummary{
		intercept: b, noise: r.sums.noise / n, whole: r.sums.whole,
		spread: math.Sqrt(max(0, r.sums.y2/n-mean*mean)),
	}
	radius := math.Sqrt(r.settings.radius2(r.dense))
	r.fit.bound = 2*radius*math.Sqrt(2*r.sums.gap/r.settings.Ridge) + math.Abs(r.sums.residual)/n
	r.recordBound(r.fit.bound)
	return true
}

// intercept returns the intercept that makes the dual variables sum to 0.
func (r *Regression) intercept() float64 {
	var y, one float64
	for _, s := range r.examples {
		y += s.Weight * (s.y - s.p[0])
		one += s.Weight * (1 - s.p[1])
	}
	if one <= 0 {
		return 0 // the ascent has not begun
	}
	return y / one
}
