// Package confseq compares two predictors on the same tasks, one task after the other. What it says holds
// at every look: one may look after each task and stop when one likes.
//
// It is betting (Waudby-Smith & Ramdas, "Estimating means of bounded random variables by betting", JRSS B
// 2024): whoever bets against a mean that is true does not get rich, whenever they stop (Ville's inequality).
// The bets are a mixture over fixed shares of the capital, so that what comes out depends on how often each
// difference was seen and not on the order.
package confseq

import "math"

// Differences counts on how many tasks the first of two predictors was worse than the second, as good,
// and better. The zero value is of no tasks.
type Differences struct {
	Worse  int `json:"worse,omitempty"`
	Same   int `json:"same,omitempty"`
	Better int `json:"better,omitempty"`
}

// Add counts one more task, by what each predictor had right of it.
func (d *Differences) Add(first, second bool) {
	switch {
	case first == second:
		d.Same++
	case first:
		d.Better++
	default:
		d.Worse++
	}
}

// N is the number of tasks.
func (d Differences) N() int { return d.Worse + d.Same + d.Better }

// Mean is the accuracy of the first predictor minus that of the second, 0 of no tasks.
func (d Differences) Mean() float64 {
	if d.N() == 0 {
		return 0
	}
	return float64(d.Better-d.Worse) / float64(d.N())
}

// Interval returns a confidence interval of the difference in accuracy, from -1 to 1. If the difference stays
// the same from task to task, then with a probability of at least 1 - alpha all the intervals of one
// sequence of tasks hold it. alpha is above 0 and below 1.
func (d Differences) Interval(alpha float64) (low, high float64) {
	return d.Low(alpha / 2), d.High(alpha / 2)
}

// Low returns a bound below the difference in accuracy, High one above it. With a probability of at least
// 1 - alpha all lower bounds of one sequence of tasks stay at or below the greatest difference there ever
// was, and all upper ones at or above the least, though the difference may change from task to task.
func (d Differences) Low(alpha float64) float64 { return 2*d.lowestMean(alpha) - 1 }

// High is as Low.
func (d Differences) High(alpha float64) float64 {
	mirrored := Differences{Worse: d.Better, Same: d.Same, Better: d.Worse}
	return 1 - 2*mirrored.lowestMean(alpha)
}

// lowestMean returns the least mean that is not refuted, of values that are 0, a half and 1 for worse, the same
// and better. The capital of who bets that the mean is above m falls with m, so bisection finds it.
func (d Differences) lowestMean(alpha float64) float64 {
	const halvings = 40
	enough := -math.Log(alpha)
	low, high := 0.0, 1.0
	for range halvings {
		m := (low + high) / 2
		if d.logCapital(m) >= enough {
			low = m
		} else {
			high = m
		}
	}
	return low
}

// shares are the parts of the capital that are bet: small ones find small differences, in the end. Each
// has a part of the capital in proportion to itself, of which logWeights are the logarithms: so they are spread
// evenly from 0 to 1. A difference of .2 is found with a quarter fewer tasks than by equal parts, of which
// half would be bet on differences below .05.
var shares, logWeights = func() (out, logs [numShares]float64) {
	s, sum := 0.95, 0.0
	for i := range out {
		out[i] = s
		sum += s
		s *= 0.8
	}
	for i, s := range out {
		logs[i] = math.Log(s / sum)
	}
	return out, logs
}()

const numShares = 28 // down to .002

// logCapital is the logarithm of what a capital of 1 has become by betting on a mean above m: of each share
// s of it the factor is 1 - s + s x/m after a value x.
func (d Differences) logCapital(m float64) float64 {
	var logs [numShares]float64
	most := math.Inf(-1)
	for i, s := range shares {
		logs[i] = logWeights[i] + float64(d.Worse)*math.Log1p(-s) + float64(d.Same)*math.Log(1-s+s/(2*m)) + float64(d.Better)*math.Log(1-s+s/m)
		most = max(most, logs[i])
	}
	sum := 0.0
	for _, l := range logs {
		sum += math.Exp(l - most)
	}
	return most + math.Log(sum)
}
