package tune

import (
	"cmp"
	"context"
	"math"
	"slices"

	"github.com/hone-ml/hone/event"
	"github.com/hone-ml/hone/learner/head"
	"github.com/hone-ml/hone/learner/model"
)

// Comparison is the cross-validated accuracy of a retrain's settings and of the live
// ones, NaN with too few examples.
type Comparison struct{ Candidate, Live float64 }

// Compare returns the accuracy of two settings on the same folds. No choice depends on
// it. cores and onStep are as in Search. The error is the context's.
func Compare(ctx context.Context, q *head.Spec, examples []model.Example, candidate, live model.Settings, cores chan struct{}, onStep func()) (Comparison, error) {
	c := Comparison{math.NaN(), math.NaN()}
	if len(examples) < MinCompared {
		return c, ctx.Err()
	}
	if len(examples) > MaxCompared {
		examples = slices.Clone(examples)
		slices.SortFunc(examples, func(a, b model.Example) int { return cmp.Compare(event.TaskID(a.ID).Hash(), event.TaskID(b.ID).Hash()) })
		examples = examples[:MaxCompared]
	}
	s := newSearch(q, CrossValidate(q, examples, crossValidation), cores, onStep)
	var err error
	if c.Candidate, err = s.accuracy(ctx, candidate); err != nil {
		return c, err
	}
	c.Live = c.Candidate
	if !Equal(candidate, live) {
		c.Live, err = s.accuracy(ctx, live)
	}
	return c, err
}
