package score

import (
	"maps"
	"math"
	"slices"
)

// Add adds a task, which weighs as much as every other.
func (s *Scores) Add(o Outcome) { s.add(o, 1) }

// minProbability keeps logarithms finite.
const minProbability = 1e-12

// AddProbabilities adds the log-loss and the calibration of a task's probabilities; Add adds
// the task itself. p holds one a label; truth holds the labels that apply, one if labels
// exclude each other.
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

// Answers returns the answers that probabilities give: of exclusive labels the likeliest,
// otherwise of each whether it applies.
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

// CountLabels counts hits, false alarms and misses by label where what is compared is more
// than a label, such as a span; label returns the label of one.
func CountLabels(truth, predicted []string, label func(string) string) map[string][3]float64 {
	counts := map[string][3]float64{}
	count := func(of string, column int) {
		c := counts[label(of)]
		c[column]++
		counts[label(of)] = c
	}
	for _, p := range predicted {
		if slices.Contains(truth, p) {
			count(p, hit)
		} else {
			count(p, falseAlarm)
		}
	}
	for _, t := range truth {
		if !slices.Contains(predicted, t) {
			count(t, miss)
		}
	}
	return counts
}

// MicroF1 returns the F1 of all answers together, whatever their label.
func (s *Scores) MicroF1() float64 {
	var hits, all float64
	for _, l := range s.labelNames() {
		c := s.Labels[l]
		hits += c[hit]
		all += 2*c[hit] + c[falseAlarm] + c[miss]
	}
	return Ratio(2*hits, all)
}

// MacroF1Of returns MacroF1 with the sum taken in the order of these labels, which must be
// all that annotators may give.
func (s *Scores) MacroF1Of(labels []string) float64 {
	var sum, n float64
	for _, l := range labels {
		c := s.Labels[l]
		if c[hit]+c[miss] > 1e-9 {
			sum += 2 * c[hit] / (2*c[hit] + c[falseAlarm] + c[miss])
			n++
		}
	}
	return Ratio(sum, n)
}

// labelNames returns the counted labels, sorted: sums depend on the order.
func (s *Scores) labelNames() []string { return slices.Sorted(maps.Keys(s.Labels)) }
