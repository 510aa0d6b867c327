package tune

import (
	"context"
	"maps"
	"math"
	"slices"

	"github.com/hone-ml/hone/learner/head"
	"github.com/hone-ml/hone/learner/model"
)

const (
	// confidenceFolds is the number of folds in which the power is found, where their models are cheap. The model
	// has a fifth more examples than those of five folds, which makes it right, and sure, more often:
	// with about as many examples as classes that is as much as there is to find.
	confidenceFolds = 20
	// confidencePenalty is the loss of a power of 2 or a half, before there are examples.
	confidencePenalty = 1
)

// confidencePowers are the powers of which one is found: the tries of a search are too far apart for it.
var confidencePowers = func() (out []float64) {
	for i := -12; i <= 12; i++ {
		out = append(out, math.Exp2(float64(i)/8))
	}
	return out
}()

// finer returns a search over more folds of the same examples, in the same kernels. Without kernels it
// returns s.
func (s *search) finer(examples []model.Example) *search {
	if s.kernels[0] == nil {
		return s
	}
	f := newSearch(s.q, CrossValidate(s.q, examples, confidenceFolds), s.cores, s.onStep)
	for i := range f.kernels {
		f.kernels[i] = s.kernels[0] // which has all examples
	}
	return f
}

// power returns the power of the probabilities with which a model with the settings is as sure of its answers as
// they are right, 0 of a kind that predicts no probabilities: the mean over the powers, weighed as average
// does.
func (s *search) power(ctx context.Context, at model.Settings) (float64, error) {
	kind, ok := s.q.Kind.(head.Probable)
	if !ok {
		return 0, nil
	}
	weights := s.weighKnown()
	losses, err := s.lossesByPower(ctx, at, confidencePowers, confidencePenalty, func(fold int, m head.Incremental) []float64 {
		f := s.folds[fold]
		return kind.ConfidenceLosses(f.Spec, m, f.Test, weights[fold], confidencePowers)
	})
	if err != nil {
		return 0, err
	}
	d := dimension{values: confidencePowers, geometric: true}
	return d.mean(likelihoods(losses)), nil
}

// weighKnown returns weights of the examples of each fold's Test, with which those of a class that Train has
// are as large a part of all as they will be of the tasks to come. Of 50 examples that part is a matter of luck, and it decides
// how often a model is right that has seen half of the classes (post-stratification; Holt &
// Smith 1979). Where several classes may hold all weights are 1.
func (s *search) weighKnown() [][]float64 {
	counts := map[int32]float64{}
	known, all := make([][]bool, len(s.folds)), 0.0
	for i, f := range s.folds {
		trained := map[int32]bool{}
		for _, e := range f.Train {
			trained[e.Majority()] = true
		}
		known[i] = make([]bool, len(f.Test))
		for j, e := range f.Test {
			counts[e.Majority()]++
			if known[i][j] = trained[e.Majority()] || s.q.Control.Multiple; known[i][j] {
				all++
			}
		}
	}
	n := float64(s.n)
	expected := n * expectedKnown(counts, len(s.q.Labels))
	weights := make([][]float64, len(s.folds))
	for i := range known {
		weights[i] = make([]float64, len(known[i]))
		for j, k := range known[i] {
			switch {
			case all == 0 || all == n: // there is nothing to weigh the others by
				weights[i][j] = 1
			case k:
				weights[i][j] = expected / all
			default:
				weights[i][j] = (n - expected) / (n - all)
			}
		}
	}
	return weights
}

// expectedKnown returns the expected part of the next examples whose class is among those counted, of a
// number of classes: as a Pitman-Yor process predicts it, averaged over its two parameters by the
// likelihood of the counts (Pitman 1995, "Exchangeable and partially exchangeable random partitions"). With a
// negative discount that is a symmetric Dirichlet distribution: classes that are about equally frequent.
func expectedKnown(counts map[int32]float64, classes int) float64 {
	if len(counts) >= classes {
		return 1
	}
	sorted := slices.Sorted(maps.Values(counts)) // so that sums are the same each time
	n, seen := sum(sorted), float64(len(sorted))
	var losses, known []float64
	try := func(concentration, discount float64) {
		loss := logGamma(concentration+n) - logGamma(concentration+1)
		for i, c := range sorted {
			loss -= logGamma(c-discount) - logGamma(1-discount)
			if i > 0 {
				loss -= math.Log(concentration + float64(i)*discount)
			}
		}
		losses, known = append(losses, loss), append(known, 1-(concentration+seen*discount)/(concentration+n))
	}
	for a := 1.0 / 64; a <= 64; a *= 2 {
		try(a*float64(classes), -a)
		for _, discount := range [...]float64{0, 0.25, 0.5, 0.75} {
			try(a, discount)
		}
	}
	var mean, total float64
	for i, w := range likelihoods(losses) {
		mean += w * known[i]
		total += w
	}
	return mean / total
}

func logGamma(x float64) float64 {
	v, _ := math.Lgamma(x)
	return v
}
