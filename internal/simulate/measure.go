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

// measure asks the model for the test tasks, as /predict does.
func (r *run) measure(ctx context.Context) (Point, error) {
	answers, err := r.learner.Predict(ctx, project, "", r.test)
	if err != nil {
		return Point{}, err
	}
	dists, _, err := r.learner.Distributions(ctx, project, r.test)
	if err != nil {
		return Point{}, err
	}
	p := Point{Labels: r.labels}
	var asked, labelled, probable, numeric, spans float64
	for i, q := range r.questions {
		s := r.scoresOf(i, answers, dists)
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

// scoresOf scores the answers to one question, and the model's probabilities where it is
// about labels of the whole text.
func (r *run) scoresOf(i int, answers []wire.Prediction, dists [][]event.Distribution) score.Scores {
	q := &r.questions[i]
	var s score.Scores
	var scale scale
	if q.answer.Numeric() {
		scale = r.scaleOf(i)
	}
	for j, it := range r.Data.test {
		truth := it.truth[i]
		if truth == nil {
			continue
		}
		if q.isNumber() {
			s.Add(q.numberOutcome(truth, answers[j], scale))
			continue
		}
		o := q.labelOutcome(truth, answers[j], it.task.Data)
		if q.answer.Numeric() {
			o.AbsErr = q.distance(truth, answers[j], scale)
		}
		s.Add(o)
		if !q.isSpans() {
			d := q.believed(dists[j])
			s.AddProbabilities(truth.labels, d.Labels, d.P, d.Exclusive)
		}
	}
	return s
}

// labelOutcome compares an answer that consists of labels, or of marks, with the truth.
func (q *question) labelOutcome(truth *truth, answer wire.Prediction, data json.RawMessage) score.Outcome {
	var said []string
	answered := false
	if !answer.Abstains() && q.isSpans() {
		if m := q.marked(answer.Result, data); m != nil {
			said, answered = m.labels, true
		}
	} else if !answer.Abstains() {
		a := regions.Choices(q.Control, answer.Result)
		said, answered = a.Labels, a.OK || q.Multiple
	}
	return compare(truth.labels, said, answered)
}

// compare counts the labels of marks, and is correct where an answer has exactly the marks
// of the truth.
func compare(truth, said []string, answered bool) score.Outcome {
	o := score.Outcome{Counts: map[string][3]float64{}, Correct: answered && len(truth) == len(said)}
	count := func(mark string, column int) {
		c := o.Counts[labelOf(mark)]
		c[column]++
		o.Counts[labelOf(mark)] = c
	}
	for _, l := range said {
		if slices.Contains(truth, l) {
			count(l, 0)
		} else {
			count(l, 1)
		}
	}
	for _, l := range truth {
		if !slices.Contains(said, l) {
			count(l, 2)
			o.Correct = false
		}
	}
	return o
}

// believed is the model's distribution for the question; where it has none all
// labels are as likely.
func (q *question) believed(dists []event.Distribution) event.Distribution {
	for _, d := range dists {
		if d.Control == q.Name {
			return d
		}
	}
	d := event.Distribution{Control: q.Name, Labels: q.labels, P: make([]float64, len(q.labels)), Exclusive: !q.Multiple}
	for i := range d.P {
		d.P[i] = 1 / float64(len(q.labels))
		if q.Multiple {
			d.P[i] = 0.5
		}
	}
	return d
}
