package head

import (
	"encoding/json"
	"math"
	"slices"

	"github.com/hone-ml/hone/encode"
	"github.com/hone-ml/hone/event"
	"github.com/hone-ml/hone/labelstudio/regions"
	"github.com/hone-ml/hone/learner/model"
	"github.com/hone-ml/hone/learner/score"
	"github.com/hone-ml/hone/vector"
)

// choices learns controls that ask for one of their labels, or for several:
// multinomial or one-against-the-rest logistic regression.
type choices struct{}

var (
	_ Kind        = choices{}
	_ LabelPrior  = choices{}
	_ Incremental = (*model.Model)(nil)
)

func (choices) Features(q *Spec, data []byte, e encode.Encoder) vector.Vector {
	return textFeatures(q, data, e)
}

func (choices) Aggregate(q *Spec, t event.TaskState) Aggregate {
	return q.aggregate(t, func(result json.RawMessage) ([]model.Share, bool, error) {
		labels, ok, err := regions.DecodeChoices(q.Control, result)
		return q.shares(labels), ok, err
	})
}

// shares of 1 for each label.
func (q *Spec) shares(labels []string) []model.Share {
	out := make([]model.Share, 0, len(labels))
	for _, l := range labels {
		if c, known := q.class[l]; known {
			out = append(out, model.Share{Class: c, P: 1})
		}
	}
	return out
}

func (choices) NewModel(q *Spec, s model.Settings) Incremental {
	return model.NewFrom(q.Prior, len(q.Labels), q.Link(), s)
}

// Link is how the probabilities of labels hang together.
func (q *Spec) Link() model.Link {
	if q.Control.Multiple {
		return model.Independent
	}
	return model.Exclusive
}

func (choices) Space() Space {
	return Space{Defaults: model.Defaults(), Ridges: ridges, Tunable: true}
}

func (choices) Score(q *Spec, m Incremental, e model.Example, p *score.Prequential) {
	probabilities := make([]float64, len(q.Labels))
	c := m.(*model.Model)
	c.Predict(e.X, probabilities, new(model.Scratch))
	p.Add(q.outcome(e.Target, probabilities, c.None()))
}

// outcome is of probabilities and of how often no label holds.
func (q *Spec) outcome(target []model.Share, p []float64, none float64) score.Outcome {
	truth, loss := q.majorityAndLoss(target, p)
	said := q.decide(p, none)
	return score.Outcome{Truth: truth, Said: said, Correct: slices.Equal(truth, said), LogLoss: &loss, Answers: q.answers(truth, p)}
}

// answers are what the probabilities say is so, and whether it is: of the likeliest
// label, or with multiple choice of each.
func (q *Spec) answers(truth []string, p []float64) []score.Answer {
	return score.Answers(truth, q.Labels, p, !q.Control.Multiple)
}

// evaluate takes the log-loss. The squared error trusts label names too little where
// there are many classes.
func (choices) Evaluate(q *Spec, m Incremental, examples []model.Example) (loss, accuracy float64) {
	p := make([]float64, len(q.Labels))
	var s model.Scratch
	c := m.(*model.Model)
	right := 0
	for _, e := range examples {
		c.Predict(e.X, p, &s)
		truth, l := q.majorityAndLoss(e.Target, p)
		loss += l
		if slices.Equal(truth, q.decide(p, c.None())) {
			right++
		}
	}
	return loss, score.Ratio(float64(right), float64(len(examples)))
}

// multiLabelThreshold is the probability from which on one of several labels is said:
// below a half, because a label that is missing costs an annotator more than a wrong one
// (ADR 18).
const multiLabelThreshold = 0.4

// decide is the labels a head with these probabilities gives: the likeliest, or
// with multiple choice all that are likely enough, but as few and as many as the
// control takes. If none is, it is the likeliest nevertheless when that is likelier
// than that a text has no label, which is none.
func (q *Spec) decide(p []float64, none float64) []string {
	if !q.Control.Multiple {
		return []string{q.Labels[argmax(p)]}
	}
	least := multiLabelThreshold
	if most := q.Control.MaxUsages; most > 0 && most < len(p) {
		sorted := slices.Clone(p)
		slices.Sort(sorted)
		least = max(least, math.Nextafter(sorted[len(p)-most-1], 1))
	}
	var said []string
	for y, v := range p {
		if v >= least {
			said = append(said, q.Labels[y])
		}
	}
	if len(said) > 0 {
		return said
	}
	if best := argmax(p); q.Control.Required || p[best] > none {
		said = append(said, q.Labels[best])
	}
	return said
}

// majorityAndLoss is the truth as labels, by majority, and the log-loss of p.
func (q *Spec) majorityAndLoss(target []model.Share, p []float64) (truth []string, loss float64) {
	if !q.Control.Multiple {
		best := target[0]
		for _, s := range target {
			if s.P > best.P {
				best = s
			}
			loss -= float64(s.P) * math.Log(max(p[s.Class], 1e-12))
		}
		return []string{q.Labels[best.Class]}, loss
	}
	shares := make([]float64, len(p))
	for _, s := range target {
		shares[s.Class] = float64(s.P)
	}
	for y, s := range shares {
		loss -= s*math.Log(max(p[y], 1e-12)) + (1-s)*math.Log(max(1-p[y], 1e-12))
		if s >= 0.5 {
			truth = append(truth, q.Labels[y])
		}
	}
	return truth, loss
}

// confidence is the probability of what choose said; for multiple choice the mean
// over the labels, said or not.
func (q *Spec) confidence(p []float64, said []string) float64 {
	if !q.Control.Multiple {
		return p[argmax(p)]
	}
	var sum float64
	for y, v := range p {
		if slices.Contains(said, q.Labels[y]) {
			sum += v
		} else {
			sum += 1 - v
		}
	}
	return sum / float64(len(p))
}

func argmax(p []float64) int {
	best := 0
	for y := range p {
		if p[y] > p[best] {
			best = y
		}
	}
	return best
}

func (choices) Snapshot(q *Spec, m Incremental) Predictor {
	return choicesPredictor{q, m.(*model.Model).View()}
}

// choicesPredictor is the Predictor of choices.
type choicesPredictor struct {
	*Spec
	*model.View
}

func (c choicesPredictor) Width() int { return len(c.Labels) }

func (c choicesPredictor) Answer(id string, in Sample, s *Scratch) ([]regions.Region, float64) {
	p := s.floats(len(c.Labels))
	c.Predict(in.X, p, &s.Scratch)
	said := c.decide(p, c.None())
	confidence := c.confidence(p, said)
	if len(said) == 0 {
		return nil, confidence
	}
	return []regions.Region{regions.EncodeChoices(c.Control, id, said, confidence)}, confidence
}

func (c choicesPredictor) Distribution(in Sample, p []float64, s *Scratch) event.Distribution {
	c.Predict(in.X, p, &s.Scratch)
	return event.Distribution{Control: c.Control.Name, Labels: c.Labels, P: p, Exclusive: !c.Control.Multiple}
}
