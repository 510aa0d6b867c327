package simulate

import (
	"context"
	"encoding/json"
	"slices"

	"github.com/hone-ml/hone/event"
	"github.com/hone-ml/hone/labelstudio/regions"
	"github.com/hone-ml/hone/labelstudio/wire"
	"github.com/hone-ml/hone/learner/score"
)

// measure predicts the test tasks as /predict does and scores the predictions.
func (r *curveRun) measure(ctx context.Context) (Point, error) {
	predictions, err := r.learner.Predict(ctx, projectID, "", r.test)
	if err != nil {
		return Point{}, err
	}
	estimates, _, err := r.learner.Estimates(ctx, projectID, r.test)
	if err != nil {
		return Point{}, err
	}
	p := Point{Labels: r.labels}
	var asked, labelled, probable, numeric, spans float64
	for i, q := range r.questions {
		s := r.scoresOf(i, predictions, estimates)
		if s.Tasks == 0 {
			continue
		}
		asked++
		p.Accuracy += s.Accuracy()
		if q.answer.Numeric() {
			numeric++
			p.MAE += s.MAE()
			p.RMSE += s.RMSE()
		}
		if !q.isNumber() {
			labelled++
			p.MacroF1 += s.MacroF1Of(q.labels)
		}
		if q.isSpans() {
			spans++
			p.SpanF1 += s.MicroF1()
			continue
		}
		p.ECE += s.ECE()
		if !q.isNumber() {
			probable++
			p.LogLoss += s.MeanLogLoss()
		}
	}
	p.Accuracy /= asked
	p.MacroF1 /= max(1, labelled)
	p.LogLoss /= max(1, probable)
	p.ECE /= max(1, asked-spans)
	p.MAE, p.RMSE = p.MAE/max(1, numeric), p.RMSE/max(1, numeric)
	p.SpanF1 /= max(1, spans)
	return p, nil
}

// scoresOf scores the predictions of one question, and the model's probabilities where it
// is about labels of the whole text.
func (r *curveRun) scoresOf(i int, predictions []wire.Prediction, estimates [][]event.Estimate) score.Scores {
	q := &r.questions[i]
	var s score.Scores
	var by errorScale
	if q.answer.Numeric() {
		by = r.errorScaleOf(i)
	}
	for j, it := range r.Data.test {
		truth := it.truth[i]
		if truth == nil {
			continue
		}
		if q.isNumber() {
			s.Add(q.numberOutcome(truth, predictions[j], by))
			continue
		}
		o := q.labelOutcome(truth, predictions[j], it.task.Data)
		if q.answer.Numeric() {
			o.AbsErr = q.distance(truth, predictions[j], by)
		}
		s.Add(o)
		if !q.isSpans() {
			d := q.distributionFor(estimates[j])
			s.AddProbabilities(truth.labels, d.Labels, d.P, d.Exclusive)
		}
	}
	return s
}

// labelOutcome compares a prediction that consists of labels, or of marks, with the truth.
func (q *question) labelOutcome(truth *answer, prediction wire.Prediction, data json.RawMessage) score.Outcome {
	var said []string
	answered := false
	if !prediction.Abstains() && q.isSpans() {
		if m := q.readMarks(prediction.Result, data); m != nil {
			said, answered = m.labels, true
		}
	} else if !prediction.Abstains() {
		a := regions.Choices(q.Control, prediction.Result)
		said, answered = a.Labels, a.OK || q.Multiple
	}
	return compare(truth.labels, said, answered)
}

// compare counts the labels of marks. The prediction is correct if it has exactly the marks
// of the truth.
func compare(truth, said []string, answered bool) score.Outcome {
	missing := slices.ContainsFunc(truth, func(l string) bool { return !slices.Contains(said, l) })
	return score.Outcome{
		Counts:  score.CountLabels(truth, said, labelOf),
		Correct: answered && len(truth) == len(said) && !missing,
	}
}

// distributionFor returns the model's distribution for the question. Without one all labels
// are equally likely.
func (q *question) distributionFor(estimates []event.Estimate) event.Distribution {
	for _, e := range estimates {
		if e.Control == q.Name && e.Classes != nil {
			return *e.Classes
		}
	}
	d := event.Distribution{Labels: q.labels, P: make([]float64, len(q.labels)), Exclusive: !q.Multiple}
	for i := range d.P {
		d.P[i] = 1 / float64(len(q.labels))
		if q.Multiple {
			d.P[i] = 0.5
		}
	}
	return d
}
