// Package score measures predictions against the answers of annotators: accuracy, F1,
// errors and calibration.
package score

import (
	"math"
	"slices"
)

// decay is the factor by which each new task reduces the weight of earlier ones in the
// recent scores, which so are about the last 50 tasks.
const decay = 0.98

// Prequential scores the predictions that a head made of tasks just before it learned
// them, each task once (test-then-train; Dawid 1984, Gama et al. 2013). It is for one
// goroutine, and is stored as JSON.
type Prequential struct {
	Cumulative Scores `json:"all"`
	Recent     Scores `json:"fading"`
}

// Scores are sums over tasks, in which later tasks may weigh more.
type Scores struct {
	Tasks   float64 `json:"n"`
	Correct float64 `json:"right"`
	LogLoss float64 `json:"log_loss"`
	AbsErr  float64 `json:"far,omitempty"`
	SqErr   float64 `json:"far2,omitempty"`
	// Labels holds by label the number of hits, false alarms and misses.
	Labels map[string][3]float64 `json:"labels,omitempty"`
	// Bins holds by confidence the number of answers, the sum of their confidence, and the
	// number of correct ones.
	Bins [bins][3]float64 `json:"bets,omitzero"`
}

// bins is into how many the calibration error divides confidences.
const bins = 15

// Outcome compares a prediction of one task with the answer.
type Outcome struct {
	Truth, Predicted []string              // labels of the answer and of the prediction, if it is about labels
	Counts           map[string][3]float64 // in their place: hits, false alarms and misses by label
	Correct          bool
	LogLoss          *float64 // nil where there is none
	AbsErr           *float64 // distance of the prediction from the answer, nil where there is none
	Answers          []Answer
}

// Answer is one of the answers in a prediction: the probability that the model gave it, 0
// to 1, and whether it is correct.
type Answer struct {
	Confidence float64
	Correct    bool
}

// Add adds a task to both scores.
func (p *Prequential) Add(o Outcome) {
	p.Cumulative.add(o, 1)
	p.Recent.add(o, decay)
}

// decay multiplies all sums.
func (s *Scores) decay(factor float64) {
	for _, v := range []*float64{&s.Tasks, &s.Correct, &s.LogLoss, &s.AbsErr, &s.SqErr} {
		*v *= factor
	}
	for l, c := range s.Labels {
		s.Labels[l] = [3]float64{c[0] * factor, c[1] * factor, c[2] * factor}
	}
	for b, c := range s.Bins {
		s.Bins[b] = [3]float64{c[0] * factor, c[1] * factor, c[2] * factor}
	}
}

// add adds a task to sums that were multiplied by a factor.
func (s *Scores) add(o Outcome, factor float64) {
	if s.Labels == nil {
		s.Labels = map[string][3]float64{}
	}
	if factor != 1 {
		s.decay(factor)
	}
	s.Tasks++
	if o.Correct {
		s.Correct++
	}
	if o.LogLoss != nil {
		s.LogLoss += *o.LogLoss
	}
	if o.AbsErr != nil {
		s.AbsErr += *o.AbsErr
		s.SqErr += *o.AbsErr * *o.AbsErr
	}
	for _, a := range o.Answers {
		s.addAnswer(a)
	}
	s.addLabels(o)
}

// Columns of the counts of a label.
const (
	hit = iota
	falseAlarm
	miss
)

// addLabels counts the labels of a task.
func (s *Scores) addLabels(o Outcome) {
	s.addCounts(o.Counts)
	s.addCounts(CountLabels(o.Truth, o.Predicted, func(label string) string { return label }))
}

func (s *Scores) addCounts(counts map[string][3]float64) {
	for label, n := range counts {
		c := s.Labels[label]
		s.Labels[label] = [3]float64{c[0] + n[0], c[1] + n[1], c[2] + n[2]}
	}
}

// addAnswer adds an answer to the bin of its confidence.
func (s *Scores) addAnswer(a Answer) {
	bin := &s.Bins[min(max(int(a.Confidence*bins), 0), bins-1)]
	bin[0]++
	bin[1] += a.Confidence
	if a.Correct {
		bin[2]++
	}
}

// Retain deletes the counts of labels other than these.
func (p *Prequential) Retain(labels []string) {
	for _, s := range []*Scores{&p.Cumulative, &p.Recent} {
		for l := range s.Labels {
			if !slices.Contains(labels, l) {
				delete(s.Labels, l)
			}
		}
	}
}

// Accuracy returns the share of tasks whose prediction was correct.
func (s *Scores) Accuracy() float64 { return Ratio(s.Correct, s.Tasks) }

// MeanLogLoss returns the mean over tasks.
func (s *Scores) MeanLogLoss() float64 { return Ratio(s.LogLoss, s.Tasks) }

// Precision returns the share of predictions of a label that were right, and how many there
// were, each with its weight.
func (s *Scores) Precision(label string) (precision, predictions float64) {
	c := s.Labels[label]
	predictions = c[hit] + c[falseAlarm]
	return Ratio(c[hit], predictions), predictions
}

// MAE returns the mean absolute error.
func (s *Scores) MAE() float64 { return Ratio(s.AbsErr, s.Tasks) }

// RMSE returns the root of the mean squared error.
func (s *Scores) RMSE() float64 { return math.Sqrt(Ratio(s.SqErr, s.Tasks)) }

// ECE returns the expected calibration error: the mean over answers of the difference
// between confidence and accuracy in their bin (Naeini, Cooper & Hauskrecht 2015).
func (s *Scores) ECE() float64 {
	var gap, n float64
	for _, c := range s.Bins {
		gap += math.Abs(c[1] - c[2])
		n += c[0]
	}
	return Ratio(gap, n)
}

// MacroF1 returns the mean F1 over the labels that annotators gave.
func (s *Scores) MacroF1() float64 { return s.MacroF1Of(s.labelNames()) }

// Ratio returns a / b, and 0 where that is no number.
func Ratio(a, b float64) float64 {
	if b == 0 || math.IsNaN(a) {
		return 0
	}
	return a / b
}
