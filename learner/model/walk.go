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
	// maxStagnant measurements that found the gap hardly smaller end it too: what is
	// left is rounding. Far from there the gap halves much faster.
	maxStagnant = 20
	// sweepsBetween two measurements.
	sweepsBetween = 2
)

// ascent is the way of a model to its optimum. It measures how far that is and sweeps
// over examples in turn, and stops and goes on anywhere: many short walks take the
// same steps as a long one, so that results do not depend on how busy the machine is.
type ascent struct {
	order    []int32 // of the sweep under way
	position int     // the place in it, or in the measuring
	sweeps   int     // left until it is measured again
	passes   int     // since the examples changed
	pass     uint64  // of all
	measured bool    // nothing moved since it was measured
	// bestBound is the bound that others are compared with to see whether there is
	// progress, and stale the number of measurements since it was set.
	bestBound float64
	stagnant  int
}

// problem is what walks.
type problem interface {
	Len() int
	Bound() float64
	// measure goes on at the walk's place and reports whether it got through; if
	// so, it says progress.
	measure(ctx context.Context) bool
	// activeSet appends the examples that the coming sweeps improve.
	activeSet(order []int32, tolerance float64) []int32
	// step improves one example.
	step(example int32)
}

// optimize walks until the bound is within tolerance or the context is done, whichever
// is first.
func (w *ascent) optimize(ctx context.Context, m problem, tolerance float64) Settled {
	s := Settled{Bound: m.Bound()}
	for s.Bound > tolerance && !w.exhausted(m.Len()) {
		if w.sweeps == 0 {
			if !w.measured && !m.measure(ctx) {
				break
			}
			if s.Bound = m.Bound(); s.Bound > tolerance {
				w.order = m.activeSet(w.order[:0], tolerance)
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
	s.Done = s.Bound <= tolerance || w.exhausted(m.Len())
	return s
}

func (w *ascent) exhausted(examples int) bool {
	return w.passes >= max(maxPasses, maxSteps/max(1, examples)) || w.stagnant >= maxStagnant
}

// sweep improves every example in the order once and reports whether it got through;
// if not, the next call goes on. The order is of chance, but the same in every run.
func (w *ascent) sweep(ctx context.Context, m problem) bool {
	if w.position == 0 {
		if expired(ctx) {
			return false // before the order is drawn, so that the next call draws the same
		}
		w.measured = false
		w.pass++
		rng := rand.New(rand.NewPCG(w.pass, 0x686f6e65))
		rng.Shuffle(len(w.order), func(i, j int) { w.order[i], w.order[j] = w.order[j], w.order[i] })
	}
	for ; w.position < len(w.order); w.position++ {
		if w.position > 0 && w.position%4 == 0 && expired(ctx) {
			return false
		}
		m.step(w.order[w.position])
	}
	w.position = 0
	return true
}

// recordBound ends a measuring that found bound.
func (w *ascent) recordBound(bound float64) {
	w.position, w.measured = 0, true
	if w.bestBound == 0 || bound < 0.95*w.bestBound {
		w.bestBound, w.stagnant = bound, 0
	} else {
		w.stagnant++
	}
}

// restart voids what was measured and the walk that was under way.
func (w *ascent) restart() { *w = ascent{order: w.order[:0], pass: w.pass} }

// expired reports whether a context has ended. It looks at the clock itself: on one core
// nobody else may come to do so for ten milliseconds.
func expired(ctx context.Context) bool {
	end, ok := ctx.Deadline()
	return ok && !time.Now().Before(end) || ctx.Err() != nil
}
