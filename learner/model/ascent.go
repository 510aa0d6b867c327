package model

import (
	"context"
	"math/rand/v2"
	"time"
)

// Progress says how far Optimize came.
type Progress struct {
	// Bound is the most by which any probability, for any text, can differ from that of
	// the exact optimum.
	Bound float64
	// Passes is the number of passes over the examples in this call.
	Passes int
	// Done is true when further calls would not help: the tolerance is reached, or only
	// rounding errors are left.
	Done bool
}

const (
	// maxPasses, or maxSteps where that is more, is how many passes or steps after a
	// change end an optimization in any case. A few examples that contradict each other
	// under a weak ridge take many.
	maxPasses = 1000
	maxSteps  = 1 << 18
	// sweepsBetween is the number of sweeps between two measurements.
	sweepsBetween = 2
)

// ascent is the state of a coordinate ascent on the dual. It alternates between measuring
// the gap and sweeping over examples. It can stop and go on at any step: many short calls
// take the same steps as a long one, so that results do not depend on how busy the machine
// is.
type ascent struct {
	order    []int32 // the active set that is being swept
	position int     // position in order, or in the examples while measuring
	sweeps   int     // left until the next measurement
	passes   int     // since the examples changed
	pass     uint64  // of all
	measured bool    // nothing has changed since the last measurement
	// bestBound is the bound that later ones must clearly improve on, and stagnant the
	// number of measurements since it was set.
	bestBound float64
	stagnant  int
	trend     trend
	rounding  bool // only rounding errors are left
}

// problem is an optimization problem for an ascent.
type problem interface {
	Len() int
	Bound() float64
	// measure goes on at the ascent's position and returns false when the context ended
	// first. After the last example it calls recordBound.
	measure(ctx context.Context) bool
	// activeSet appends the examples that the next sweeps update.
	activeSet(order []int32, tolerance float64) []int32
	// step updates the dual variables of one example.
	step(example int32)
}

// optimize runs the ascent until the bound is within tolerance or the context ends.
func (w *ascent) optimize(ctx context.Context, m problem, tolerance float64) Progress {
	s := Progress{Bound: m.Bound()}
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
	return w.passes >= max(maxPasses, maxSteps/max(1, examples)) || w.rounding
}

// sweep updates every example of the active set once, in a pseudo-random order that is the
// same in every run. It returns false when the context ended first; the next call then goes
// on.
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

// recordBound ends a measurement whose result is bound.
func (w *ascent) recordBound(bound float64) {
	w.position, w.measured = 0, true
	if w.bestBound == 0 || bound < 0.95*w.bestBound {
		w.bestBound, w.stagnant = bound, 0
	} else {
		w.stagnant++
	}
	w.rounding = w.trend.record(bound)
}

// trend tells an ascent that is slow from one that only rounding errors move. Each step
// raises the dual objective, but the gap goes up and down on its way, by half and more. So
// means are compared: of the first firstWindow bounds, of twice as many that follow, of
// twice as many again.
type trend struct {
	n, length    int // bounds in the window, and its length
	sum          float64
	previousMean float64 // of the window before
}

// firstWindow is long enough that even an ascent whose bound falls by a hundredth from one
// measurement to the next has a clearly lower mean in the window after.
const firstWindow = 40

// record adds a bound. It reports whether a window ends here whose mean is not clearly lower
// than that of the window before.
func (t *trend) record(bound float64) bool {
	t.length = max(t.length, firstWindow)
	t.n++
	t.sum += bound
	if t.n < t.length {
		return false
	}
	mean := t.sum / float64(t.n)
	flat := t.previousMean > 0 && mean > 0.95*t.previousMean
	*t = trend{length: 2 * t.length, previousMean: mean}
	return flat
}

// restart drops the last measurement and the ascent under way.
func (w *ascent) restart() { *w = ascent{order: w.order[:0], pass: w.pass} }

// expired reports whether a context has ended. It checks the deadline against the clock
// itself: on one core the timer's goroutine may not run for ten milliseconds.
func expired(ctx context.Context) bool {
	end, ok := ctx.Deadline()
	return ok && !time.Now().Before(end) || ctx.Err() != nil
}
