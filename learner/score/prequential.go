// Package score counts how well predictions turn out: accuracy, F1, errors and
// calibration.
package score

import (
	"math"
	"slices"
)

// decay is the factor by which the recent scores forget at every new task: they look
// about 50 tasks back.
const decay = 0.98

// Prequential is how well a head predicted tasks just before it learned them
// (test-then-train; Dawid 1984, Gama et al. 2013), each task once. It is for one
// goroutine, and is stored as JSON.
type Prequential struct {
	Cumulative Scores `json:"all"`
	Recent     Scores `json:"fading"`
}

// Scores are sums over tasks, of which the last may count more.
type Scores struct {
	Tasks   float64 `json:"n"`
	Correct float64 `json:"right"`
	LogLoss float64 `json:"log_loss"`
	AbsErr  float64 `json:"far,omitempty"`
	SqErr   float64 `json:"far2,omitempty"`
	// Labels count by label name: hits, false alarms, misses.
	Labels map[string][3]float64 `json:"labels,omitempty"`
	// Bins are by confidence: how many answers, the sum of their confidence, how many
	// were correct.
	Bins [bins][3]float64 `json:"bets,omitzero"`
}

// bins of the calibration error.
const bins = 15

// Outcome is how a prediction of one task turned out.
type Outcome struct {
	Truth, Said []string              // labels that people gave and those predicted, if it is about labels
	Counts      map[string][3]float64 // in their place: hits, false alarms and misses by label
	Correct     bool
	LogLoss     *float64 // nil where there is none
	AbsErr      *float64 // distance of what was said from the truth, nil where there is none
	Answers     []Answer
}

// Answer is one of the answers in a prediction: the probability that the model gave it, 0
// to 1, and whether it is so.
type Answer struct {
	Confidence float64
	Correct    bool
}

// Add counts a task.
func (p *Prequential) Add(o Outcome) {
	p.Cumulative.add(o, 1)
	p.Recent.add(o, decay)
}

func (s *Scores) decay(keep float64) {
	for _, v := range []*float64{&s.Tasks, &s.Correct, &s.LogLoss, &s.AbsErr, &s.SqErr} {
		*v *= keep
	}
	for l, c := range s.Labels {
		s.Labels[l] = [3]float64{c[0] * keep, c[1] * keep, c[2] * keep}
	}
	for b, c := range s.Bins {
		s.Bins[b] = [3]float64{c[0] * keep, c[1] * keep, c[2] * keep}
	}
}

func (s *Scores) add(o Outcome, keep float64) {
	if s.Labels == nil {
		s.Labels = map[string][3]float64{}
	}
	if keep != 1 {
		s.decay(keep)
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
	for _, b := range o.Answers {
		s.addAnswer(b)
	}
	for label, n := range o.Counts {
		c := s.Labels[label]
		for what := range n {
			c[what] += n[what]
		}
		s.Labels[label] = c
	}
	truth, said := o.Truth, o.Said
	count := func(label string, what int) {
		c := s.Labels[label]
		c[what]++
		s.Labels[label] = c
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
		}
	}
}

// addAnswer counts one answer by its confidence.
func (s *Scores) addAnswer(a Answer) {
	c := &s.Bins[min(max(int(a.Confidence*bins), 0), bins-1)]
	c[0]++
	c[1] += a.Confidence
	if a.Correct {
		c[2]++
	}
}

// Retain drops the counts of labels that are gone.
func (p *Prequential) Retain(labels []string) {
	for _, s := range []*Scores{&p.Cumulative, &p.Recent} {
		for l := range s.Labels {
			if !slices.Contains(labels, l) {
				delete(s.Labels, l)
			}
		}
	}
}

// Accuracy is the share of tasks whose answer was exactly right.
func (s *Scores) Accuracy() float64 { return Ratio(s.Correct, s.Tasks) }

// MeanLogLoss is the mean over tasks.
func (s *Scores) MeanLogLoss() float64 { return Ratio(s.LogLoss, s.Tasks) }

// MAE is the mean absolute error.
func (s *Scores) MAE() float64 { return Ratio(s.AbsErr, s.Tasks) }

// RMSE is the root of the mean squared error.
func (s *Scores) RMSE() float64 { return math.Sqrt(Ratio(s.SqErr, s.Tasks)) }

// ECE is the expected calibration error: how far apart, on average, are how sure
// the model was and how often it was right (Naeini, Cooper & Hauskrecht 2015).
func (s *Scores) ECE() float64 {
	var off, n float64
	for _, c := range s.Bins {
		off += math.Abs(c[1] - c[2])
		n += c[0]
	}
	return Ratio(off, n)
}

// MacroF1 is the mean F1 over the labels that people gave.
func (s *Scores) MacroF1() float64 { return s.MacroF1Of(s.labelNames()) }

// Ratio is a / b, and 0 where that is no number.
func Ratio(a, b float64) float64 {
	if b == 0 || math.IsNaN(a) {
		return 0
	}
	return a / b
}
