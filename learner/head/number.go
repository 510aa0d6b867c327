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

// space has defaults to start from: on rated texts the error was flat from a ridge of 0.1 to 1
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

// maxNumber is the largest answer that is learned. Squares of it, and sums over a
// million of them, stay finite in 64 bits, and itself in 32.
const maxNumber = 1e30

func (number) NewModel(_ *Spec, s model.Settings) Incremental { return model.NewRegression(s) }

func (number) Snapshot(q *Spec, m Incremental) Predictor {
	return newNumberPredictor(q, m)
}

func (number) Score(q *Spec, m Incremental, e model.Example, pr *score.Prequential) {
	n := newNumberPredictor(q, m)
	said, sure := n.predictNumber(e.X, new(Scratch))
	far := math.Abs(said - float64(e.Target[0].P))
	right := far <= n.tolerance
	pr.Add(score.Outcome{Correct: right, AbsErr: &far, Answers: []score.Answer{{Confidence: sure, Correct: right}}})
}

// evaluate takes the squared error.
func (number) Evaluate(q *Spec, m Incremental, examples []model.Example) (loss, accuracy float64) {
	n := newNumberPredictor(q, m)
	var s Scratch
	right := 0
	for _, e := range examples {
		mean, _ := n.Predict(e.X, &s.Scratch)
		off := mean - float64(e.Target[0].P)
		loss += off * off
		if said, _ := n.predictNumber(e.X, &s); math.Abs(said-float64(e.Target[0].P)) <= n.tolerance {
			right++
		}
	}
	return loss, score.Ratio(float64(right), float64(len(examples)))
}

// numberPredictor is the Predictor of a number.
type numberPredictor struct {
	*Spec
	*model.RegressionView
	spread    float64
	whole     bool
	tolerance float64 // how far an answer may be off and still be right
}

// newNumberPredictor takes a number for right within a step, within a tenth of the range
// where the config gives one, else within half a standard deviation of the answers.
func newNumberPredictor(q *Spec, m Incremental) numberPredictor {
	n := numberPredictor{Spec: q, RegressionView: m.(*model.Regression).View()}
	n.spread, n.whole = n.Spread()
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

// predictNumber is the number said of a text and how probably it is right.
func (n numberPredictor) predictNumber(x vector.Vector, s *Scratch) (said, sure float64) {
	mean, sd := n.Predict(x, &s.Scratch)
	switch {
	case n.whole:
		mean = math.Round(mean)
	case n.spread > 0: // no more digits than mean something
		unit := math.Pow(10, math.Floor(math.Log10(n.spread))-2)
		mean = math.Round(mean/unit) * unit
	}
	sure = 1
	if sd > 0 && n.tolerance > 0 {
		sure = math.Erf(n.tolerance / sd / math.Sqrt2)
	}
	// What few answers have in common may be chance (Laplace's rule).
	count := float64(n.Examples())
	return n.Control.Numbers.Nearest(mean), sure * count / (count + 1)
}

func (n numberPredictor) Classes() int { return 0 }

func (n numberPredictor) Answer(id string, in Sample, s *Scratch) ([]regions.Region, float64) {
	said, sure := n.predictNumber(in.X, s)
	return []regions.Region{regions.EncodeNumber(n.Control, id, said, sure)}, sure
}

func (n numberPredictor) Estimate(in Sample, _ []float64, s *Scratch) event.Estimate {
	_, certainty := n.predictNumber(in.X, s)
	return event.Estimate{Control: n.Control.Name, Certainty: certainty}
}
