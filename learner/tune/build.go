package tune

import (
	"cmp"
	"context"
	"math"

	"github.com/hone-ml/hone/learner/head"
	"github.com/hone-ml/hone/learner/model"
)

// fit adds examples to a model that has none and optimizes it up to the tolerance. Unless nil, warmStart
// is a model of the same examples whose duals it starts from.
func fit(ctx context.Context, m head.Incremental, examples []model.Example, warmStart head.Incremental, tolerance float64) error {
	if err := addExamples(ctx, m, examples, warmStart); err != nil {
		return err
	}
	m.Optimize(ctx, tolerance)
	return ctx.Err()
}

// Build returns a model of the examples, optimized up to the tolerance. It calls onProgress with a
// share from 0 to 1. The bound falls by about the same factor in each pass, so progress is measured by
// its logarithm.
func Build(ctx context.Context, q *head.Spec, examples []model.Example, s model.Settings, tolerance float64, onProgress func(share float64)) (head.Incremental, error) {
	m := q.Kind.NewModel(q, s)
	if err := addExamples(ctx, m, examples, nil); err != nil {
		return nil, err
	}
	bound := m.Optimize(ctx, math.MaxFloat64).Bound
	for whole := math.Log(bound / tolerance); bound > tolerance && ctx.Err() == nil; {
		next := max(tolerance, bound/2)
		if bound = m.Optimize(ctx, next).Bound; bound > next {
			break // what is left is rounding
		}
		onProgress(min(1, 1-math.Log(bound/tolerance)/whole))
	}
	return m, ctx.Err()
}

// addExamples adds examples to a model, with the duals of warmStart unless that is nil.
func addExamples(ctx context.Context, m head.Incremental, examples []model.Example, warmStart head.Incremental) (err error) {
	if warmStart != nil {
		warmStart.Duals(func(e model.Example, p []float32) bool {
			err = m.UpsertWarm(e, p)
			return err == nil && ctx.Err() == nil
		})
		return cmp.Or(err, ctx.Err())
	}
	for _, e := range examples {
		if ctx.Err() != nil {
			break
		}
		if err := m.Upsert(e); err != nil {
			return err
		}
	}
	return ctx.Err()
}
