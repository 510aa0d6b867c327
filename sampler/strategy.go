package sampler

import (
	"fmt"
	"math"
	"strings"

	"github.com/hone-ml/hone/event"
)

// ScoreFunc says how sure one head is of one task: 0 is as unsure as can be, 1
// is certain. ok is false when the distribution says nothing: no labels, a
// single exclusive one, or numbers that are no probabilities. It keeps no state
// and may be called concurrently.
type ScoreFunc func(d event.Distribution) (score float64, ok bool)

// Names of the strategies, in the order they are listed to people.
const (
	Random          = "random"
	LeastConfidence = "least_confidence"
	Margin          = "margin"
	Entropy         = "entropy"
)

// randomScore is what the strategy that does not look at the model gives to all.
const randomScore = 0.5

// Strategy returns the strategy of that name; the error lists the names.
//
// The three measures are those of Settles, "Active Learning Literature Survey"
// (2009), section 3.1; margin is from Scheffer, Decomain & Wrobel, "Active
// Hidden Markov Models for Information Extraction" (2001). Each is scaled so
// that 0 is the uniform distribution and 1 a certain one, which makes heads with
// different numbers of labels comparable.
//
// A head with several labels at once is one yes-or-no question per label:
// least_confidence uses the probability of the likeliest set of labels, per
// label (a geometric mean); margin the narrowest of the labels' margins
// (Brinker, "On Active Learning in Multi-label Classification", 2006); entropy
// the mean of the labels' entropies, which is the entropy of the set per label
// when labels are independent.
func Strategy(name string) (ScoreFunc, error) {
	switch name {
	case Random:
		// The same score for all: ties are broken by a hash of the task's id.
		return func(event.Distribution) (float64, bool) { return randomScore, true }, nil
	case LeastConfidence:
		return leastConfidence, nil
	case Margin:
		return margin, nil
	case Entropy:
		return entropy, nil
	}
	return nil, fmt.Errorf("unknown sampling strategy %q; use one of %s", name, strings.Join(Strategies(), ", "))
}

// Strategies lists the names that Strategy knows.
func Strategies() []string { return []string{Margin, LeastConfidence, Entropy, Random} }

// combine is the score of a task with several heads: that of the head that is
// least sure, since one answer of a person teaches all heads at once.
func combine(f ScoreFunc, dists []event.Distribution) (score float64, ok bool) {
	score = 1
	for _, d := range dists {
		if s, good := f(d); good {
			score, ok = min(score, s), true
		}
	}
	return score, ok
}

func leastConfidence(d event.Distribution) (float64, bool) {
	n := float64(len(d.P))
	if d.Exclusive {
		sum, ok := total(d)
		if !ok {
			return 0, false
		}
		top := 0.0
		for _, p := range d.P {
			top = max(top, p/sum)
		}
		return clamp((top - 1/n) / (1 - 1/n)), true
	}
	if !eachProbable(d) {
		return 0, false
	}
	logs := 0.0
	for _, p := range d.P {
		logs += math.Log(max(p, 1-p))
	}
	return clamp(2*math.Exp(logs/n) - 1), true
}

func margin(d event.Distribution) (float64, bool) {
	if d.Exclusive {
		sum, ok := total(d)
		if !ok {
			return 0, false
		}
		first, second := 0.0, 0.0
		for _, p := range d.P {
			if p = p / sum; p > first {
				first, second = p, first
			} else if p > second {
				second = p
			}
		}
		return clamp(first - second), true
	}
	if !eachProbable(d) {
		return 0, false
	}
	narrow := 1.0
	for _, p := range d.P {
		narrow = min(narrow, math.Abs(2*p-1))
	}
	return clamp(narrow), true
}

func entropy(d event.Distribution) (float64, bool) {
	if d.Exclusive {
		sum, ok := total(d)
		if !ok {
			return 0, false
		}
		h := 0.0
		for _, p := range d.P {
			h += surprise(p / sum)
		}
		return clamp(1 - h/math.Log(float64(len(d.P)))), true
	}
	if !eachProbable(d) {
		return 0, false
	}
	h := 0.0
	for _, p := range d.P {
		h += surprise(p) + surprise(1-p)
	}
	return clamp(1 - h/(float64(len(d.P))*math.Ln2)), true
}

func surprise(p float64) float64 {
	if p <= 0 {
		return 0
	}
	return -p * math.Log(p)
}

// total is the sum of an exclusive head's numbers, which rounding keeps from
// being 1. ok is false when they are no distribution over at least two labels.
func total(d event.Distribution) (sum float64, ok bool) {
	for _, p := range d.P {
		if !(p >= 0) {
			return 0, false
		}
		sum += p
	}
	return sum, len(d.P) > 1 && sum > 0 && !math.IsInf(sum, 0)
}

func eachProbable(d event.Distribution) bool {
	for _, p := range d.P {
		if !(p >= 0 && p <= 1) {
			return false
		}
	}
	return len(d.P) > 0
}

func clamp(x float64) float64 { return max(0, min(1, x)) }
