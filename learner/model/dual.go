package model

import (
	"cmp"
	"fmt"
	"math"
	"slices"
)

// dual is what models share: the examples with their dual variables, and the ascent to the optimum. Where
// the weights are, and in which form, is the space's.
type dual struct {
	link         Link
	settings     Settings
	classes      int
	space        space
	examples     []*exampleRow
	index        map[int64]int
	dense        int   // most dense parts an example has
	noLabelCount int   // examples for which no class holds
	classCounts  []int // examples for which each class holds
	writes       int   // updates since the weights were last computed afresh

	ascent
	bound, gap float64 // as last measured

	margin, delta []float32
	t, u, e       []float64
	scratch       Scratch
}

// space holds the weights to which examples contribute.
type space interface {
	// enter makes room for an example, and returns the squared length of its weighted features.
	enter(r *exampleRow) (norm2 float64)
	// leave undoes enter. The example contributes nothing any more.
	leave(r *exampleRow)
	// wasteful reports whether many examples have left and their room is still kept.
	wasteful() bool
	// clear forgets all examples.
	clear()
	// reset has no example contribute anything: it leaves the mean of the prior.
	reset()
	// add adds delta, a number for each class, times the example's features.
	add(r *exampleRow, delta []float32)
	// margins overwrites dst, a number for each class. With working memory of their own several
	// goroutines may call it while nobody adds; nil stands for that of the goroutine that adds.
	margins(r *exampleRow, s *Scratch, dst []float32)
}

// exampleRow is an example and its state in the solver.
type exampleRow struct {
	Example
	p     []float32 // the dual variables are weight (target - p)
	norm2 float64   // squared length of the weighted features
	gap   float64   // share of the duality gap when last measured
	// entropy is negativeEntropy(p), NaN when p has changed since it was computed.
	entropy float64
	at      int // place in a kernel
}

func newDual(classes int, link Link, s Settings) dual {
	if err := s.Validate(); err != nil || classes < 1 {
		panic(fmt.Sprintf("model: %d classes, settings %+v: %v", classes, s, err))
	}
	return dual{
		link: link, settings: s, classes: classes, index: make(map[int64]int), classCounts: make([]int, classes),
		margin: make([]float32, classes), delta: make([]float32, classes), t: make([]float64, classes), u: make([]float64, classes), e: make([]float64, classes),
	}
}

// Classes is the number of classes.
func (m *dual) Classes() int { return m.classes }

// Len is the number of examples.
func (m *dual) Len() int { return len(m.examples) }

// Settings returns the settings that New was given.
func (m *dual) Settings() Settings { return m.settings }

// Has reports whether the model holds an example with the id.
func (m *dual) Has(id int64) bool { _, ok := m.index[id]; return ok }

// Examples calls f with every example, in no order, until f returns false. The caller must
// not write to the example's slices.
func (m *dual) Examples(f func(Example) bool) {
	for _, e := range m.examples {
		if !f(e.Example) {
			return
		}
	}
}

// Duals is Examples with the probabilities that UpsertWarm takes, one for each class. The
// caller must neither write to p nor keep it.
func (m *dual) Duals(f func(e Example, p []float32) bool) {
	for _, r := range m.examples {
		if !f(r.Example, r.p) {
			return
		}
	}
}

// DualNumbers returns how many numbers Duals yields over all examples.
func (m *dual) DualNumbers() int { return len(m.examples) * m.classes }

// Upsert adds an example or replaces the one with its id, and sets its dual variables to
// their optimum given all others. An error names the fault of the example; the model is
// then unchanged.
func (m *dual) Upsert(e Example) error {
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
func (m *dual) UpsertWarm(e Example, p []float32) error {
	if len(p) != m.classes {
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

func (m *dual) insert(e Example) *exampleRow {
	r := &exampleRow{Example: e, p: make([]float32, m.classes), entropy: math.NaN()}
	r.norm2 = m.space.enter(r)
	m.index[e.ID] = len(m.examples)
	m.examples = append(m.examples, r)
	m.dense = max(m.dense, e.X.Parts())
	m.count(e, 1)
	m.changed()
	return r
}

// Remove removes an example and all of its effect, and reports whether it was there.
// Optimize then finds the optimum of the others.
func (m *dual) Remove(id int64) bool {
	at, ok := m.index[id]
	if !ok {
		return false
	}
	r := m.examples[at]
	m.addContribution(r, -1)
	m.space.leave(r)
	m.count(r.Example, -1)
	last := len(m.examples) - 1
	m.examples[at] = m.examples[last]
	m.index[m.examples[at].ID] = at
	m.examples[last] = nil
	m.examples = m.examples[:last]
	delete(m.index, id)
	m.changed()
	if last == 0 || m.space.wasteful() {
		m.rebuild()
	}
	return true
}

// count adds n to the counts of the classes that hold for an example: those with at least half
// of the annotators' shares.
func (m *dual) count(e Example, n int) {
	none := true
	for _, s := range e.Target {
		if s.P >= 0.5 {
			m.classCounts[s.Class] += n
			none = false
		}
	}
	if none {
		m.noLabelCount += n
	}
}

func (m *dual) validate(e Example) error {
	if !(e.Weight > 0) || math.IsInf(e.Weight, 0) {
		return fmt.Errorf("example %d: weight %g must be above 0", e.ID, e.Weight)
	}
	var sum float64
	seen := int32(-1)
	for _, s := range e.Target {
		if s.Class <= seen || int(s.Class) >= m.classes {
			return fmt.Errorf("example %d: target classes must rise and stay below %d, got %d after %d", e.ID, m.classes, s.Class, seen)
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
func (m *dual) addContribution(r *exampleRow, sign float64) {
	c := float32(sign * r.Weight / m.settings.Ridge)
	for y, p := range r.p {
		m.delta[y] = -c * p
	}
	for _, s := range r.Target {
		m.delta[s.Class] += c * s.P
	}
	m.space.add(r, m.delta)
	m.writes++
}

// updateBlock sets the dual variables of one example to their optimum given all others. It
// lengthens the step by the factor relax, from 1 to 1.5, as long as the dual objective
// rises.
func (m *dual) updateBlock(r *exampleRow, relax float64) {
	m.space.margins(r, nil, m.margin)
	t := m.t
	for y, v := range m.margin {
		t[y] = float64(v)
	}
	kappa := r.Weight * r.norm2 / m.settings.Ridge
	// Margins without the example are t - kappa (q - p); the update wants kappa q
	// added to those, so q cancels.
	for y, p := range r.p {
		t[y] += kappa * float64(p)
	}
	m.link.solveBlock(t, kappa, r.p, m.u, m.e)
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
		r.entropy = math.NaN()
		m.space.add(r, m.delta)
		m.writes++
	}
}

// recompute computes the weights anew from the dual variables, in the order of the ids. It
// removes the rounding errors of many small additions.
func (m *dual) recompute() {
	m.space.reset()
	for _, r := range m.sorted() {
		m.addContribution(r, 1)
	}
	m.writes = 0
}

// rebuild is recompute that also drops rows of features that no example has.
func (m *dual) rebuild() {
	m.space.clear()
	m.dense = 0
	for _, r := range m.sorted() {
		m.space.enter(r)
		m.dense = max(m.dense, r.X.Parts())
	}
	m.recompute()
}

func (m *dual) sorted() []*exampleRow {
	rows := slices.Clone(m.examples)
	slices.SortFunc(rows, func(a, b *exampleRow) int { return cmp.Compare(a.ID, b.ID) })
	return rows
}
