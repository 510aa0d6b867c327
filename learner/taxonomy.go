package learner

import (
	"cmp"
	"math"
	"slices"

	"github.com/hone-ml/hone/encode"
	"github.com/hone-ml/hone/event"
	"github.com/hone-ml/hone/learner/model"
	"github.com/hone-ml/hone/learner/score"
	"github.com/hone-ml/hone/vector"
)

// taxonomy learns trees of choices, each path that may be chosen a class: as
// choices of which one is right while every task has one path, and as any number
// of independent ones as soon as some task has several. Label Studio lets
// annotators choose several unless the config says otherwise, and few do.
type taxonomy struct{}

var (
	_ kind       = taxonomy{}
	_ labelPrior = taxonomy{}
)

func (taxonomy) features(q *question, data []byte, e encode.Encoder) vector.Vector {
	return textFeatures(q, data, e)
}

func (taxonomy) lesson(q *question, t event.TaskState) lesson { return choices{}.lesson(q, t) }

func (taxonomy) space() space { return choices{}.space() }

func (taxonomy) prior(q *question, e encode.Encoder) model.Prior { return choices{}.prior(q, e) }

// as is the question as it is asked now. An answer always has a path: a tree that
// nobody opened says nothing.
func (q *question) as(several bool) *question {
	out := *q
	out.control.Multiple, out.control.Required = several, true
	return &out
}

func (taxonomy) newModel(q *question, s model.Settings) trainer {
	return &paths{question: q, trainer: choices{}.newModel(q.as(false), s), several: map[int64]bool{}}
}

func (taxonomy) snapshot(q *question, m trainer) mind {
	p := m.(*paths)
	return choices{}.snapshot(q.as(p.split), p.trainer)
}

func (taxonomy) score(q *question, m trainer, e model.Example, p *score.Prequential) {
	t := m.(*paths)
	choices{}.score(q.as(t.split), t.trainer, e, p)
}

func (taxonomy) evaluate(q *question, m trainer, examples []model.Example) (brier, accuracy float64) {
	t := m.(*paths)
	return choices{}.evaluate(q.as(t.split), t.trainer, examples)
}

// paths is the trainer of a taxonomy. Which of the two models it is depends on
// the examples it has now and on nothing else.
type paths struct {
	trainer
	question *question
	several  map[int64]bool // examples with more or less than one path
	split    bool           // any number of paths may be right
}

// one reports whether the annotators gave one path each.
func one(target []model.Share) bool {
	var sum float64
	for _, s := range target {
		sum += float64(s.P)
	}
	return math.Abs(sum-1) < 1e-4
}

func (p *paths) Put(e model.Example) error { return p.Resume(e, nil) }

func (p *paths) Resume(e model.Example, duals []float32) error {
	was := p.several[e.ID]
	if one(e.Target) {
		delete(p.several, e.ID)
	} else {
		p.several[e.ID] = true
	}
	if was && len(p.several) == 0 {
		p.trainer.Remove(e.ID) // the other model could not hold it as it was
	}
	if err := p.adapt(); err != nil {
		return err
	}
	return p.trainer.Resume(e, duals)
}

func (p *paths) Remove(id int64) bool {
	delete(p.several, id)
	was := p.trainer.Remove(id)
	_ = p.adapt() // cannot fail: each example was taken before, and has one path when it must
	return was
}

// adapt makes the model the one that the examples ask for. It starts where the
// other was.
func (p *paths) adapt() error {
	split := len(p.several) > 0
	if split == p.split {
		return nil
	}
	next := choices{}.newModel(p.question.as(split), p.Settings())
	var examples []model.Example
	p.trainer.Examples(func(e model.Example) bool {
		examples = append(examples, e)
		return true
	})
	slices.SortFunc(examples, func(a, b model.Example) int { return cmp.Compare(a.ID, b.ID) })
	duals := map[int64][]float32{}
	p.trainer.Duals(func(e model.Example, d []float32) bool {
		duals[e.ID] = d
		return true
	})
	for _, e := range examples {
		if err := next.Resume(e, duals[e.ID]); err != nil {
			return err
		}
	}
	p.trainer, p.split = next, split
	return nil
}
