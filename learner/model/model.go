package model

import (
	"cmp"
	"fmt"
	"math"
	"slices"

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

// hasNoLabel reports whether each class has less than half of the annotators' shares.
func (e *Example) hasNoLabel() bool {
	return !slices.ContainsFunc(e.Target, func(s Share) bool { return s.P >= 0.5 })
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
	link         Link
	settings     Settings
	w            *weights
	examples     []*exampleRow
	index        map[int64]int
	dense        int // most dense parts an example has
	noLabelCount int // examples for which no class holds
	writes       int // updates since the weights were last computed afresh

	ascent
	bound, gap float64 // as last measured

	margin, delta []float32
	t, u          []float64
	scratch       Scratch
}

// exampleRow is an example and its state in the solver.
type exampleRow struct {
	Example
	p     []float32 // the dual variables are weight (target - p)
	norm2 float64   // squared length of the weighted features
	gap   float64   // share of the duality gap when last measured
}

// New returns a model without examples. It panics when Validate refuses the settings or
// classes is below 1: both are mistakes of the caller.
func New(classes int, link Link, s Settings) *Model { return NewFrom(nil, classes, link, s) }

// NewFrom is New with a prior whose mean is not zero. It also panics when the prior has
// another number of classes.
func NewFrom(prior Prior, classes int, link Link, s Settings) *Model {
	if err := s.Validate(); err != nil || classes < 1 {
		panic(fmt.Sprintf("model: %d classes, settings %+v: %v", classes, s, err))
	}
	return &Model{
		link: link, settings: s, w: newWeights(classes, prior.scale(classes, s.Trust)), index: make(map[int64]int),
		margin: make([]float32, classes), delta: make([]float32, classes), t: make([]float64, classes), u: make([]float64, classes),
	}
}

// Classes is the number of classes.
func (m *Model) Classes() int { return m.w.classes }

// Len is the number of examples.
func (m *Model) Len() int { return len(m.examples) }

// Settings returns the settings that New was given.
func (m *Model) Settings() Settings { return m.settings }

// Has reports whether the model holds an example with the id.
func (m *Model) Has(id int64) bool { _, ok := m.index[id]; return ok }

// Examples calls f with every example, in no order, until f returns false. The caller must
// not write to the example's slices.
func (m *Model) Examples(f func(Example) bool) {
	for _, e := range m.examples {
		if !f(e.Example) {
			return
		}
	}
}

// Duals is Examples with the probabilities that UpsertWarm takes, one for each class. The
// caller must neither write to p nor keep it.
func (m *Model) Duals(f func(e Example, p []float32) bool) {
	for _, r := range m.examples {
		if !f(r.Example, r.p) {
			return
		}
	}
}

// DualNumbers returns how many numbers Duals yields over all examples.
func (m *Model) DualNumbers() int { return len(m.examples) * m.w.classes }

// Upsert adds an example or replaces the one with its id, and sets its dual variables to
// their optimum given all others. An error names the fault of the example; the model is
// then unchanged.
func (m *Model) Upsert(e Example) error {
	if err := m.validate(e); err != nil {
		return err
	}
	m.Remove(e.ID)
	r := m.insert(e)
	for y := range r.p { // no contribution yet
		r.p[y] = 0
	}
	for _, s := range e.Target {
		r.p[s.Class] = s.P
	}
	m.updateBlock(r, 1)
	return nil
}

// UpsertWarm is Upsert with a warm start: p are the probabilities that Duals yielded in an earlier
// run. They save steps and do not change the optimum. p is copied. When its length is wrong
// UpsertWarm does what Upsert does.
func (m *Model) UpsertWarm(e Example, p []float32) error {
	if len(p) != m.w.classes {
		return m.Upsert(e)
	}
	if err := m.validate(e); err != nil {
		return err
	}
	m.Remove(e.ID)
	r := m.insert(e)
	var sum float32
	for y, v := range p {
		r.p[y] = min(max(v, 0), 1)
		if v != v {
			r.p[y] = 0
		}
		sum += r.p[y]
	}
	if m.link == Exclusive {
		for y := range r.p {
			if sum > 0 {
				r.p[y] /= sum
			} else {
				r.p[y] = 1 / float32(len(r.p))
			}
		}
	}
	m.addContribution(r, 1)
	return nil
}

func (m *Model) insert(e Example) *exampleRow {
	r := &exampleRow{Example: e, p: make([]float32, m.w.classes), norm2: m.settings.norm2(m.w.expand(e.X))}
	m.index[e.ID] = len(m.examples)
	m.examples = append(m.examples, r)
	m.w.retain(e.X)
	m.dense = max(m.dense, e.X.Parts())
	if e.hasNoLabel() {
		m.noLabelCount++
	}
	m.changed()
	return r
}

// Remove removes an example and all of its effect, and reports whether it was there.
// Optimize then finds the optimum of the others.
func (m *Model) Remove(id int64) bool {
	at, ok := m.index[id]
	if !ok {
		return false
	}
	r := m.examples[at]
	m.addContribution(r, -1)
	m.w.release(r.X)
	if r.hasNoLabel() {
		m.noLabelCount--
	}
	last := len(m.examples) - 1
	m.examples[at] = m.examples[last]
	m.index[m.examples[at].ID] = at
	m.examples[last] = nil
	m.examples = m.examples[:last]
	delete(m.index, id)
	m.changed()
	if last == 0 || m.w.emptyRows > 1024 && m.w.emptyRows > m.w.rows/2 {
		m.rebuild()
	}
	return true
}

func (m *Model) validate(e Example) error {
	if !(e.Weight > 0) || math.IsInf(e.Weight, 0) {
		return fmt.Errorf("example %d: weight %g must be above 0", e.ID, e.Weight)
	}
	var sum float64
	seen := int32(-1)
	for _, s := range e.Target {
		if s.Class <= seen || int(s.Class) >= m.w.classes {
			return fmt.Errorf("example %d: target classes must rise and stay below %d, got %d after %d", e.ID, m.w.classes, s.Class, seen)
		}
		if !(s.P >= 0 && s.P <= 1+1e-6) {
			return fmt.Errorf("example %d: share %g of class %d is not between 0 and 1", e.ID, s.P, s.Class)
		}
		seen = s.Class
		sum += float64(s.P)
	}
	if m.link == Exclusive && math.Abs(sum-1) > 1e-4 {
		return fmt.Errorf("example %d: target sums to %g, not 1", e.ID, sum)
	}
	return nil
}

// addContribution adds the example's share of the weights times sign.
func (m *Model) addContribution(r *exampleRow, sign float64) {
	c := float32(sign * r.Weight / m.settings.Ridge)
	for y, p := range r.p {
		m.delta[y] = -c * p
	}
	for _, s := range r.Target {
		m.delta[s.Class] += c * s.P
	}
	m.w.addFeatures(m.w.expand(r.X), &m.settings, m.delta)
	m.writes++
}

// predict fills m.t with the margins of an example's expanded features. The example's own
// contribution to the weights is included.
func (m *Model) predict(x vector.Vector) {
	l := m.w.current()
	l.margins(x, &m.settings, m.margin)
	for y := range m.t {
		m.t[y] = float64(m.margin[y])
	}
}

// updateBlock sets the dual variables of one example to their optimum given all others. It
// lengthens the step by the factor relax, from 1 to 1.5, as long as the dual objective
// rises.
func (m *Model) updateBlock(r *exampleRow, relax float64) {
	x := m.w.expand(r.X)
	m.predict(x)
	t := m.t
	kappa := r.Weight * r.norm2 / m.settings.Ridge
	// Margins without the example are t - kappa (q - p); the update wants kappa q
	// added to those, so q cancels.
	for y, p := range r.p {
		t[y] += kappa * float64(p)
	}
	m.link.solveBlock(t, kappa, r.p, m.u)
	c := r.Weight / m.settings.Ridge
	relax = m.link.maxRelaxation(relax, r.p, t)
	var moved float64
	for y, old := range r.p {
		r.p[y] = float32(t[y] + (relax-1)*(t[y]-float64(old)))
		d := float64(old) - float64(r.p[y])
		m.delta[y] = float32(c * d)
		moved = max(moved, math.Abs(d))
	}
	if moved > 0 {
		m.w.addFeatures(x, &m.settings, m.delta)
		m.writes++
	}
}

// recompute computes the weights anew from the dual variables, in the order of the ids. It
// removes the rounding errors of many small additions.
func (m *Model) recompute() {
	m.w.reset()
	for _, r := range m.sorted() {
		m.addContribution(r, 1)
	}
	m.writes = 0
}

// rebuild is recompute that also drops rows of features that no example has.
func (m *Model) rebuild() {
	m.w = newWeights(m.w.classes, m.w.prior)
	m.dense = 0
	for _, r := range m.sorted() {
		m.w.retain(r.X)
		m.dense = max(m.dense, r.X.Parts())
	}
	m.recompute()
}

func (m *Model) sorted() []*exampleRow {
	rows := slices.Clone(m.examples)
	slices.SortFunc(rows, func(a, b *exampleRow) int { return cmp.Compare(a.ID, b.ID) })
	return rows
}
