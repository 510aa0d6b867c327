package event

// Acquisition says how a task came to be asked (Settles 2009, "Active learning literature
// survey": the acquisition of a label).
type Acquisition struct {
	// Place is the task's in the queue when it was labelled, 1 for the first; 0 when the
	// queue did not ask for it.
	Place int `json:"place,omitempty"`
	// Strategy and Snapshot are those that the queue was ranked with.
	Strategy string `json:"strategy,omitempty"`
	Snapshot uint64 `json:"snapshot,omitempty"`
	// Random is true when the task was drawn without looking at the model.
	Random bool `json:"random,omitempty"`
}
