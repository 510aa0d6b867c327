package head

import (
	"encoding/json"
	"math"

	"github.com/hone-ml/hone/encode"
	"github.com/hone-ml/hone/event"
	"github.com/hone-ml/hone/labelstudio/regions"
	"github.com/hone-ml/hone/learner/model"
	"github.com/hone-ml/hone/learner/score"
	"github.com/hone-ml/hone/vector"
)

// rating learns controls whose labels are in an order, the lowest first: one
// logistic regression for each step of the scale, of whether the answer is above
// it (Frank & Hall 2001, "A simple approach to ordinal classification"). It
// answers with the median, which has the least expected absolute error.
type rating struct{}

var _ Kind = rating{}

func (rating) Features(q *Spec, data []byte, e encode.Encoder) vector.Vector {
	return textFeatures(q, data, e)
}

// space has defaults that were near the best on two sets of rated texts from 25 to 400 labels
// (docs/adr/0012). Most answers are above the lowest step and below the
// highest, which a large bias tells from few labels.
func (rating) Space() Space {
	s := model.Defaults()
	s.Ridge, s.Bias = 0.1, 0.5
	return Space{Defaults: s, Ridges: ridges, Tunable: true}
}

func (rating) NewModel(q *Spec, s model.Settings) Incremental {
	return model.New(len(q.Labels)-1, model.Independent, s)
}

func (rating) Aggregate(q *Spec, t event.TaskState) Aggregate {
	return q.aggregate(t, func(result json.RawMessage) ([]model.Share, bool, error) {
		labels, ok, err := regions.DecodeChoices(q.Control, result)
		if err != nil || !ok {
			return nil, false, err
		}
		var said []model.Share
		for step := range q.class[labels[0]] {
			said = append(said, model.Share{Class: step, P: 1})
		}
		return said, true, nil
	})
}

// levels makes of the probabilities that the answer is above each step those of
// each level, one more. Models of single steps may contradict each other, so each
// is taken for the mean of the least before it and the most after it.
func levels(above, p []float64) {
	most := 0.0
	for k := len(above) - 1; k >= 0; k-- {
		most = max(most, above[k])
		p[k] = most
	}
	least, before := 1.0, 1.0
	for k, a := range above {
		least = min(least, a)
		at := (least + p[k]) / 2
		p[k] = before - at
		before = at
	}
	p[len(above)] = before
}

// steps fills p with the probabilities of the levels.
func steps(m classifier, x vector.Vector, p []float64, s *Scratch) {
	above := s.floats(len(p) - 1)
	m.Predict(x, above, &s.Scratch)
	levels(above, p)
}

// median is the level that as many answers are above as below.
func median(p []float64) int {
	var sum float64
	for y, v := range p {
		if sum += v; sum >= 0.5 {
			return y
		}
	}
	return len(p) - 1
}

// shares are those of the levels, of a target in steps.
func (rating) shares(q *Spec, target []model.Share) []float64 {
	above, p := make([]float64, len(q.Labels)-1), make([]float64, len(q.Labels))
	for _, s := range target {
		above[s.Class] = float64(s.P)
	}
	levels(above, p)
	return p
}

func (rating) Score(q *Spec, m Incremental, e model.Example, pr *score.Prequential) {
	p := make([]float64, len(q.Labels))
	steps(m.(*model.Model), e.X, p, new(Scratch))
	shares := rating{}.shares(q, e.Target)
	truth, said := median(shares), median(p)
	var loss float64
	for y, s := range shares {
		if s > 0 {
			loss -= s * math.Log(max(p[y], 1e-12))
		}
	}
	far := math.Abs(float64(said - truth))
	pr.Add(score.Outcome{
		Truth: q.Labels[truth : truth+1], Said: q.Labels[said : said+1], Correct: said == truth,
		LogLoss: &loss, AbsErr: &far, Answers: []score.Answer{{Confidence: p[said], Correct: said == truth}},
	})
}

// evaluate takes the ranked probability score, the squared errors of the steps'
// probabilities (Epstein 1969).
func (rating) Evaluate(q *Spec, m Incremental, examples []model.Example) (loss, accuracy float64) {
	p := make([]float64, len(q.Labels))
	var s Scratch
	right := 0
	for _, e := range examples {
		steps(m.(*model.Model), e.X, p, &s)
		shares := rating{}.shares(q, e.Target)
		if median(shares) == median(p) {
			right++
		}
		var off float64
		for y := range p {
			off += p[y] - shares[y]
			loss += off * off
		}
	}
	return loss, score.Ratio(float64(right), float64(len(examples)))
}

func (rating) Snapshot(q *Spec, m Incremental) Predictor {
	return ratingPredictor{q, m.(*model.Model).View()}
}

// ratingPredictor is the Predictor of a rating.
type ratingPredictor struct {
	*Spec
	*model.View
}

func (r ratingPredictor) Classes() int { return len(r.Labels) }

func (r ratingPredictor) Answer(id string, in Sample, s *Scratch) ([]regions.Region, float64) {
	p := make([]float64, len(r.Labels))
	steps(r.View, in.X, p, s)
	said := median(p)
	return []regions.Region{regions.EncodeChoices(r.Control, id, r.Labels[said:said+1], p[said])}, p[said]
}

func (r ratingPredictor) Estimate(in Sample, p []float64, s *Scratch) event.Estimate {
	steps(r.View, in.X, p, s)
	return r.estimate(p, true)
}
