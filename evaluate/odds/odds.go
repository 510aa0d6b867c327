package odds

import (
	"math"

	"gonum.org/v1/gonum/stat/distuv"
)

// Step is one draw, as the estimate of a mean sees it. Each task has a value from 0 to 1 and, as of the draw,
// a guess of it. All but Value and Known is fixed before the draw. Known may be counted later: it is of tasks
// that were drawn earlier, or labelled otherwise, before the draw.
type Step struct {
	// Q is the probability with which the task was drawn, above 0.
	Q float64
	// Value and Guess are those of the task that was drawn.
	Value, Guess float64
	// Known is the sum of the values of all tasks that could not be drawn any more, and Rest the sum
	// of the guesses of all that could, the drawn one included. Left is how many could be drawn, and Size
	// how many tasks there are.
	Known, Rest float64
	Left, Size  int
	// Foreseen is the variance of Value/Q - Guess/Q that the guesses foresee, above 0.
	Foreseen float64
}

// Mean is what the draw alone says of the mean of the values of all tasks: given what was before the draw it is right in
// expectation, whatever the guesses. It may lie outside of 0 and 1.
func (s Step) Mean() float64 {
	return (s.Known + s.Rest + (s.Value-s.Guess)/s.Q) / float64(s.Size)
}

// variance is what is foreseen of the variance of Mean.
func (s Step) variance() float64 {
	return s.Foreseen / float64(s.Size) / float64(s.Size)
}

// tempered is the part of a guess that is replaced by the mean guess when a variance is foreseen: guesses
// of models that know few labels are too sure.
const tempered = 0.1

// Foresee returns Step.Foreseen for values that are 0 or 1, from the probabilities with which tasks are drawn, 0 of
// one that cannot be, and the guesses, 0 to 1. It is above 0.
func Foresee(q, guess []float64) float64 {
	sum, n := 0.0, 0.0
	for i, p := range q {
		if p > 0 {
			sum += guess[i]
			n++
		}
	}
	mean := (sum + 0.5) / (n + 1)
	variance := 0.0
	for i, p := range q {
		if p > 0 {
			g := (1-tempered)*guess[i] + tempered*mean
			variance += g * (1 - g) / p
		}
	}
	return math.Max(variance, math.SmallestNonzeroFloat32)
}

// Interval is an estimate of a mean over tasks with the bounds of its 95 % confidence interval.
type Interval struct {
	Estimate float64 `json:"estimate"`
	Low      float64 `json:"low"`
	High     float64 `json:"high"`
}

// Width is High less Low.
func (i Interval) Width() float64 { return i.High - i.Low }

// Holds reports whether a mean is in the interval, but for rounding.
func (i Interval) Holds(mean float64) bool {
	const rounding = 1e-9
	return i.Low-rounding <= mean && mean <= i.High+rounding
}

// prior is how many draws the variance that the guesses foresee weighs as much as. Few draws say little
// of theirs, above all of a rare label, which they may not have met.
const prior = 10

// Estimate estimates the mean of the values of tasks, so many, from draws, in the order in which they were drawn.
// It is false without any. Where the draws were from a sample of the tasks that was drawn at random, Step.Size is that of the
// sample, and what the sample may be off by is part of the interval.
//
// What each draw says is averaged, weighted by the inverse of the variance that was foreseen before it, so that a
// draw does not choose its own weight: the error is a martingale. Its variance is the larger one of two: the sum of the squares
// that were seen (Hall & Heyde 1980, "Martingale limit theory"), and what was foreseen, times by how much the squares that were seen are above it, as
// in a quasi-likelihood (Wedderburn 1974), which is shrunk to 1. The interval is that of Student's distribution, and leaves out what the
// values that are known contradict. How often it holds the mean is not guaranteed but measured.
func Estimate(tasks int, steps []Step) (Interval, bool) {
	if len(steps) == 0 {
		return Interval{}, false
	}
	n := float64(len(steps))
	weights, sum := 0.0, 0.0
	for _, s := range steps {
		w := 1 / s.variance()
		weights += w
		sum += w * s.Mean()
	}
	estimate := sum / weights
	seen, excess := 0.0, float64(prior)
	for _, s := range steps {
		square := (s.Mean() - estimate) * (s.Mean() - estimate)
		w := 1 / s.variance() / weights
		seen += w * w * square
		excess += square / s.variance()
	}
	variance := excess / (prior + n - 1) / weights
	if n > 1 {
		variance = max(variance, seen*n/(n-1))
	}
	if size := float64(steps[0].Size); steps[0].Size < tasks {
		share := (min(max(estimate, 0), 1)*size + 1) / (size + 2)
		variance += share * (1 - share) / size * (1 - size/float64(tasks))
	}
	half := distuv.StudentsT{Sigma: 1, Nu: n - 1 + prior}.Quantile(1-level/2) * math.Sqrt(variance)
	least, most := steps[len(steps)-1].bounds(tasks)
	estimate = min(max(estimate, least), most)
	return Interval{Estimate: estimate, Low: min(max(estimate-half, least), most), High: max(min(estimate+half, most), least)}, true
}

// level is the probability with which an interval misses the mean.
const level = 0.05

// bounds returns between what the mean of the values of all tasks must be, by those that are known after the step.
func (s Step) bounds(tasks int) (least, most float64) {
	known, wrong, all := s.Known+s.Value, float64(s.Size-s.Left+1)-s.Known-s.Value, float64(tasks)
	return min(max(known/all, 0), 1), min(max(1-wrong/all, 0), 1)
}

// RandomWidth is how wide Wilson's 95 % interval (1927) of a share is, about what is expected when so many of the tasks
// are drawn at random, all equally likely, and nothing is guessed. The labels count as more than they are by
// as much as they leave fewer tasks (finite population correction).
func RandomWidth(share float64, labels, tasks int) float64 {
	if labels >= tasks {
		return 0
	}
	z := distuv.UnitNormal.Quantile(1 - level/2)
	n := float64(labels) * float64(tasks-1) / float64(tasks-labels)
	return 2 * z / (1 + z*z/n) * math.Sqrt(share*(1-share)/n+z*z/(4*n*n))
}
