package model

import (
	"context"
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
	// maxPasses after a change end a walk in any case, or maxSteps where that is
	// more: few examples that contradict each other under a weak ridge take many.
	maxPasses = 1000
	maxSteps  = 1 << 18
	// maxStale measurements that found the gap hardly smaller end it too: what is
	// left is rounding. Far from there the gap halves much faster.
	maxStale = 20
	// sweepsBetween two measurements.
	sweepsBetween = 2
)

// walk is the way of a model to its optimum. It measures how far that is and sweeps
// over examples in turn, and stops and goes on anywhere: many short walks take the
// same steps as a long one, so that results do not depend on how busy the machine is.
type walk struct {
	order  []int32 // of the sweep under way
	at     int     // the place in it, or in the measuring
	sweeps int     // left until it is measured again
	passes int     // since the examples changed
	pass   uint64  // of all
	fresh  bool    // nothing moved since it was measured
	// mark is the bound that others are compared with to see whether there is
	// progress, and stale the number of measurements since it was set.
	mark  float64
	stale int
}

// walker is what walks.
type walker interface {
	Len() int
	Bound() float64
	// measure goes on at the walk's place and reports whether it got through; if
	// so, it says progress.
	measure(ctx context.Context) bool
	// choose appends the examples that the coming sweeps improve.
	choose(order []int32, tolerance float64) []int32
	// step improves one example.
	step(example int32)
}

// settle walks until the bound is within tolerance or the context is done, whichever
// is first.
func (w *walk) settle(ctx context.Context, m walker, tolerance float64) Settled {
	s := Settled{Bound: m.Bound()}
	for s.Bound > tolerance && !w.stuck(m.Len()) {
		if w.sweeps == 0 {
			if !w.fresh && !m.measure(ctx) {
				break
			}
			if s.Bound = m.Bound(); s.Bound > tolerance {
				w.order = m.choose(w.order[:0], tolerance)
				w.sweeps = sweepsBetween
			}
			continue
		}
		if !w.sweep(ctx, m) {
			break
		}
		w.sweeps--
		w.passes++
		s.Passes++
	}
	s.Done = s.Bound <= tolerance || w.stuck(m.Len())
	return s
}

func (w *walk) stuck(examples int) bool {
	return w.passes >= max(maxPasses, maxSteps/max(1, examples)) || w.stale >= maxStale
}

// sweep improves every example in the order once and reports whether it got through;
// if not, the next call goes on. The order is of chance, but the same in every run.
func (w *walk) sweep(ctx context.Context, m walker) bool {
	if w.at == 0 {
		if over(ctx) {
			return false // before the order is drawn, so that the next call draws the same
		}
		w.fresh = false
		w.pass++
		rng := rand.New(rand.NewPCG(w.pass, 0x686f6e65))
		rng.Shuffle(len(w.order), func(i, j int) { w.order[i], w.order[j] = w.order[j], w.order[i] })
	}
	for ; w.at < len(w.order); w.at++ {
		if w.at > 0 && w.at%4 == 0 && over(ctx) {
			return false
		}
		m.step(w.order[w.at])
	}
	w.at = 0
	return true
}

// progress ends a measuring that found bound.
func (w *walk) progress(bound float64) {
	w.at, w.fresh = 0, true
	if w.mark == 0 || bound < 0.95*w.mark {
		w.mark, w.stale = bound, 0
	} else {
		w.stale++
	}
}

// restart voids what was measured and the walk that was under way.
func (w *walk) restart() { *w = walk{order: w.order[:0], pass: w.pass} }

// over reports whether a context has ended. It looks at the clock itself: on one core
// nobody else may come to do so for ten milliseconds.
func over(ctx context.Context) bool {
	end, ok := ctx.Deadline()
	return ok && !time.Now().Before(end) || ctx.Err() != nil
}
