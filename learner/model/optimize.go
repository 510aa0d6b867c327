package model

import (
	"context"
	"math"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
)

// relaxation is the factor by which a sweep lengthens each example's step; 1 leads to its
// optimum given the others. A longer step leaves less to do for the examples that follow, as
// in successive over-relaxation (Young 1954), and saves a third of the sweeps.
const relaxation = 1.4

// Optimize optimizes until every probability is within tolerance of that of the optimum, or
// until the context ends, and returns how far it came. The end of the context is not an
// error: the next call goes on where this one stopped, so that many short calls take the
// same steps as a long one.
func (m *dual) Optimize(ctx context.Context, tolerance float64) Progress {
	return m.optimize(ctx, m, tolerance)
}

// Bound returns the bound of the last measurement, +Inf when the examples have changed
// since.
func (m *dual) Bound() float64 {
	if len(m.examples) == 0 {
		return 0
	}
	return m.bound
}

func (m *dual) changed() {
	m.restart()
	m.bound = math.Inf(1)
}

// activeShare is the share of the mean gap below which an example waits for a later sweep.
// All waiting examples together hold less than this share of the whole gap.
const activeShare = 0.1

// activeSet appends the examples that the next sweeps update: those whose share of the gap
// is not far below the tolerance for each, nor below the average share. After one annotation
// most examples are at their optimum, and after a few sweeps the easy ones are. Each
// measurement looks at all examples, so that none is missed.
func (m *dual) activeSet(order []int32, tolerance float64) []int32 {
	if m.writes > 64*len(m.examples)+1024 {
		m.recompute()
	}
	enough := 0.1 * m.gapFor(tolerance)
	// The others may have moved away meanwhile: less and less is left out until there
	// is progress again.
	enough = max(enough, math.Ldexp(activeShare, -m.stagnant)*m.gap) / float64(len(m.examples))
	for i, r := range m.examples {
		if r.gap > enough {
			order = append(order, int32(i))
		}
	}
	return order
}

func (m *dual) step(i int32) { m.updateBlock(m.examples[i], relaxation) }

// measure computes the duality gap, and from it the bound: the primal and the dual are both
// ridge-strongly convex in the weights, so ridge |w - w*|^2 <= gap; a softmax probability
// changes by at most sqrt(2)/4 times the change of the margins. It returns false when the
// context ended first; the next call then goes on.
func (m *dual) measure(ctx context.Context) bool {
	if _, hurried := ctx.Deadline(); !hurried && m.position == 0 && len(m.examples) >= parallelFrom {
		if !m.measureParallel(ctx) {
			return false
		}
	} else if n := m.gaps(ctx, m.examples[m.position:], m.t, &m.scratch); m.position+n < len(m.examples) {
		m.position += n
		return false
	}
	m.gap = 0
	for _, r := range m.examples {
		m.gap += r.gap
	}
	m.bound = m.settings.power() * math.Sqrt(2) / 4 * math.Sqrt(m.settings.radius2(m.dense)*m.gap/m.settings.Ridge)
	m.recordBound(m.bound)
	return true
}

// parallelFrom is the number of examples from which on an optimization without a deadline
// measures on all cores. Live models always have a deadline.
const parallelFrom = 1024

func (m *dual) measureParallel(ctx context.Context) bool {
	cores := runtime.GOMAXPROCS(0)
	var g sync.WaitGroup
	var through atomic.Int64
	for part := range slices.Chunk(m.examples, (len(m.examples)+cores-1)/cores) {
		g.Go(func() {
			var s Scratch
			through.Add(int64(m.gaps(ctx, part, make([]float64, m.classes), &s)))
		})
	}
	g.Wait()
	return through.Load() == int64(len(m.examples))
}

// gaps measures examples until the context ends and returns how many it measured. It writes
// only to them, to p and to s.
func (m *dual) gaps(ctx context.Context, rows []*exampleRow, p []float64, s *Scratch) int {
	for i, r := range rows {
		if i%4 == 0 && expired(ctx) {
			return i
		}
		margins := s.floats(m.classes)
		m.space.margins(r, s, margins)
		if m.link == Exclusive {
			if math.IsNaN(r.entropy) {
				r.entropy = negativeEntropy(r.p)
			}
			r.gap = r.Weight * exclusiveDivergence(r.entropy, r.p, margins)
			continue
		}
		for y, v := range margins {
			p[y] = float64(v)
		}
		m.link.probabilities(p, p)
		r.gap = r.Weight * m.link.divergence(r.p, p)
	}
	return len(rows)
}

// gapFor returns the duality gap at which the bound equals tolerance.
func (m *dual) gapFor(tolerance float64) float64 {
	tolerance /= m.settings.power()
	return 8 * tolerance * tolerance * m.settings.Ridge / m.settings.radius2(m.dense)
}
