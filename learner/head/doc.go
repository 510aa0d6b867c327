// Package head is how each kind of control is learned: one file a kind, which says what
// is read of a task, what its annotators said, which model learns it, how good that is,
// and what it answers. For decides which kind learns a control.
//
// A Kind has no state. What a project's model is made of, and when it learns, is the
// business of package learner.
package head
