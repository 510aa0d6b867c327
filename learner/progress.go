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
	Far     float64 `json:"far,omitempty"`
	Far2    float64 `json:"far2,omitempty"` // sum of squares
	// Labels count by label name: hits, false alarms, misses.
	Labels map[string][3]float64 `json:"labels,omitempty"`
	// Bets are sums by how sure the model was: how many, how sure, how many right.
	Bets [bins][3]float64 `json:"bets,omitzero"`
}

// bins of the calibration error.
const bins = 15

// outcome is how a prediction of one task turned out.
type outcome struct {
	truth, said []string              // labels that people gave and those predicted, if it is about labels
	counts      map[string][3]float64 // in their place: hits, false alarms and misses by label
	right       bool
	loss        *float64 // log-loss, nil where there is none
	far         *float64 // distance of what was said from the truth, nil where there is none
	bets        []bet
}

// bet is one answer: how sure the model was of it, 0 to 1, and whether it is so.
type bet struct {
	sure  float64
	right bool
}

func (p *progress) add(o outcome) {
	p.All.add(o, 1)
	p.Fading.add(o, fading)
}

func (s *score) fade(keep float64) {
	for _, v := range []*float64{&s.Tasks, &s.Right, &s.LogLoss, &s.Far, &s.Far2} {
		*v *= keep
	}
	for l, c := range s.Labels {
		s.Labels[l] = [3]float64{c[0] * keep, c[1] * keep, c[2] * keep}
	}
	for b, c := range s.Bets {
		s.Bets[b] = [3]float64{c[0] * keep, c[1] * keep, c[2] * keep}
	}
}

func (s *score) add(o outcome, keep float64) {
	if s.Labels == nil {
		s.Labels = map[string][3]float64{}
	}
	if keep != 1 {
		s.fade(keep)
	}
	s.Tasks++
	if o.right {
		s.Right++
	}
	if o.loss != nil {
		s.LogLoss += *o.loss
	}
	if o.far != nil {
		s.Far += *o.far
		s.Far2 += *o.far * *o.far
	}
	for _, b := range o.bets {
		c := &s.Bets[min(max(int(b.sure*bins), 0), bins-1)]
		c[0]++
		c[1] += b.sure
		if b.right {
			c[2]++
		}
	}
	for label, n := range o.counts {
		c := s.Labels[label]
		for what := range n {
			c[what] += n[what]
		}
		s.Labels[label] = c
	}
	truth, said := o.truth, o.said
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
func (s *score) mae() float64      { return ratio(s.Far, s.Tasks) }
func (s *score) rmse() float64     { return math.Sqrt(ratio(s.Far2, s.Tasks)) }

// ece is the expected calibration error: how far apart, on average, are how sure
// the model was and how often it was right (Naeini, Cooper & Hauskrecht 2015).
func (s *score) ece() float64 {
	var off, n float64
	for _, c := range s.Bets {
		off += math.Abs(c[1] - c[2])
		n += c[0]
	}
	return ratio(off, n)
}

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
