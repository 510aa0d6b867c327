package event

// Lack is why a task's data give a model nothing to go by, "" when they do.
type Lack string

const (
	// LackText: no object that a learned control is about has a readable text.
	LackText Lack = "no_text"
	// LackDifference: the two texts that are to be compared are the same.
	LackDifference Lack = "identical_pair"
)
