package head

import (
	"encoding/json"
	"fmt"
	"math"

	"github.com/hone-ml/hone/encode"
	"github.com/hone-ml/hone/event"
	"github.com/hone-ml/hone/labelstudio/regions"
	"github.com/hone-ml/hone/learner/model"
	"github.com/hone-ml/hone/learner/score"
	"github.com/hone-ml/hone/vector"
)

// number learns controls that ask for a number, by ridge regression.
type number struct{}

var (
	_ Kind        = number{}
	_ Incremental = (*model.Regression)(nil)
)

func (number) Features(q *Spec, data []byte, e encode.Encoder) vector.Vector {
	return textFeatures(q, data, e)
}

// Space starts where the error on rated texts was flat, from a ridge of 0.1 to 1
// (docs/adr/0012). A retrain chooses among ridges.
func (number) Space() Space {
	s := model.Defaults()
	s.Ridge, s.Bias = 0.5, 0
	return Space{Defaults: s, Ridges: []float64{3, 1, 0.3, 0.1, 0.03}, Tunable: true}
}

func (number) Aggregate(q *Spec, t event.TaskState) Aggregate {
	return q.aggregate(t, func(result json.RawMessage) ([]model.Share, bool, error) {
		v, ok, err := regions.DecodeNumber(q.Control, result)
		if err == nil && ok && math.Abs(v) > maxNumber {
			err = fmt.Errorf("the number %g is too large to learn from: at most %g", v, maxNumber)
		}
		return []model.Share{{P: float32(v)}}, ok, err
	})
}

// maxNumber is the largest answer that is learned. It is finite in 32 bits, and a sum of a
// million of its squares in 64.
const maxNumber = 1e30

func (number) NewModel(_ *Spec, s model.Settings) Incremental { return model.NewRegression(s) }

func (number) Snapshot(q *Spec, m Incremental) Predictor {
	return newNumberPredictor(q, m)
}

func (number) Score(q *Spec, m Incremental, e model.Example, pr *score.Prequential) {
	n := newNumberPredictor(q, m)
	number, probability := n.predictNumber(e.X, new(Scratch))
	absErr := math.Abs(number - float64(e.Target[0].P))
	correct := absErr <= n.tolerance
	pr.Add(score.Outcome{Correct: correct, AbsErr: &absErr, Answers: []score.Answer{{Confidence: probability, Correct: correct}}})
}

// Evaluate takes the squared error.
func (number) Evaluate(q *Spec, m Incremental, examples []model.Example) (loss, accuracy float64) {
	n := newNumberPredictor(q, m)
	var s Scratch
	correct := 0
	for _, e := range examples {
		mean, _ := n.view.Predict(e.X, &s.Scratch)
		residual := mean - float64(e.Target[0].P)
		loss += residual * residual
		if number, _ := n.predictNumber(e.X, &s); math.Abs(number-float64(e.Target[0].P)) <= n.tolerance {
			correct++
		}
	}
	return loss, score.Ratio(float64(correct), float64(len(examples)))
}

// numberPredictor is the Predictor of a number.
type numberPredictor struct {
	*Spec
	view      *model.RegressionView
	spread    float64 // standard deviation of the learned answers
	whole     bool    // all learned answers are whole numbers
	tolerance float64 // largest error of an answer that counts as correct
}

// newNumberPredictor sets the tolerance to a step or a tenth of the range, whichever is
// larger, where the config has them, else to half a standard deviation of the answers.
func newNumberPredictor(q *Spec, m Incremental) numberPredictor {
	n := numberPredictor{Spec: q, view: m.(*model.Regression).View()}
	n.spread, n.whole = n.view.Spread()
	width, bounded := q.Control.Numbers.Width()
	if bounded {
		n.tolerance = width / 10
	}
	if s := q.Control.Numbers.Step; s != nil {
		n.tolerance = max(n.tolerance, *s)
	} else if !bounded {
		n.tolerance = n.spread / 2
	}
	return n
}

// predictNumber returns the number predicted of a text, and the probability that it is
// within the tolerance.
func (n numberPredictor) predictNumber(x vector.Vector, s *Scratch) (number, probability float64) {
	mean, sd := n.view.Predict(x, &s.Scratch)
	switch {
	case n.whole:
		mean = math.Round(mean)
	case n.spread > 0: // keep three significant digits of the spread
		unit := math.Pow(10, math.Floor(math.Log10(n.spread))-2)
		mean = math.Round(mean/unit) * unit
	}
	probability = 1
	if sd > 0 && n.tolerance > 0 {
		probability = math.Erf(n.tolerance / sd / math.Sqrt2)
	}
	// The agreement of few answers may be chance (Laplace's rule of succession).
	count := float64(n.view.Examples())
	return n.Control.Numbers.Nearest(mean), probability * count / (count + 1)
}

func (n numberPredictor) Examples() int { return n.view.Examples() }

func (n numberPredictor) Classes() int { return 0 }

func (n numberPredictor) Predict(id string, in Sample, s *Scratch) ([]regions.Region, float64) {
	number, probability := n.predictNumber(in.X, s)
	return []regions.Region{regions.EncodeNumber(n.Control, id, number, probability)}, probability
}

// Estimate has the probability that the answer is near enough for its certainty: it falls with the
// variance of the prediction, so that what is asked is what lowers that (Cohn, Ghahramani & Jordan
// 1996, "Active learning with statistical models").
func (n numberPredictor) Estimate(in Sample, _ []float64, s *Scratch) event.Estimate {
	_, certainty := n.predictNumber(in.X, s)
	return event.Estimate{Control: n.Control.Name, Certainty: certainty}
}
