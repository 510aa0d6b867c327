package model

import (
	"context"
	"math"
	"math/rand/v2"
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

// choose puts the examples that matter into the order of the coming sweeps:
// those whose share of the gap is not far below what each may keep. After one
// annotation most examples are where they should be. Measuring looks at all of
// them again, so nothing is missed.
func (m *Model) choose(tolerance float64) {
	if m.writes > 64*len(m.examples)+1024 {
		m.recompute()
	}
	enough := 0.1 * m.gapFor(tolerance) / float64(len(m.examples))
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
		m.improve(m.examples[m.order[m.at]])
	}
	m.at = 0
	return true
}

// measure computes the duality gap, and from it the bound: the primal and the
// dual are both ridge-strongly convex in the weights, so ridge |w - w*|^2 <=
// gap; a softmax probability moves at most sqrt(2)/4 times the margins' change.
// It reports whether it got through; if not, the next call goes on.
func (m *Model) measure(ctx context.Context) bool {
	for ; m.at < len(m.examples); m.at++ {
		if m.at%4 == 0 && over(ctx) {
			return false
		}
		r := m.examples[m.at]
		m.predict(m.w.expand(r.X))
		m.link.probabilities(m.t, m.t)
		r.gap = r.Weight * m.link.divergence(r.p, m.t)
		m.gap += r.gap
	}
	m.bound = math.Sqrt(2) / 4 * math.Sqrt(m.settings.radius2(m.dense)*m.gap/m.settings.Ridge)
	if m.bound < 0.95*m.mark || m.mark == 0 {
		m.mark, m.stale = m.bound, 0
	} else {
		m.stale++
	}
	m.at, m.gap = 0, 0
	return true
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
