package learner

import (
	"math"
	"slices"
)

// fading is the factor by which the fading scores forget at every new task:
// they look about 50 tasks back.
const fading = 0.98

// progress is how well a head predicted tasks just before it learned them
// (test-then-train; Dawid 1984, Gama et al. 2013), each task once.
type progress struct {
	All    score `json:"all"`
	Fading score `json:"fading"`
}

type score struct {
	Tasks   float64 `json:"n"`
	Right   float64 `json:"right"`
	LogLoss float64 `json:"log_loss"` // sum
	// Labels count by label name: hits, false alarms, misses.
	Labels map[string][3]float64 `json:"labels,omitempty"`
}

// add counts one task: the labels that people gave, those predicted, and the
// log-loss.
func (p *progress) add(truth, said []string, loss float64) {
	p.All.add(truth, said, loss, 1)
	p.Fading.add(truth, said, loss, fading)
}

func (s *score) add(truth, said []string, loss, keep float64) {
	if s.Labels == nil {
		s.Labels = map[string][3]float64{}
	}
	if keep != 1 {
		s.Tasks *= keep
		s.Right *= keep
		s.LogLoss *= keep
		for l, c := range s.Labels {
			s.Labels[l] = [3]float64{c[0] * keep, c[1] * keep, c[2] * keep}
		}
	}
	s.Tasks++
	s.LogLoss += loss
	if slices.Equal(truth, said) {
		s.Right++
	}
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

// keep drops the counts of labels that are gone.
func (p *progress) keep(labels []string) {
	for _, s := range []*score{&p.All, &p.Fading} {
		for l := range s.Labels {
			if !slices.Contains(labels, l) {
				delete(s.Labels, l)
			}
		}
	}
}

func (s *score) accuracy() float64 { return ratio(s.Right, s.Tasks) }
func (s *score) logLoss() float64  { return ratio(s.LogLoss, s.Tasks) }

// macroF1 is the mean over the labels that people gave.
func (s *score) macroF1() float64 {
	names := make([]string, 0, len(s.Labels))
	for l := range s.Labels {
		names = append(names, l)
	}
	slices.Sort(names) // sums depend on the order
	var sum, n float64
	for _, l := range names {
		c := s.Labels[l]
		if c[0]+c[2] > 1e-9 {
			sum += 2 * c[0] / (2*c[0] + c[1] + c[2])
			n++
		}
	}
	return ratio(sum, n)
}

func ratio(a, b float64) float64 {
	if b == 0 || math.IsNaN(a) {
		return 0
	}
	return a / b
}
