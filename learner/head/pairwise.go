package head

import (
	"encoding/json"

	"github.com/hone-ml/hone/content"
	"github.com/hone-ml/hone/encode"
	"github.com/hone-ml/hone/event"
	"github.com/hone-ml/hone/labelstudio/regions"
	"github.com/hone-ml/hone/learner/model"
	"github.com/hone-ml/hone/learner/score"
	"github.com/hone-ml/hone/vector"
)

// pairwise learns which of two texts is better: logistic regression on the
// difference of their features, without a bias (Bradley & Terry 1952 with a
// linear strength). Swapping the texts swaps the answer, whatever was learned, and
// each answer teaches both orders.
type pairwise struct{}

var (
	_ Kind         = pairwise{}
	_ FeatureSpace = pairwise{}
)

// Reads tells the features of pairs from those of the same texts joined.
func (pairwise) Reads() string { return "difference of" }

func (pairwise) Features(q *Spec, data []byte, e encode.Encoder) vector.Vector {
	var sides [2]vector.Vector
	for i, o := range q.objects {
		text, err := content.Text(o, data)
		if err != nil {
			return vector.Vector{}
		}
		sides[i] = e.Encode(text)
	}
	return vector.Difference(sides[0], sides[1])
}

func (pairwise) Space() Space {
	s := model.Defaults()
	s.Bias = 0
	return Space{Defaults: s, Ridges: ridges, Tunable: true}
}

func (pairwise) Aggregate(q *Spec, t event.TaskState) Aggregate {
	return q.aggregate(t, func(result json.RawMessage) ([]model.Share, bool, error) {
		labels, ok, err := regions.DecodeChoices(q.Control, result)
		if err != nil || !ok {
			return nil, false, err
		}
		if q.class[labels[0]] == 0 {
			return []model.Share{{P: 1}}, true, nil
		}
		return nil, true, nil // the right one
	})
}

func (pairwise) NewModel(_ *Spec, s model.Settings) Incremental {
	return model.New(1, model.Independent, s)
}

// NewModelInKernel implements Kernelized.
func (pairwise) NewModelInKernel(_ *Spec, k *model.Kernel, s model.Settings) Incremental {
	return model.NewInKernel(k, nil, 1, model.Independent, s)
}

// predictSides fills p with the probabilities of left and right.
func predictSides(m classifier, x vector.Vector, p []float64, s *model.Scratch) {
	m.Predict(x, p[:1], s)
	p[1] = 1 - p[0]
}

// shares returns those of left and right, of a target that has only the left one's.
func (pairwise) shares(target []model.Share) []model.Share {
	left := float32(0)
	for _, s := range target {
		left = s.P
	}
	return []model.Share{{Class: 0, P: left}, {Class: 1, P: 1 - left}}
}

func (pairwise) Score(q *Spec, m Incremental, e model.Example, pr *score.Prequential) {
	p := make([]float64, 2)
	predictSides(m.(*model.Model), e.X, p, new(model.Scratch))
	pr.Add(q.outcome(pairwise{}.shares(e.Target), p, 0))
}

// Evaluate takes the squared error of the probabilities.
func (pairwise) Evaluate(q *Spec, m Incremental, examples []model.Example) (brier, accuracy float64) {
	p := make([]float64, 2)
	var s model.Scratch
	correct := 0
	for _, e := range examples {
		predictSides(exampleClassifier{m.(evaluated), e}, e.X, p, &s)
		target := pairwise{}.shares(e.Target)
		if q.outcome(target, p, 0).Correct {
			correct++
		}
		residual := p[0] - float64(target[0].P)
		brier += 2 * residual * residual
	}
	return brier, score.Ratio(float64(correct), float64(len(examples)))
}

func (pairwise) Snapshot(q *Spec, m Incremental) Predictor {
	return pairwisePredictor{q, m.(*model.Model).View()}
}

// pairwisePredictor is the Predictor of a pairwise comparison.
type pairwisePredictor struct {
	*Spec
	view *model.View
}

func (c pairwisePredictor) Examples() int { return c.view.Examples() }

func (c pairwisePredictor) Classes() int { return 2 }

func (c pairwisePredictor) Predict(id string, in Sample, s *Scratch) ([]regions.Region, float64) {
	p := s.floats(2)
	predictSides(c.view, in.X, p, &s.Scratch)
	said := c.spoken(c.decide(p, 0))
	if len(said) == 0 {
		return nil, p[argmax(p)]
	}
	return []regions.Region{regions.EncodeChoices(c.Control, id, said, p[argmax(p)])}, p[argmax(p)]
}

// Estimate is of a question of two labels (Settles 2009, section 3.1). They are not counted: which
// side is better has no meaning of its own.
func (c pairwisePredictor) Estimate(in Sample, p []float64, s *Scratch) event.Estimate {
	predictSides(c.view, in.X, p, &s.Scratch)
	return c.estimate(p, true)
}
