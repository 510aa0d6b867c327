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
	_ Incremental = (*taxonomyModel)(nil)
)

func (taxonomy) Features(q *Spec, data []byte, e encode.Encoder) vector.Vector {
	return textFeatures(q, data, e)
}

func (taxonomy) Aggregate(q *Spec, t event.TaskState) Aggregate { return choices{}.Aggregate(q, t) }

func (taxonomy) Space() Space { return choices{}.Space() }

func (taxonomy) Prior(q *Spec, e encode.Encoder) model.Prior { return choices{}.Prior(q, e) }

// withMultiple is the spec as it is asked now. An answer always has a path: a tree that
// nobody opened says nothing.
func (q *Spec) withMultiple(several bool) *Spec {
	out := *q
	out.Control.Multiple, out.Control.Required = several, true
	return &out
}

func (taxonomy) NewModel(q *Spec, s model.Settings) Incremental {
	return &taxonomyModel{question: q, Incremental: choices{}.NewModel(q.withMultiple(false), s), several: map[int64]bool{}}
}

func (taxonomy) Snapshot(q *Spec, m Incremental) Predictor {
	p := m.(*taxonomyModel)
	return choices{}.Snapshot(q.withMultiple(p.multiLabel), p.Incremental)
}

func (taxonomy) Score(q *Spec, m Incremental, e model.Example, p *score.Prequential) {
	t := m.(*taxonomyModel)
	choices{}.Score(q.withMultiple(t.multiLabel), t.Incremental, e, p)
}

func (taxonomy) Evaluate(q *Spec, m Incremental, examples []model.Example) (brier, accuracy float64) {
	t := m.(*taxonomyModel)
	return choices{}.Evaluate(q.withMultiple(t.multiLabel), t.Incremental, examples)
}

// taxonomyModel is the model of a taxonomy. Which of the two models it is depends on
// the examples it has now and on nothing else.
type taxonomyModel struct {
	Incremental
	question   *Spec
	several    map[int64]bool // examples with more or less than one path
	multiLabel bool           // any number of paths may be right
}

// isSingleLabel reports whether the annotators gave one path each.
func isSingleLabel(target []model.Share) bool {
	var sum float64
	for _, s := range target {
		sum += float64(s.P)
	}
	return math.Abs(sum-1) < 1e-4
}

func (p *taxonomyModel) Put(e model.Example) error { return p.Resume(e, nil) }

func (p *taxonomyModel) Resume(e model.Example, duals []float32) error {
	was := p.several[e.ID]
	if isSingleLabel(e.Target) {
		delete(p.several, e.ID)
	} else {
		p.several[e.ID] = true
	}
	if was && len(p.several) == 0 {
		p.Incremental.Remove(e.ID) // the other model could not hold it as it was
	}
	if err := p.switchLink(); err != nil {
		return err
	}
	return p.Incremental.Resume(e, duals)
}

func (p *taxonomyModel) Remove(id int64) bool {
	delete(p.several, id)
	was := p.Incremental.Remove(id)
	_ = p.switchLink() // cannot fail: each example was taken before, and has one path when it must
	return was
}

// switchLink makes the model the one that the examples ask for. It starts where the
// other was.
func (p *taxonomyModel) switchLink() error {
	split := len(p.several) > 0
	if split == p.multiLabel {
		return nil
	}
	next := choices{}.NewModel(p.question.withMultiple(split), p.Settings())
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
	p.Incremental, p.multiLabel = next, split
	return nil
}
