// Package head says how each kind of control is learned. A kind has a file, which reads
// the features of a task and the answers of its annotators, makes the model, evaluates it
// and predicts. For decides which kind learns a control.
//
// A Kind has no state. Package learner holds the models of a project and decides when
// they learn.
package head
