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
		return 1
	}
	return 2 * len(sourceTrusts)
}

// chooseSource returns the defaults with the source of the prior that the examples choose, and
// the losses with them. Each source has the trust that is the best for it. Without lines there is
// one source.
func (s *search) chooseSource(ctx context.Context) (model.Settings, []float64, error) {
	lines := Defaults(s.q)
	if !s.q.HasLines() {
		losses, err := s.losses(ctx, lines)
		return lines, losses, err
	}
	lines.Lines = withLines
	names := lines
	names.Lines = namesAlone
	atLines, bestOfLines, err := s.sourceLosses(ctx, lines)
	if err != nil {
		return lines, nil, err
	}
	atNames, bestOfNames, err := s.sourceLosses(ctx, names)
	if err != nil {
		return lines, nil, err
	}
	gain := sum(bestOfLines) - sum(bestOfNames)
	standardError := gain - oneSEGain(bestOfLines, bestOfNames)
	if gain > sourceErrors*standardError {
		return names, atNames, nil
	}
	return lines, atLines, nil
}

// sourceLosses returns the losses with settings, and those with the best of the trusts.
func (s *search) sourceLosses(ctx context.Context, settings model.Settings) (whole, best []float64, err error) {
	least := math.Inf(1)
	for _, factor := range sourceTrusts {
		tried := settings
		tried.Trust = slices.Clone(settings.Trust)
		for i := range tried.Trust {
			tried.Trust[i] *= factor
		}
		if whole, err = s.losses(ctx, tried); err != nil {
			return nil, nil, err
		}
		if loss := sum(whole); loss < least {
			best, least = whole, loss
		}
	}
	return whole, best, nil
}
