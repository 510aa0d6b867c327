// Package contest has two models predict the same tasks, in turn with learning them: one of answers to tasks
// that were drawn at random, and one of as many answers to tasks that a strategy chose. It
// knows no project.
package contest

import (
	"cmp"
	"context"
	"slices"

	"github.com/hone-ml/hone/event"
	"github.com/hone-ml/hone/learner/head"
	"github.com/hone-ml/hone/learner/model"
)

const (
	// window is the number of answers that a model holds at most: the latest of those that
	// it may.
	window = 1000
	// maxTrials bounds the trials of one Run.
	maxTrials = 100
	// tolerance is how near to its optimum a model is that predicts.
	tolerance = 0.02
)

// Run predicts each random answer after Tried, first to last, by two models that then learn it
// (test-then-train; Dawid 1984, "Statistical theory: the prequential approach"). Before an answer
// with k random and l asked ones before it, each model holds the first min(k, l) of its own, of which
// at most the last 1,000. With none there is no trial. The models are made from nothing, so they
// are a function of the answers that there are: whoever was deleted is in none. Run makes at
// most 100 trials and takes one core. The error is the context's, or a model's that refuses
// an answer.
func Run(ctx context.Context, e Entry) (event.ControlContest, error) {
	out := event.ControlContest{Control: e.Spec.Control.Name, Key: e.Spec.Key, Tried: e.Tried, Random: len(e.Random), Asked: len(e.Asked)}
	inOrder(e.Random)
	inOrder(e.Asked)
	first, _ := slices.BinarySearchFunc(e.Random, e.Tried+1, func(a Answer, id event.AnnotationID) int { return cmp.Compare(a.First, id) })
	ofRandom, ofAsked := newContestant(e, e.Random), newContestant(e, e.Asked)
	for i, x := range e.Random[first:] {
		if len(out.Trials) == maxTrials {
			out.More = true
			break
		}
		asked, _ := slices.BinarySearchFunc(e.Asked, x.First, func(a Answer, id event.AnnotationID) int { return cmp.Compare(a.First, id) })
		if size := min(first+i, asked); size > 0 {
			var t event.Trial
			var err error
			if t.Random, err = ofRandom.predict(ctx, size, x.Example); err != nil {
				return out, err
			}
			if t.Asked, err = ofAsked.predict(ctx, size, x.Example); err != nil {
				return out, err
			}
			out.Trials = append(out.Trials, t)
		}
		out.Tried = x.First
	}
	return out, nil
}

func inOrder(answers []Answer) {
	slices.SortFunc(answers, func(a, b Answer) int {
		return cmp.Or(cmp.Compare(a.First, b.First), cmp.Compare(a.Example.ID, b.Example.ID))
	})
}

// contestant is a model of some of its answers, from one place to another.
type contestant struct {
	spec     *head.Spec
	model    head.Incremental
	answers  []Answer
	from, to int
}

func newContestant(e Entry, answers []Answer) *contestant {
	return &contestant{spec: e.Spec, model: e.Spec.Kind.NewModel(e.Spec, e.Settings), answers: answers}
}

// predict has the model hold the first size answers, and reports whether it is right about an example.
// size does not fall from one call to the next.
func (c *contestant) predict(ctx context.Context, size int, e model.Example) (correct bool, err error) {
	for from := max(0, size-window); c.from < from; c.from++ {
		if c.from < c.to {
			c.model.Remove(c.answers[c.from].Example.ID)
		}
	}
	for c.to = max(c.to, c.from); c.to < size; c.to++ {
		if err := ctx.Err(); err != nil {
			return false, err
		}
		if err := c.model.Upsert(c.answers[c.to].Example); err != nil {
			return false, err
		}
	}
	c.model.Optimize(ctx, tolerance)
	_, accuracy := c.spec.Kind.Evaluate(c.spec, c.model, []model.Example{e})
	return accuracy > 0, ctx.Err()
}
