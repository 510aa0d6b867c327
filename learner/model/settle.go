package model

import (
	"context"
	"math"
	"math/rand/v2"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// Settled is how far Settle came.
type Settled struct {
	// Bound is the most by which any probability, for any text, can differ from
	// the exact optimum's.
	Bound float64
	// Passes over the examples that were made.
	Passes int
	// Done is true when there is no use in going on: the tolerance is reached, or
	// what is left is rounding.
	Done bool
}

const (
	// maxPasses after a change end Settle in any case, or maxSteps where that is
	// more: few examples that contradict each other under a weak ridge take many.
	maxPasses = 1000
	maxSteps  = 1 << 18
	// maxStale measurements that found the gap hardly smaller end it too: what is
	// left is rounding. Far from there the gap halves much faster.
	maxStale = 20
)

// sweepsBetween two measurements.
const sweepsBetween = 2

// overRelaxed is how far a sweep moves each example, 1 being its optimum given the
// others: as in successive over-relaxation (Young 1954), beyond it there is less left
// to do for the next ones. A third fewer sweeps are made.
const overRelaxed = 1.4

// Settle walks towards the optimum until every probability is within tolerance
// of it or the context is done, whichever is first, and returns how far it
// came. The context's end is not an error: the next call goes on where this one
// stopped, so that many short calls end where a long one does.
func (m *Model) Settle(ctx context.Context, tolerance float64) Settled {
	s := Settled{Bound: m.Bound()}
	for !m.stuck() && s.Bound > tolerance {
		if m.sweeps == 0 {
			if !m.measure(ctx) {
				break
			}
			if s.Bound = m.Bound(); s.Bound > tolerance {
				m.choose(tolerance)
				m.sweeps = sweepsBetween
			}
			continue
		}
		if !m.sweep(ctx) {
			break
		}
		m.sweeps--
		m.passes++
		s.Passes++
	}
	s.Done = s.Bound <= tolerance || m.stuck()
	return s
}

func (m *Model) stuck() bool {
	return m.passes >= max(maxPasses, maxSteps/max(1, len(m.examples))) || m.stale >= maxStale
}

// Bound is the bound that was last measured, +Inf when the examples changed
// since.
func (m *Model) Bound() float64 {
	if len(m.examples) == 0 {
		return 0
	}
	return m.bound
}

// changed voids what was measured and the walk that was under way.
func (m *Model) changed() {
	m.bound = math.Inf(1)
	m.order, m.at, m.gap, m.sweeps, m.passes = m.order[:0], 0, 0, 0, 0
	m.mark, m.stale = 0, 0
}

// ofMean is the share of the mean gap below which an example waits for a later sweep:
// together those hold less than this share of the whole.
const ofMean = 0.1

// choose puts the examples that matter into the order of the coming sweeps:
// those whose share of the gap is not far below what each may keep, nor below what
// they have on average. After one annotation most examples are where they should be,
// and after a few sweeps those that are easy. Measuring looks at all of them again,
// so nothing is missed.
func (m *Model) choose(tolerance float64) {
	if m.writes > 64*len(m.examples)+1024 {
		m.recompute()
	}
	enough := 0.1 * m.gapFor(tolerance)
	// The others may have moved away meanwhile: less and less is left out until there
	// is progress again.
	enough = max(enough, math.Ldexp(ofMean, -m.stale)*m.gap) / float64(len(m.examples))
	m.order = m.order[:0]
	for i, r := range m.examples {
		if r.gap > enough {
			m.order = append(m.order, int32(i))
		}
	}
}

// sweep improves every example in the order once and reports whether it got
// through; if not, the next call goes on. The order is of chance, but the same
// in every run.
func (m *Model) sweep(ctx context.Context) bool {
	if m.at == 0 {
		if over(ctx) {
			return false // before the order is drawn, so that the next call draws the same
		}
		m.pass++
		rng := rand.New(rand.NewPCG(m.pass, 0x686f6e65))
		rng.Shuffle(len(m.order), func(i, j int) { m.order[i], m.order[j] = m.order[j], m.order[i] })
	}
	for ; m.at < len(m.order); m.at++ {
		if m.at > 0 && m.at%4 == 0 && over(ctx) {
			return false
		}
		m.improve(m.examples[m.order[m.at]], overRelaxed)
	}
	m.at = 0
	return true
}

// measure computes the duality gap, and from it the bound: the primal and the
// dual are both ridge-strongly convex in the weights, so ridge |w - w*|^2 <=
// gap; a softmax probability moves at most sqrt(2)/4 times the margins' change.
// It reports whether it got through; if not, the next call goes on.
func (m *Model) measure(ctx context.Context) bool {
	if _, hurried := ctx.Deadline(); !hurried && m.at == 0 && len(m.examples) >= wide {
		if !m.measureWide(ctx) {
			return false
		}
	} else if n := m.gaps(ctx, m.examples[m.at:], m.t, &m.scratch); m.at+n < len(m.examples) {
		m.at += n
		return false
	}
	m.at, m.gap = 0, 0
	for _, r := range m.examples {
		m.gap += r.gap
	}
	m.bound = math.Sqrt(2) / 4 * math.Sqrt(m.settings.radius2(m.dense)*m.gap/m.settings.Ridge)
	if m.bound < 0.95*m.mark || m.mark == 0 {
		m.mark, m.stale = m.bound, 0
	} else {
		m.stale++
	}
	return true
}

// wide is the number of examples from which on a walk that has no deadline, which is
// none of the live models, measures on all cores.
const wide = 1024

func (m *Model) measureWide(ctx context.Context) bool {
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
func (m *Model) gaps(ctx context.Context, rows []*row, p []float64, s *Scratch) int {
	for i, r := range rows {
		if i%4 == 0 && over(ctx) {
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

// over reports whether a context has ended. It looks at the clock itself: on one core
// nobody else may come to do so for ten milliseconds.
func over(ctx context.Context) bool {
	end, ok := ctx.Deadline()
	return ok && !time.Now().Before(end) || ctx.Err() != nil
}
