package event

import "time"

// Entrants are the labelled tasks of which the two models of a contest are made.
type Entrants struct {
	// Random were drawn at random, and Asked were chosen by a strategy.
	Random, Asked []TaskID
	// After is the last annotation before the contest began: answers of it and of those before
	// do not take part.
	After AnnotationID
	// Tried is by control the last annotation whose task has been predicted.
	Tried map[string]AnnotationID
}

// Contest is what a project's contests came to.
type Contest struct {
	Controls []ControlContest
	// Newest is the last annotation that any model has learned from.
	Newest AnnotationID
}

// ControlContest holds the new trials of one control.
type ControlContest struct {
	Control string
	// Key changes when the question does: other labels, or other objects.
	Key    string
	Trials []Trial
	// Tried is the last annotation whose task has been predicted, or passed over because
	// there was nothing to compare.
	Tried AnnotationID
	// More is true when there are more trials to make.
	More bool
	// Random and Asked count the answers that take part.
	Random, Asked int
}

// Trial is one random answer that neither model had learned when both predicted it.
type Trial struct {
	// Asked and Random are true when the model of asked answers, or that of random ones, was right.
	Asked, Random bool
}

// Comparison is what is stored of the contest between a project's strategy and random.
type Comparison struct {
	// Strategy is compared with random; "" before the first look.
	Strategy string    `json:"strategy,omitempty"`
	Since    time.Time `json:"since,omitzero"`
	// After is as in Entrants.
	After    AnnotationID                 `json:"after,omitempty"`
	Controls map[string]ControlComparison `json:"controls,omitempty"`
	// Left is not nil once the strategy was left for random.
	Left *Left `json:"left,omitempty"`
	// Random and Asked count the labelled tasks that were drawn at random, and that the strategy
	// chose, since the comparison began: of the control that has most.
	Random int `json:"random,omitempty"`
	Asked  int `json:"asked,omitempty"`
}

// ControlComparison is what is stored of one control.
type ControlComparison struct {
	Key string `json:"key"`
	// Tried is as in ControlContest.
	Tried AnnotationID `json:"tried,omitempty"`
	// Trials has a letter for each: b both were right, a that of asked answers, r that of random
	// ones, n neither.
	Trials string `json:"trials,omitempty"`
}

// Left says why a strategy was left for random.
type Left struct {
	At      time.Time `json:"at"`
	Control string    `json:"control"`
	// Labels is the number of annotations that had been learned from.
	Labels int `json:"labels"`
	// Trials is their number, and Asked and Random the share of each model that were right. Low
	// and High bound the difference, Asked less Random, with the confidence of the guard.
	Trials int     `json:"trials"`
	Asked  float64 `json:"asked"`
	Random float64 `json:"random"`
	Low    float64 `json:"low"`
	High   float64 `json:"high"`
}
