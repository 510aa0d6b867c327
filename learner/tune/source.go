package tune

import (
	"context"
	"math"
	"slices"

	"github.com/hone-ml/hone/learner/head"
	"github.com/hone-ml/hone/learner/model"
)

// lineShares are the sources of a prior's mean where lines describe labels, as values of
// Settings.Lines: the names alone, or the lines with the names. A share between them is none: with
// wrong lines it cancels out what the names say, and looks better than either.
var lineShares = [...]float64{0, 1}

// sourceTrusts are the factors of the default trust with each of which a source is tried. The
// default is the last.
var sourceTrusts = [...]float64{0.25, 0.5, 1}

// sourceSteps returns how many losses chooseSource computes.
func sourceSteps(q *head.Spec) int {
	if !q.HasLines() {
		return 1
	}
	return len(lineShares) * len(sourceTrusts)
}

// chooseSource returns the defaults with the source of the prior whose loss is the lowest, each
// at the best trust in it, and the losses of these defaults. Any gain decides, not only one above
// its standard error: wrong lines cost more than to do without good ones. Without lines there is
// one source.
func (s *search) chooseSource(ctx context.Context) (best model.Settings, losses []float64, err error) {
	best = Defaults(s.q)
	if !s.q.HasLines() {
		losses, err = s.losses(ctx, best)
		return best, losses, err
	}
	least := math.Inf(1)
	for _, share := range lineShares {
		source := Defaults(s.q)
		source.Lines = share
		lowest := math.Inf(1)
		var atDefault []float64
		for _, factor := range sourceTrusts {
			tried := source
			tried.Trust = slices.Clone(source.Trust)
			for i := range tried.Trust {
				tried.Trust[i] *= factor
			}
			if atDefault, err = s.losses(ctx, tried); err != nil {
				return best, nil, err
			}
			lowest = min(lowest, sum(atDefault))
		}
		if lowest < least {
			best, losses, least = source, atDefault, lowest
		}
	}
	return best, losses, nil
}
