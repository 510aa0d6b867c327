package event

// Estimate is how sure a head is of its answer to one task.
type Estimate struct {
	// Control is the control tag's name.
	Control string
	// Certainty is how sure a head without classes is: 0 when its answer is a guess, 1 when
	// it cannot be wrong. It is 0 where there are classes, which say more.
	Certainty float64
	// Classes are the probabilities of the control's labels. They are nil for a head that
	// does not choose among labels: of a Number, or of spans.
	Classes *Distribution
}

// Distribution holds the probability of each label of a control.
type Distribution struct {
	// Labels and P run in parallel. Exclusive labels sum to 1; otherwise each P stands
	// alone (multiple choice).
	Labels    []string
	P         []float64
	Exclusive bool
}
