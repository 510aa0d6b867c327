package learner

import (
	"cmp"
	"context"
	"math"
	"slices"

	"github.com/cespare/xxhash/v2"

	"github.com/hone-ml/hone/learner/model"
)

const (
	// folds by a hash of the task id, so that neither order nor time matters. The
	// first is held out from the choice and judges it.
	folds = 5
	// leastTuned is the number of examples below which a choice would be noise.
	leastTuned = 50
	// mostTuned bounds the work; a choice needs no more.
	mostTuned = 20000
	// tuneTolerance is enough to compare settings by.
	tuneTolerance = 0.05
	// clearly is how much better than the live settings others must be on the
	// folds to be considered.
	clearly = 0.998
)

// ridges are tried in falling order, each starting where the last ended.
var ridges = []float64{0.3, 0.1, 0.03, 0.01, 0.003, 0.001}

// tuned is a choice of settings.
type tuned struct {
	settings model.Settings
	// accuracy on the held-out fold, NaN with too few examples.
	accuracy float64
}

// tuneSteps is how many times tune calls tick.
func tuneSteps() int { return folds + 1 }

// tune chooses the ridge by the cross-validated loss of the kind, and keeps
// current unless another is better on the folds and not
// worse on the held-out one. It depends on nothing but its arguments.
func tune(ctx context.Context, q *question, examples []model.Example, current model.Settings, tick func()) (tuned, error) {
	out := tuned{settings: current, accuracy: math.NaN()}
	if len(examples) < leastTuned {
		return out, ctx.Err()
	}
	examples = slices.Clone(examples)
	if len(examples) > mostTuned {
		slices.SortFunc(examples, func(a, b model.Example) int { return cmp.Compare(hashID(a.ID), hashID(b.ID)) })
		examples = examples[:mostTuned]
	}
	slices.SortFunc(examples, func(a, b model.Example) int { return cmp.Compare(a.ID, b.ID) })
	var parts [folds][]model.Example
	for _, e := range examples {
		f := hashID(e.ID) % folds
		parts[f] = append(parts[f], e)
	}
	grid := slices.Clone(q.kind.ridges())
	if !slices.Contains(grid, current.Ridge) {
		grid = append(grid, current.Ridge)
		slices.SortFunc(grid, func(a, b float64) int { return cmp.Compare(b, a) })
	}
	now := slices.Index(grid, current.Ridge)
	loss := make([]float64, len(grid))
	for f := 1; f < folds; f++ {
		var train []model.Example
		for g := 1; g < folds; g++ {
			if g != f {
				train = append(train, parts[g]...)
			}
		}
		var last trainer
		for i, ridge := range grid {
			s := current
			s.Ridge = ridge
			m, err := fit(ctx, q, train, s, last, tuneTolerance)
			if err != nil {
				return out, err
			}
			brier, _ := q.kind.judge(q, m, parts[f])
			loss[i] += brier
			last = m
			if f == 1 && i >= max(2, now) && loss[i] > loss[i-1] && loss[i-1] > loss[i-2] {
				grid = grid[:i+1] // weaker ridges are worse still, and the slowest
				break
			}
		}
		tick()
	}
	best := 0
	for i := range grid {
		if loss[i] < loss[best] {
			best = i
		}
	}
	train := slices.Concat(parts[1:]...)
	champion, err := fit(ctx, q, train, current, nil, tuneTolerance)
	if err != nil {
		return out, err
	}
	oldBrier, accuracy := q.kind.judge(q, champion, parts[0])
	tick()
	out.accuracy = accuracy
	if best != now && loss[best] < loss[now]*clearly {
		s := current
		s.Ridge = grid[best]
		challenger, err := fit(ctx, q, train, s, champion, tuneTolerance)
		if err != nil {
			return out, err
		}
		if brier, accuracy := q.kind.judge(q, challenger, parts[0]); brier <= oldBrier {
			out = tuned{settings: s, accuracy: accuracy}
		}
	}
	tick()
	if len(parts[0]) == 0 {
		out.accuracy = math.NaN()
	}
	return out, nil
}

// fit trains a model, starting from another's duals if from is not nil.
func fit(ctx context.Context, q *question, examples []model.Example, s model.Settings, from trainer, tolerance float64) (trainer, error) {
	m := q.kind.fresh(q, s)
	if from != nil {
		var err error
		from.Duals(func(e model.Example, p []float32) bool {
			err = m.Resume(e, p)
			return err == nil && ctx.Err() == nil
		})
		if err != nil {
			return nil, err
		}
	} else {
		for _, e := range examples {
			if ctx.Err() != nil {
				break
			}
			if err := m.Put(e); err != nil {
				return nil, err
			}
		}
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	m.Settle(ctx, tolerance)
	return m, ctx.Err()
}

func hashID(id int64) uint64 {
	var b [8]byte
	for i := range b {
		b[i] = byte(id >> (8 * i))
	}
	return xxhash.Sum64(b[:])
}
