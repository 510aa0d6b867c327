package score

import (
	"maps"
	"math"
	"slices"
)

// Add counts a task, with the weight of every other.
func (s *Scores) Add(o Outcome) { s.add(o, 1) }

// minProbability keeps logarithms finite.
const minProbability = 1e-12

// AddProbabilities adds to the log-loss and to the calibration what probabilities of labels
// say of a task that Add counts: p holds one a label, and truth the labels that apply, one
// if they are exclusive.
func (s *Scores) AddProbabilities(truth, labels []string, p []float64, exclusive bool) {
	for y, l := range labels {
		switch applies := slices.Contains(truth, l); {
		case applies:
			s.LogLoss -= math.Log(max(p[y], minProbability))
		case !exclusive:
			s.LogLoss -= math.Log(max(1-p[y], minProbability))
		}
	}
	for _, a := range Answers(truth, labels, p, exclusive) {
		s.addAnswer(a)
	}
}

// Answers are those that probabilities give: of exclusive labels the likeliest, otherwise
// of each whether it applies.
func Answers(truth, labels []string, p []float64, exclusive bool) []Answer {
	if len(p) == 0 {
		return nil
	}
	if exclusive {
		best := 0
		for y := range p {
			if p[y] > p[best] {
				best = y
			}
		}
		return []Answer{{Confidence: p[best], Correct: slices.Contains(truth, labels[best])}}
	}
	out := make([]Answer, len(p))
	for y, v := range p {
		out[y] = Answer{Confidence: max(v, 1-v), Correct: slices.Contains(truth, labels[y]) == (v >= 0.5)}
	}
	return out
}

// MicroF1 is the F1 of all answers together, whatever their label.
func (s *Scores) MicroF1() float64 {
	var hits, all float64
	for _, l := range s.labelNames() {
		c := s.Labels[l]
		hits += c[0]
		all += 2*c[0] + c[1] + c[2]
	}
	return Ratio(2*hits, all)
}

// MacroF1Of is MacroF1 with the sum taken in the order of the labels, which must be all
// that people may give.
func (s *Scores) MacroF1Of(labels []string) float64 {
	var sum, n float64
	for _, l := range labels {
		c := s.Labels[l]
		if c[0]+c[2] > 1e-9 {
			sum += 2 * c[0] / (2*c[0] + c[1] + c[2])
			n++
		}
	}
	return Ratio(sum, n)
}

// labelNames are those that were counted, sorted: sums depend on the order.
func (s *Scores) labelNames() []string { return slices.Sorted(maps.Keys(s.Labels)) }
