package sampler

import (
	"context"
	"math"

	"github.com/hone-ml/hone/event"
	"github.com/hone-ml/hone/internal/cut"
)

const (
	// balanceStep is what a label counts.
	balanceStep = 1 << 12
	// leastBalanced is the probability below which a label of a task does not count.
	leastBalanced = 0.01
)

// pickBalanced picks one after the other the task with the most uncertainty less the rise of the
// distance between the labels that would be there and equally many of each (Bengar et al. 2022,
// with their weight of 1). The distance is the sum over labels of how far the labelled tasks, and
// the picked ones by their probabilities, are from what is lacking; equally many is rounded up,
// so that with fewer tasks than labels each label is worth finding. Of several heads it is the
// mean. ok is false where no head counts its labels.
func pickBalanced(_ context.Context, s *selection) (out []picked, ok bool, _ error) {
	heads := map[string]*balancedHead{}
	of := make([][]balancedAnswer, len(s.sample))
	for i, estimates := range s.estimates {
		of[i] = balancedAnswers(estimates, heads)
	}
	if len(heads) == 0 {
		return nil, false, nil
	}
	taken := make([]bool, len(s.sample))
	take := func(i int) {
		taken[i] = true
		for _, a := range of[i] {
			a.head.add(a)
		}
	}
	for i := range s.random {
		take(i)
	}
	for range min(keepQueueLengths*s.r.size, len(s.sample)-len(s.random)) {
		for _, h := range heads {
			h.aim()
		}
		best, most := -1, int64(math.MinInt64)
		for i, t := range s.sample {
			if taken[i] {
				continue
			}
			gain := int64(math.Round(balanceStep * s.uncertainty(int64(t.ID))))
			for _, a := range of[i] {
				gain -= a.head.rise(a) / int64(len(of[i]))
			}
			if gain > most { // the first in the order of the sample, of equal ones
				best, most = i, gain
			}
		}
		out = append(out, picked{s.sample[best].ID, balanceReason(of[best])})
		take(best)
	}
	return out, true, nil
}

// balancedHead is what is there of the labels of a head, in steps.
type balancedHead struct {
	control string
	labels  []string
	counted []int   // labelled tasks
	have    []int64 // of them and of the picked tasks
	total   int64
	lack    []int64 // of each label, of equally many; 0 where there are more
	some    bool    // of some labels there are enough
}

// balancedAnswer is what a head says of a task.
type balancedAnswer struct {
	head   *balancedHead
	labels []int
	p      []int64 // of each of them, in steps
	likely []bool  // it is predicted
}

// balancedAnswers returns those of the heads that count their labels. A head that comes first is
// added to heads.
func balancedAnswers(estimates []event.Estimate, heads map[string]*balancedHead) (out []balancedAnswer) {
	for _, e := range estimates {
		d := e.Classes
		if d == nil || len(d.Labelled) != len(d.P) || len(d.P) < 2 {
			continue
		}
		h := heads[e.Control]
		if h == nil {
			h = &balancedHead{control: e.Control, labels: d.Labels, counted: d.Labelled, have: make([]int64, len(d.P)), lack: make([]int64, len(d.P))}
			for y, n := range d.Labelled {
				h.have[y] = int64(n) * balanceStep
				h.total += h.have[y]
			}
			heads[e.Control] = h
		}
		if len(d.P) != len(h.have) {
			continue
		}
		top := d.Likeliest()
		a := balancedAnswer{head: h}
		for y, p := range d.P {
			if p >= leastBalanced { // no NaN is
				a.labels = append(a.labels, y)
				a.p = append(a.p, int64(math.Round(balanceStep*min(p, 1))))
				a.likely = append(a.likely, d.Exclusive && y == top || !d.Exclusive && p >= 0.5)
			}
		}
		out = append(out, a)
	}
	return out
}

// add counts a task that is asked.
func (h *balancedHead) add(a balancedAnswer) {
	for i, y := range a.labels {
		h.have[y] += a.p[i]
		h.total += a.p[i]
	}
}

// aim computes what is lacking, once one label more is there.
func (h *balancedHead) aim() {
	each := int64(len(h.have)) * balanceStep
	equal := (h.total + balanceStep + each - 1) / each * balanceStep
	h.some = false
	for y, n := range h.have {
		h.lack[y] = max(0, equal-n)
		h.some = h.some || h.lack[y] == 0
	}
}

// rise returns by how much an answer would raise the distance.
func (h *balancedHead) rise(a balancedAnswer) (sum int64) {
	for i, y := range a.labels {
		distance := h.lack[y] - a.p[i]
		sum += max(distance, -distance) - h.lack[y]
	}
	return sum
}

// balanceReason is why a task with these answers was picked: for the predicted label that most is
// lacking of while there are enough of others, or else for how unsure the model is.
func balanceReason(of []balancedAnswer) Reason {
	best, most := Reason{Kind: ReasonUncertain}, int64(0)
	for _, a := range of {
		for i, y := range a.labels {
			if a.likely[i] && a.head.some && a.head.lack[y] > most {
				most = a.head.lack[y]
				best = Reason{
					Kind: ReasonBalance, Control: cut.Ellipsis(a.head.control, maxReasonName), Labelled: a.head.counted[y],
					Between: []LabelProbability{labelProbability(a.head.labels[y], float64(a.p[i])/balanceStep)},
				}
			}
		}
	}
	return best
}
