package model

import (
	"context"
	"math"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
)

// relaxation is how far a sweep moves each example, 1 being its optimum given the
// others: as in successive over-relaxation (Young 1954), beyond it there is less left
// to do for the next ones. A third fewer sweeps are made.
const relaxation = 1.4

// Settle walks towards the optimum until every probability is within tolerance
// of it or the context is done, whichever is first, and returns how far it
// came. The context's end is not an error: the next call goes on where this one
// stopped, so that many short calls end where a long one does.
func (m *Model) Settle(ctx context.Context, tolerance float64) Settled {
	return m.optimize(ctx, m, tolerance)
}

// Bound is the bound that was last measured, +Inf when the examples changed
// since.
func (m *Model) Bound() float64 {
	if len(m.examples) == 0 {
		return 0
	}
	return m.bound
}

func (m *Model) changed() {
	m.restart()
	m.bound = math.Inf(1)
}

// activeShare is the share of the mean gap below which an example waits for a later sweep:
// together those hold less than this share of the whole.
const activeShare = 0.1

// activeSet takes the examples that matter: those whose share of the gap is not far
// below what each may keep, nor below what they have on average. After one annotation
// most examples are where they should be, and after a few sweeps those that are easy.
// Measuring looks at all of them again, so nothing is missed.
func (m *Model) activeSet(order []int32, tolerance float64) []int32 {
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

func (m *Model) step(i int32) { m.updateBlock(m.examples[i], relaxation) }

// measure computes the duality gap, and from it the bound: the primal and the
// dual are both ridge-strongly convex in the weights, so ridge |w - w*|^2 <=
// gap; a softmax probability moves at most sqrt(2)/4 times the margins' change.
// It reports whether it got through; if not, the next call goes on.
func (m *Model) measure(ctx context.Context) bool {
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
	m.bound = math.Sqrt(2) / 4 * math.Sqrt(m.settings.radius2(m.dense)*m.gap/m.settings.Ridge)
	m.recordBound(m.bound)
	return true
}

// parallelFrom is the number of examples from which on a walk that has no deadline, which is
// none of the live models, measures on all cores.
const parallelFrom = 1024

func (m *Model) measureParallel(ctx context.Context) bool {
	cores := runtime.GOMAXPROCS(0)
	var g sync.WaitGroup
	var through atomic.Int64
	for part := range slices.Chunk(m.examples, (len(m.examples)+cores-1)/cores) {
		g.Go(func() {
			var s Scratch
			through.Add(int64(m.gaps(ctx, part, make([]float64, m.w.classes), &s)))
		})
	}
	g.Wait()
	return through.Load() == int64(len(m.examples))
}

// gaps measures examples until the context ends and returns how many. It writes to
// nothing but them, p and s.
func (m *Model) gaps(ctx context.Context, rows []*exampleRow, p []float64, s *Scratch) int {
	for i, r := range rows {
		if i%4 == 0 && expired(ctx) {
			return i
		}
		m.Predict(r.X, p, s)
		r.gap = r.Weight * m.link.divergence(r.p, p)
	}
	return len(rows)
}

// gapFor is the duality gap at which the bound is tolerance.
func (m *Model) gapFor(tolerance float64) float64 {
	return 8 * tolerance * tolerance * m.settings.Ridge / m.settings.radius2(m.dense)
}
