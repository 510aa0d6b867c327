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

// shares returns a share of 1 for each label.
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
	return model.NewFrom(q.prior(s), len(q.Labels), q.Link(), s)
}

// NewModelInKernel implements Kernelized.
func (choices) NewModelInKernel(q *Spec, k *model.Kernel, s model.Settings) Incremental {
	return model.NewInKernel(k, q.prior(s), len(q.Labels), q.Link(), s)
}

// Link says whether one label holds, or any number of them.
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
	p.Add(q.outcome(e.Target, probabilities, c.NoLabelShare()))
}

// outcome compares predicted probabilities with a target. none is the share of examples
// without a label.
func (q *Spec) outcome(target []model.Share, p []float64, none float64) score.Outcome {
	truth, loss := q.majorityAndLoss(target, p)
	labels := q.decide(p, none)
	return score.Outcome{Truth: truth, Predicted: labels, Correct: slices.Equal(truth, labels), LogLoss: &loss, Answers: q.answers(truth, p)}
}

// answers returns the confidence in the likeliest label and whether it is correct; with
// multiple choice one answer a label, that it holds or that it does not.
func (q *Spec) answers(truth []string, p []float64) []score.Answer {
	return score.Answers(truth, q.Labels, p, !q.Control.Multiple)
}

// Evaluate takes the log-loss. The squared error trusts label names too little where
// there are many classes.
func (choices) Evaluate(q *Spec, m Incremental, examples []model.Example) (loss, accuracy float64) {
	p := make([]float64, len(q.Labels))
	var s model.Scratch
	c := m.(evaluated)
	correct := 0
	for _, e := range examples {
		c.PredictExample(e, p, &s)
		truth, l := q.majorityAndLoss(e.Target, p)
		loss += l
		if slices.Equal(truth, q.decide(p, c.NoLabelShare())) {
			correct++
		}
	}
	return loss, score.Ratio(float64(correct), float64(len(examples)))
}

// LogLosses implements Probable.
func (choices) LogLosses(q *Spec, m Incremental, examples []model.Example, weights, powers []float64) []float64 {
	p, raised := make([]float64, len(q.Labels)), make([]float64, len(q.Labels))
	var s model.Scratch
	losses := make([]float64, len(powers))
	for at, e := range examples {
		m.(evaluated).PredictExample(e, p, &s)
		for i, power := range powers {
			q.Link().Sharpen(raised, p, power)
			_, loss := q.majorityAndLoss(e.Target, raised)
			losses[i] += weights[at] * loss
		}
	}
	return losses
}

// ConfidenceLosses implements Probable.
func (c choices) ConfidenceLosses(q *Spec, m Incremental, examples []model.Example, weights, powers []float64) []float64 {
	if q.Control.Multiple {
		return c.LogLosses(q, m, examples, weights, powers)
	}
	p, raised := make([]float64, len(q.Labels)), make([]float64, len(q.Labels))
	var s model.Scratch
	losses := make([]float64, len(powers))
	for at, e := range examples {
		m.(evaluated).PredictExample(e, p, &s)
		best, right := argmax(p), 0.0
		for _, share := range e.Target {
			if int(share.Class) == best {
				right += float64(share.P)
			}
		}
		for i, power := range powers {
			q.Link().Sharpen(raised, p, power)
			sure := raised[best]
			losses[i] -= weights[at] * (right*math.Log(max(sure, 1e-12)) + (1-right)*math.Log(max(1-sure, 1e-12)))
		}
	}
	return losses
}

// decide returns the labels predicted from probabilities: the likeliest, or with multiple
// choice all above the threshold, at most as many as the control takes. If no label is
// above it, the likeliest is predicted if the control requires an answer, or if it is
// likelier than none, the share of examples without a label.
func (q *Spec) decide(p []float64, none float64) []string {
	if !q.Control.Multiple {
		return []string{q.Labels[argmax(p)]}
	}
	least := q.threshold
	if most := q.Control.MaxUsages; most > 0 && most < len(p) {
		sorted := slices.Clone(p)
		slices.Sort(sorted)
		least = max(least, math.Nextafter(sorted[len(p)-most-1], 1))
	}
	var labels []string
	for y, v := range p {
		if v >= least {
			labels = append(labels, q.Labels[y])
		}
	}
	if len(labels) > 0 {
		return labels
	}
	if best := argmax(p); q.Control.Required || p[best] > none {
		labels = append(labels, q.Labels[best])
	}
	return labels
}

// majorityAndLoss returns the labels that most annotators gave, and the log-loss of p.
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

// confidence returns the probability of the predicted label; with multiple choice the mean
// over the labels of the probability that each is rightly predicted or left out.
func (q *Spec) confidence(p []float64, labels []string) float64 {
	if !q.Control.Multiple {
		return p[argmax(p)]
	}
	var sum float64
	for y, v := range p {
		if slices.Contains(labels, q.Labels[y]) {
			sum += v
		} else {
			sum += 1 - v
		}
	}
	return sum / float64(len(p))
}

// minProbability returns the probability of the least likely of the labels that are said, 1 for
// none: each of them is at least that likely. It is the score of their region. Confidence
// also counts the labels that are left out, of which most are plainly wrong where there are
// many, and so says little of those that people see.
func (q *Spec) minProbability(p []float64, labels []string) float64 {
	least := 1.0
	for _, l := range labels {
		least = min(least, p[q.class[l]])
	}
	return least
}

// argmax returns the index of the highest number, the first of equals.
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
	view *model.View
}

func (c choicesPredictor) Examples() int { return c.view.Examples() }

func (c choicesPredictor) Classes() int { return len(c.Labels) }

func (c choicesPredictor) Predict(id string, in Sample, s *Scratch) ([]regions.Region, float64) {
	p := s.floats(len(c.Labels))
	c.view.Predict(in.X, p, &s.Scratch)
	labels := c.decide(p, c.view.NoLabelShare())
	confidence := c.confidence(p, labels)
	if labels = c.spoken(labels); len(labels) == 0 {
		return nil, confidence
	}
	return []regions.Region{regions.EncodeChoices(c.Control, id, labels, c.minProbability(p, labels))}, confidence
}

// Estimate is of one question with all labels for answers, or of one question a label where
// several may hold. The paths of a Taxonomy are labels like others: that two of them share a
// branch does not count.
func (c choicesPredictor) Estimate(in Sample, p []float64, s *Scratch) event.Estimate {
	c.view.Predict(in.X, p, &s.Scratch)
	e := c.estimate(p, !c.Control.Multiple)
	e.Classes.Labelled = c.view.ClassCounts()
	return e
}

// estimate returns the estimate of a head whose labels have the probabilities p.
func (q *Spec) estimate(p []float64, exclusive bool) event.Estimate {
	return event.Estimate{Control: q.Control.Name, Classes: &event.Distribution{Labels: q.Labels, P: p, Exclusive: exclusive}}
}
