package head

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
	_ Kind        = taxonomy{}
	_ LabelPrior  = taxonomy{}
	_ Incremental = (*paths)(nil)
)

func (taxonomy) Features(q *Spec, data []byte, e encode.Encoder) vector.Vector {
	return textFeatures(q, data, e)
}

func (taxonomy) Aggregate(q *Spec, t event.TaskState) Aggregate { return choices{}.Aggregate(q, t) }

func (taxonomy) Space() Space { return choices{}.Space() }

func (taxonomy) Prior(q *Spec, e encode.Encoder) model.Prior { return choices{}.Prior(q, e) }

// as is the spec as it is asked now. An answer always has a path: a tree that
// nobody opened says nothing.
func (q *Spec) as(several bool) *Spec {
	out := *q
	out.Control.Multiple, out.Control.Required = several, true
	return &out
}

func (taxonomy) NewModel(q *Spec, s model.Settings) Incremental {
	return &paths{question: q, Incremental: choices{}.NewModel(q.as(false), s), several: map[int64]bool{}}
}

func (taxonomy) Snapshot(q *Spec, m Incremental) Predictor {
	p := m.(*paths)
	return choices{}.Snapshot(q.as(p.split), p.Incremental)
}

func (taxonomy) Score(q *Spec, m Incremental, e model.Example, p *score.Prequential) {
	t := m.(*paths)
	choices{}.Score(q.as(t.split), t.Incremental, e, p)
}

func (taxonomy) Evaluate(q *Spec, m Incremental, examples []model.Example) (brier, accuracy float64) {
	t := m.(*paths)
	return choices{}.Evaluate(q.as(t.split), t.Incremental, examples)
}

// paths is the model of a taxonomy. Which of the two models it is depends on
// the examples it has now and on nothing else.
type paths struct {
	Incremental
	question *Spec
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
		p.Incremental.Remove(e.ID) // the other model could not hold it as it was
	}
	if err := p.adapt(); err != nil {
		return err
	}
	return p.Incremental.Resume(e, duals)
}

func (p *paths) Remove(id int64) bool {
	delete(p.several, id)
	was := p.Incremental.Remove(id)
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
	next := choices{}.NewModel(p.question.as(split), p.Settings())
	var examples []model.Example
	p.Incremental.Examples(func(e model.Example) bool {
		examples = append(examples, e)
		return true
	})
	slices.SortFunc(examples, func(a, b model.Example) int { return cmp.Compare(a.ID, b.ID) })
	duals := map[int64][]float32{}
	p.Incremental.Duals(func(e model.Example, d []float32) bool {
		duals[e.ID] = d
		return true
	})
	for _, e := range examples {
		if err := next.Resume(e, duals[e.ID]); err != nil {
			return err
		}
	}
	p.Incremental, p.split = next, split
	return nil
}
