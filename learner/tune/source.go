package tune

import (
	"context"
	"math"
	"slices"

	"github.com/hone-ml/hone/learner/head"
	"github.com/hone-ml/hone/learner/model"
)

const (
	// withLines and namesAlone are the sources of a prior's mean where lines describe labels, as
	// values of Settings.Lines. A share between them is none: with wrong lines it cancels out
	// what the names say, and looks better than either.
	withLines, namesAlone = 1.0, 0.0
	// sourceErrors is how many standard errors the names must gain over the lines. With one,
	// swapped lines are held on to at 100 labels; with none, good ones are given up by chance at
	// 25 and 50.
	sourceErrors = 0.3
)

// sourceTrusts are the factors of the default trust with each of which a source is tried. The
// default is the last.
var sourceTrusts = [...]float64{0.25, 0.5, 1}

// sourceSteps returns how many losses chooseSource computes.
func sourceSteps(q *head.Spec) int {
	if !q.HasLines() {
		return 0
	}
	return 2 * len(sourceTrusts)
}

// chooseSource returns the defaults with the source of the prior that the examples choose. Each
// source has the trust that is the best for it. Without lines there is one source.
func (s *search) chooseSource(ctx context.Context) (model.Settings, error) {
	lines := Defaults(s.q)
	if !s.q.HasLines() {
		return lines, nil
	}
	lines.Lines = withLines
	names := lines
	names.Lines = namesAlone
	ofLines, err := s.sourceLosses(ctx, lines)
	if err != nil {
		return lines, err
	}
	ofNames, err := s.sourceLosses(ctx, names)
	if err != nil {
		return lines, err
	}
	if gain, standardError := gainOf(ofLines, ofNames); gain > sourceErrors*standardError {
		return names, nil
	}
	return lines, nil
}

// sourceLosses returns the loss of each example with settings and the best of the trusts.
func (s *search) sourceLosses(ctx context.Context, settings model.Settings) (best []float64, err error) {
	least := math.Inf(1)
	for _, factor := range sourceTrusts {
		tried := settings
		tried.Trust = slices.Clone(settings.Trust)
		for i := range tried.Trust {
			tried.Trust[i] *= factor
		}
		losses, err := s.losses(ctx, tried)
		if err != nil {
			return nil, err
		}
		if loss := sum(losses); loss < least {
			best, least = losses, loss
		}
	}
	return best, nil
}

// losses returns the loss of each example, fold by fold, by a model of the other folds.
func (s *search) losses(ctx context.Context, settings model.Settings) ([]float64, error) {
	losses := make([][]float64, len(s.folds))
	err := s.eachFold(ctx, settings, func(f int, m head.Incremental) {
		for i := range s.folds[f].Test {
			l, _ := s.q.Kind.Evaluate(s.folds[f].Spec, m, s.folds[f].Test[i:i+1])
			losses[f] = append(losses[f], l)
		}
	})
	return slices.Concat(losses...), err
}

// gainOf returns by how much the losses after are lower than those before, and the standard error
// of that, from the differences, example by example (as for the one-standard-error rule: Breiman,
// Friedman, Olshen & Stone 1984, section 3.4.3). The standard error has one more difference, of
// the mean loss, as a prior: of a handful of examples it is hardly known.
func gainOf(before, after []float64) (gain, standardError float64) {
	n := float64(len(before))
	mean := sum(before) / n
	var squares float64
	for i, l := range before {
		d := l - after[i]
		gain += d
		squares += d * d
	}
	return gain, math.Sqrt(max(0, squares-gain*gain/n) + mean*mean)
}
