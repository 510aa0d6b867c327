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

// taxonomy learns trees of choices, of which each path that may be chosen is a class.
// While every task has one path, one of them holds; as soon as some task has several,
// any number may. Label Studio lets annotators choose several unless the config says
// otherwise, and few do.
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

// withMultiple returns the spec for one path or for any number of them. An answer always
// has a path: a tree that nobody opened is no answer.
func (q *Spec) withMultiple(multiple bool) *Spec {
	out := *q
	out.Control.Multiple, out.Control.Required = multiple, true
	return &out
}

func (taxonomy) NewModel(q *Spec, s model.Settings) Incremental {
	return newTaxonomyModel(q, s, choices{}.NewModel)
}

// NewModelInKernel implements Kernelized.
func (taxonomy) NewModelInKernel(q *Spec, k *model.Kernel, s model.Settings) Incremental {
	return newTaxonomyModel(q, s, func(q *Spec, s model.Settings) Incremental { return choices{}.NewModelInKernel(q, k, s) })
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

// LogLosses implements Probable.
func (taxonomy) LogLosses(q *Spec, m Incremental, examples []model.Example, weights, powers []float64) []float64 {
	t := m.(*taxonomyModel)
	return choices{}.LogLosses(q.withMultiple(t.multiLabel), t.Incremental, examples, weights, powers)
}

// ConfidenceLosses implements Probable.
func (taxonomy) ConfidenceLosses(q *Spec, m Incremental, examples []model.Example, weights, powers []float64) []float64 {
	t := m.(*taxonomyModel)
	return choices{}.ConfidenceLosses(q.withMultiple(t.multiLabel), t.Incremental, examples, weights, powers)
}

// taxonomyModel is a model of one path or of any number of them. Which of the two depends
// on the examples it holds and on nothing else.
type taxonomyModel struct {
	Incremental
	spec       *Spec
	several    map[int64]bool // examples with more or fewer than one path
	multiLabel bool           // any number of paths may hold
	choices    func(q *Spec, s model.Settings) Incremental
}

// newTaxonomyModel returns a taxonomyModel without examples over models that choices returns.
func newTaxonomyModel(q *Spec, s model.Settings, choices func(*Spec, model.Settings) Incremental) *taxonomyModel {
	return &taxonomyModel{spec: q, Incremental: choices(q.withMultiple(false), s), several: map[int64]bool{}, choices: choices}
}

// isSingleLabel reports whether the annotators gave one path each.
func isSingleLabel(target []model.Share) bool {
	var sum float64
	for _, s := range target {
		sum += float64(s.P)
	}
	return math.Abs(sum-1) < 1e-4
}

func (p *taxonomyModel) Upsert(e model.Example) error { return p.UpsertWarm(e, nil) }

func (p *taxonomyModel) UpsertWarm(e model.Example, duals []float32) error {
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
	return p.Incremental.UpsertWarm(e, duals)
}

func (p *taxonomyModel) Remove(id int64) bool {
	delete(p.several, id)
	was := p.Incremental.Remove(id)
	_ = p.switchLink() // cannot fail: each example was taken before, and has one path when it must
	return was
}

// switchLink replaces the model when the examples need the other one, which starts from
// the same duals.
func (p *taxonomyModel) switchLink() error {
	multiLabel := len(p.several) > 0
	if multiLabel == p.multiLabel {
		return nil
	}
	next := p.choices(p.spec.withMultiple(multiLabel), p.Settings())
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
		if err := next.UpsertWarm(e, duals[e.ID]); err != nil {
			return err
		}
	}
	p.Incremental, p.multiLabel = next, multiLabel
	return nil
}
