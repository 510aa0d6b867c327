package event

// Estimate says how certain a head is of its answer to one task.
type Estimate struct {
	// Control is the control tag's name.
	Control string
	// Certainty is that of a head without classes: 0 when its answer is a guess, 1 when it
	// cannot be wrong. It is 0 when there are Classes, which say more.
	Certainty float64
	// Classes holds the probabilities of the control's labels. It is nil for a head that does
	// not choose among labels, such as that of a Number or of spans.
	Classes *Distribution
}

// Distribution holds the probability of each label of a control.
type Distribution struct {
	// Labels and P run in parallel. If Exclusive is set, P sums to 1. Otherwise each P, 0 to
	// 1, is independent of the others (multiple choice).
	Labels    []string
	P         []float64
	Exclusive bool
	// Ordered is set, beside Exclusive, when the labels are the levels of a scale, the lowest
	// first, of which the median is answered (a Rating).
	Ordered bool
	// Labelled is how many examples of the head have each label; nil where labels are not
	// counted, as those of a Pairwise, whose sides have no meaning of their own.
	Labelled []int
}

// Median returns the index of the lowest label with at least half of P up to it: the last one
// where P sums to less.
func (d Distribution) Median() int {
	sum := 0.0
	for y, p := range d.P {
		if sum += p; sum >= 0.5 {
			return y
		}
	}
	return len(d.P) - 1
}

// Likeliest returns the index of the label that is answered where one is: the likeliest, the first of
// equals, and of a scale the median.
func (d Distribution) Likeliest() int {
	if d.Ordered {
		return d.Median()
	}
	best := 0
	for y, p := range d.P {
		if p > d.P[best] {
			best = y
		}
	}
	return best
}

// Confidence returns how confident the head is of its answer, as for type Confidence; -1 for a
// head without Classes.
func (e Estimate) Confidence() float64 {
	if e.Classes == nil || len(e.Classes.P) == 0 {
		return -1
	}
	if e.Classes.Ordered {
		return e.Classes.P[e.Classes.Median()]
	}
	sum := 0.0
	for _, p := range e.Classes.P {
		if e.Classes.Exclusive {
			sum = max(sum, p)
		} else {
			sum += max(p, 1-p) / float64(len(e.Classes.P))
		}
	}
	return sum
}
