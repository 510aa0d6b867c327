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

// Space starts near the best settings on two sets of rated texts from 25 to 400 labels
// (docs/adr/0012). Most answers are above the lowest step and below the highest, which a
// large bias learns from few labels.
func (rating) Space() Space {
	s := model.Defaults()
	s.Ridge, s.Bias = 0.1, 0.5
	return Space{Defaults: s, Ridges: ridges, Tunable: true}
}

func (rating) NewModel(q *Spec, s model.Settings) Incremental {
	return model.New(len(q.Labels)-1, model.Independent, s)
}

// NewModelInKernel implements Kernelized.
func (rating) NewModelInKernel(q *Spec, k *model.Kernel, s model.Settings) Incremental {
	return model.NewInKernel(k, nil, len(q.Labels)-1, model.Independent, s)
}

func (rating) Aggregate(q *Spec, t event.TaskState) Aggregate {
	return q.aggregate(t, func(result json.RawMessage) ([]model.Share, bool, error) {
		labels, ok, err := regions.DecodeChoices(q.Control, result)
		if err != nil || !ok {
			return nil, false, err
		}
		var predicted []model.Share
		for step := range q.class[labels[0]] {
			predicted = append(predicted, model.Share{Class: step, P: 1})
		}
		return predicted, true, nil
	})
}

// levelProbabilities fills p with the probability of each level, from those that the
// answer is above each step, which are one fewer. The latter must fall from step to step,
// and models of single steps may contradict that: each is replaced by the mean of the
// lowest up to it and the highest from it on.
func levelProbabilities(above, p []float64) {
	highest := 0.0
	for k := len(above) - 1; k >= 0; k-- {
		highest = max(highest, above[k])
		p[k] = highest
	}
	lowest, previous := 1.0, 1.0
	for k, a := range above {
		lowest = min(lowest, a)
		monotone := (lowest + p[k]) / 2
		p[k] = previous - monotone
		previous = monotone
	}
	p[len(above)] = previous
}

// predictLevels fills p with the probabilities of the levels.
func predictLevels(m classifier, x vector.Vector, p []float64, s *Scratch) {
	above := s.floats(len(p) - 1)
	m.Predict(x, above, &s.Scratch)
	levelProbabilities(above, p)
}

// median returns the lowest level with at least half of the probability up to it.
func median(p []float64) int { return event.Distribution{P: p}.Median() }

// shares returns those of the levels, of a target in steps.
func (rating) shares(q *Spec, target []model.Share) []float64 {
	above, p := make([]float64, len(q.Labels)-1), make([]float64, len(q.Labels))
	for _, s := range target {
		above[s.Class] = float64(s.P)
	}
	levelProbabilities(above, p)
	return p
}

func (rating) Score(q *Spec, m Incremental, e model.Example, pr *score.Prequential) {
	p := make([]float64, len(q.Labels))
	predictLevels(m.(*model.Model), e.X, p, new(Scratch))
	shares := rating{}.shares(q, e.Target)
	truth, predicted := median(shares), median(p)
	var loss float64
	for y, s := range shares {
		if s > 0 {
			loss -= s * math.Log(max(p[y], 1e-12))
		}
	}
	absErr := math.Abs(float64(predicted - truth))
	pr.Add(score.Outcome{
		Truth: q.Labels[truth : truth+1], Predicted: q.Labels[predicted : predicted+1], Correct: predicted == truth,
		LogLoss: &loss, AbsErr: &absErr, Answers: []score.Answer{{Confidence: p[predicted], Correct: predicted == truth}},
	})
}

// Evaluate takes the ranked probability score, which is the squared error of the steps'
// probabilities (Epstein 1969).
func (rating) Evaluate(q *Spec, m Incremental, examples []model.Example) (loss, accuracy float64) {
	p := make([]float64, len(q.Labels))
	var s Scratch
	correct := 0
	for _, e := range examples {
		predictLevels(exampleClassifier{m.(evaluated), e}, e.X, p, &s)
		shares := rating{}.shares(q, e.Target)
		if median(shares) == median(p) {
			correct++
		}
		var residual float64
		for y := range p {
			residual += p[y] - shares[y]
			loss += residual * residual
		}
	}
	return loss, score.Ratio(float64(correct), float64(len(examples)))
}

func (rating) Snapshot(q *Spec, m Incremental) Predictor {
	view := m.(*model.Model).View()
	return ratingPredictor{q, view, levelCounts(view.Examples(), view.ClassCounts())}
}

// levelCounts returns how many of n examples have each level, from how many are above each
// step, which are one fewer.
func levelCounts(n int, above []int) []int {
	out := make([]int, 0, len(above)+1)
	for _, a := range above {
		out = append(out, n-a)
		n = a
	}
	return append(out, n)
}

// ratingPredictor is the Predictor of a rating.
type ratingPredictor struct {
	*Spec
	view   *model.View
	counts []int // of examples, by level
}

func (r ratingPredictor) Examples() int { return r.view.Examples() }

func (r ratingPredictor) Classes() int { return len(r.Labels) }

func (r ratingPredictor) Predict(id string, in Sample, s *Scratch) ([]regions.Region, float64) {
	p := make([]float64, len(r.Labels))
	predictLevels(r.view, in.X, p, s)
	predicted := median(p)
	said := r.spoken(r.Labels[predicted : predicted+1])
	if len(said) == 0 {
		return nil, p[predicted]
	}
	return []regions.Region{regions.EncodeChoices(r.Control, id, said, p[predicted])}, p[predicted]
}

// Estimate says that the labels are in an order: strategies ask a question a step, as the model
// does.
func (r ratingPredictor) Estimate(in Sample, p []float64, s *Scratch) event.Estimate {
	predictLevels(r.view, in.X, p, s)
	e := r.estimate(p, true)
	e.Classes.Ordered, e.Classes.Labelled = true, r.counts
	return e
}
