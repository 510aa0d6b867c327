package event

import "time"

// Draw is one draw of a task whose probability is known.
type Draw struct {
	// Number counts the draws of a project, from 0.
	Number uint64 `json:"number"`
	Task   TaskID `json:"task"`
	// Q is the probability with which Task was drawn, above 0, from Left tasks: those that were neither labelled nor drawn, and whose
	// TaskID.Hash is at most Within. Of many tasks those are a random sample.
	Q      float64 `json:"q"`
	Left   int     `json:"left"`
	Within uint64  `json:"within"`
	// Inverse is the sum of 1/q over all of them.
	Inverse float64 `json:"inverse"`
	// Random is set when all had the same probability, as in a share of the draws that is drawn too.
	Random bool      `json:"random,omitempty"`
	At     time.Time `json:"at"`
	// Strategy and Version are those that the probabilities were made by.
	Strategy string `json:"strategy"`
	Version  string `json:"version"`
	// Known are the tasks that were labelled then, and neither drawn nor known at an earlier draw.
	Known []TaskID `json:"known,omitempty"`
	// Controls are what the model guessed; those without classes are missing.
	Controls []DrawnControl `json:"controls,omitempty"`
}

// DrawnControl is what the model guessed of the labels of a control at a draw. The lists are in the order of
// Labels.
type DrawnControl struct {
	Control string   `json:"control"`
	Labels  []string `json:"labels"`
	// Guess is the probability of each label of the task, Rest the sum of it over all that could be drawn, and
	// Foreseen the variance that the guesses foresee (evaluate/odds).
	Guess    []float32 `json:"guess"`
	Rest     []float32 `json:"rest"`
	Foreseen []float32 `json:"foreseen"`
}

// ControlAnswers are the answers to the labelled tasks of a project, for one control.
type ControlAnswers struct {
	Control string
	Labels  []string
	// Exclusive is set when a task has one of the labels.
	Exclusive bool
	// Of holds, by task, the share of its answers that have each label, in the order of Labels.
	Of map[TaskID][]float64
}
