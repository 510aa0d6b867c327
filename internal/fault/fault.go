// Package fault names the faults that are in hone on purpose, to see whether the
// simulation finds them. They are there only in a build with the tag "faults", and
// then one at a time, when a test asks for it.
package fault

// Name is one of the faults.
type Name string

const (
	// None is the usual.
	None Name = ""
	// CursorAlone commits the log's cursor before the effect of the entries.
	CursorAlone Name = "cursor-alone"
	// Tombstone has a deletion that was heard of outlive a reading that says otherwise.
	Tombstone Name = "tombstone"
	// LostRetry takes entries that could not be handled for handled.
	LostRetry Name = "lost-retry"
	// WrongProject applies an event to the project of the one before it.
	WrongProject Name = "wrong-project"
	// OldSnapshot keeps the queue of an old snapshot when only the model has changed.
	OldSnapshot Name = "old-snapshot"
)
