// Package strategy holds the score functions of active learning: how sure a model
// is of a task, from what its heads estimate. Each strategy is a type in a file of its
// own.
package strategy

import (
	"fmt"
	"strings"

	"github.com/hone-ml/hone/event"
)

// Strategy scores what one head estimates of one task. An implementation keeps no
// state: it may be called concurrently, and equal estimates have equal scores.
type Strategy interface {
	// Score is 0 for a head that is as unsure as can be and 1 for a certain one. It reads
	// the classes, or the certainty of a head that has none. ok is false when the
	// estimate says nothing: no labels, a single exclusive one, numbers that are no
	// probabilities, or a certainty that is not within 0 and 1. Score does not change e.
	Score(e event.Estimate) (score float64, ok bool)
}

// Names of the strategies, as settings and results have them.
const (
	NameMargin          = "margin"
	NameLeastConfidence = "least_confidence"
	NameEntropy         = "entropy"
	NameRandom          = "random"
	NameCoverage        = "coverage"
	NameMarginKMeans    = "margin_kmeans"
	NameBadge           = "badge"
	NameTypiclust       = "typiclust"
	NameClassBalanced   = "class_balanced"
)

// strategies is the only list of what can be named, in the order in which people are
// told of it.
//
// The three measures are those of Settles, "Active Learning Literature Survey"
// (2009), section 3.1. Each is scaled so that 0 is the uniform distribution and 1 a
// certain one, which makes heads with different numbers of labels comparable. A head
// with several labels at once is one yes-or-no question a label, and one whose labels are the
// levels of a scale one question a step, whether the answer is above it (Frank & Hall 2001, "A
// simple approach to ordinal classification"): its answer is the median, which no two levels
// far apart make doubtful, however likely both are.
//
// Heads without classes have a certainty. That of a Number is the probability that its answer is
// near enough, which falls with the variance of the prediction (Cohn, Ghahramani & Jordan 1996,
// "Active learning with statistical models"). That of spans is the mean margin of the tokens,
// each weighted by the probability that it is in a span: token-wise uncertainty (Settles &
// Craven 2008, "An analysis of active learning strategies for sequence labeling tasks"), by
// margins (Scheffer et al. 2001), and not summed, which would ask for the longest texts. A
// Pairwise is a question of two labels, a Taxonomy one of its paths.
var strategies = []named{
	{NameMargin, Margin{}},
	{NameLeastConfidence, LeastConfidence{}},
	{NameEntropy, Entropy{}},
	{NameCoverage, Coverage{}},
	{NameMarginKMeans, MarginKMeans{}},
	{NameBadge, Badge{}},
	{NameTypiclust, Typiclust{}},
	{NameClassBalanced, ClassBalanced{}},
	{NameRandom, Random{}},
}

type named struct {
	name     string
	strategy Strategy
}

// Named returns the strategy of that name; the error lists the names.
func Named(name string) (Strategy, error) {
	for _, s := range strategies {
		if s.name == name {
			return s.strategy, nil
		}
	}
	return nil, fmt.Errorf("unknown sampling strategy %q; use one of %s", name, strings.Join(Names(), ", "))
}

// Names lists the names that Named knows, in the order they are listed to people.
func Names() []string {
	names := make([]string, len(strategies))
	for i, s := range strategies {
		names[i] = s.name
	}
	return names
}

// Combine is the score of a task with several heads: that of the head that is least sure. One
// answer of a person teaches all heads at once (multi-task selection; Reichart, Tomanek, Hahn &
// Rappoport 2008, "Multi-task active learning for linguistic annotations"; their rank combination
// needs the ranks of the whole pool, and a head that nobody sees on a task would have none). ok
// is false, and the score 1, when no estimate says anything.
func Combine(s Strategy, estimates []event.Estimate) (score float64, ok bool) {
	score = 1
	for _, e := range estimates {
		if x, scored := s.Score(e); scored {
			score, ok = min(score, x), true
		}
	}
	return score, ok
}
