package event

import "time"

// Confidence sums up how confident a head is over some tasks. For exclusive labels its
// confidence in a task is the probability of the likeliest; otherwise the mean over the
// labels, each of which holds or does not.
type Confidence struct {
	Tasks int
	// Mean and Variance are over the tasks.
	Mean, Variance float64
}

// HeldOut is the prediction of a labelled task by a model of all other labelled tasks.
type HeldOut struct {
	Task    TaskID
	Correct bool
	// Confidence is as for Confidence, negative for a head without classes.
	Confidence float64
}

// LeftOut says how a project's models predict labelled tasks that they have not learned.
type LeftOut struct {
	// Labels and Snapshot are those of the models.
	Labels   int
	Snapshot uint64
	// Heads holds the predictions by control.
	Heads map[string][]HeldOut
	// Asked holds by control the accuracy over all tasks, each predicted just before it was
	// learned.
	Asked map[string]float64
}

// Accuracy estimates how large a share of a project's tasks a head answers correctly.
type Accuracy struct {
	Control string `json:"control"`
	// Estimate, and the bounds of its 95 % confidence interval.
	Estimate float64 `json:"estimate"`
	Low      float64 `json:"low"`
	High     float64 `json:"high"`
	// Random is the number of labelled tasks that it comes from.
	Random int `json:"random"`
}

// AccuracyPoint is one point of a learning curve.
type AccuracyPoint struct {
	// Labels is the number of annotations that some head had learned from.
	Labels int        `json:"labels"`
	At     time.Time  `json:"at"`
	Heads  []Accuracy `json:"heads"`
	// Asked holds by control the accuracy over all tasks, each predicted just before it
	// was learned. Tasks are mostly those that the model was unsure of.
	Asked map[string]float64 `json:"asked,omitempty"`
}
