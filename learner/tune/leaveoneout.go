package tune

import (
	"context"
	"slices"
	"time"

	"github.com/hone-ml/hone/event"
	"github.com/hone-ml/hone/learner/head"
	"github.com/hone-ml/hone/learner/model"
)

const (
	// leaveOutTolerance is how near to the optimum a model is that an example was taken out of.
	leaveOutTolerance = 0.02
	// maxLeftOut bounds the examples that LeaveOneOut takes out, and minLeftOut those after
	// which it looks at the clock: of many classes and 10,000 examples one takes a third of a
	// second.
	maxLeftOut = 200
	minLeftOut = 20
)

// Examples are those of a model, with their dual variables: all that it takes to make the
// same model once more. The zero value holds none.
type Examples struct {
	settings model.Settings
	examples []model.Example
	duals    [][]float32
}

// CopyOf copies the examples of a model. They share the features, which nobody changes.
func CopyOf(m head.Incremental) Examples {
	c := Examples{settings: m.Settings()}
	m.Duals(func(e model.Example, duals []float32) bool {
		c.examples, c.duals = append(c.examples, e), append(c.duals, slices.Clone(duals))
		return true
	})
	return c
}

// LeaveOneOut predicts examples, each by a model of all others (Stone 1974, "Cross-validatory
// choice and assessment of statistical predictions"): the first maxLeftOut of the ids of which
// there are examples, and fewer when that takes longer than the budget, unless it is 0. A model is
// near its optimum, so an answer on the border may fall to either side. The error is the
// context's.
func LeaveOneOut(ctx context.Context, q *head.Spec, c Examples, ids []event.TaskID, budget time.Duration) ([]event.HeldOut, error) {
	began := time.Now()
	m := q.Kind.NewModel(q, c.settings)
	at := make(map[event.TaskID]int, len(c.examples))
	for i, e := range c.examples {
		at[event.TaskID(e.ID)] = i
		if err := m.UpsertWarm(e, c.duals[i]); err != nil {
			return nil, err
		}
	}
	var out []event.HeldOut
	for _, id := range ids {
		i, ok := at[id]
		if !ok {
			continue
		}
		if ctx.Err() != nil || len(out) == maxLeftOut || budget > 0 && len(out) >= minLeftOut && time.Since(began) > budget {
			break
		}
		e := c.examples[i]
		m.Remove(e.ID)
		m.Optimize(ctx, leaveOutTolerance)
		out = append(out, heldOut(q, m, q.Kind.Snapshot(q, m), e))
		if err := m.UpsertWarm(e, c.duals[i]); err != nil {
			return nil, err
		}
	}
	return out, ctx.Err()
}

// PredictFolds predicts the examples of each fold's Test, each by a model of its Train, with the same
// settings for all. cores is as in Search. The error is the context's.
func PredictFolds(ctx context.Context, folds []Fold, settings model.Settings, cores chan struct{}) ([]event.HeldOut, error) {
	s := newSearch(folds[0].Spec, folds, cores, func() {})
	byFold := make([][]event.HeldOut, len(s.folds))
	err := s.eachFold(ctx, settings, func(f int, m head.Incremental) {
		q := s.folds[f].Spec
		p := q.Kind.Snapshot(q, m)
		for _, e := range s.folds[f].Test {
			byFold[f] = append(byFold[f], heldOut(q, m, p, e))
		}
	})
	return slices.Concat(byFold...), err
}

// heldOut compares the prediction of an example, by a model and its snapshot, with its answer.
func heldOut(q *head.Spec, m head.Incremental, p head.Predictor, e model.Example) event.HeldOut {
	_, accuracy := q.Kind.Evaluate(q, m, []model.Example{e})
	out := event.HeldOut{Task: event.TaskID(e.ID), Correct: accuracy > 0, Confidence: -1}
	if p.Classes() > 0 {
		out.Confidence = p.Estimate(head.Sample{X: e.X}, make([]float64, p.Classes()), new(head.Scratch)).Confidence()
	}
	return out
}
