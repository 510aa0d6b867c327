package counts

import "github.com/hone-ml/hone/event"

// Annotations says of each annotation of a project, skips too, whether it was learned,
// or why not. Seen is the sum of all others. The counts are a function of what is stored.
type Annotations struct {
	Seen int `json:"seen"`
	// Learned counts those of which some control was learned.
	Learned int `json:"learned"`
	// Skipped were cancelled by their annotator.
	Skipped int `json:"skipped"`
	// FromPredictions were made from predictions, and nobody looked at them.
	FromPredictions int `json:"from_predictions"`
	// Excluded are not to be learned from, as the project's settings say.
	Excluded int `json:"excluded"`
	// Unanswered say nothing of a learned control: they are empty, answer other controls,
	// or controls that their annotator did not see.
	Unanswered int `json:"unanswered"`
	// Refused have an answer that no model can take.
	Refused int `json:"refused"`
	// NoText and IdenticalPair answer questions about tasks that lack a readable text, or
	// a difference between the two texts that are compared.
	NoText        int `json:"no_text"`
	IdenticalPair int `json:"identical_pair"`
	// NoControl were made while the label config has no control that is learned.
	NoControl int `json:"no_control"`
}

// Suggestions says what became of the suggestions that annotators started from, one
// an annotation. Skips, and annotations that nobody looked at, are not among them. What
// annotators removed leaves no trace beside what they kept.
type Suggestions struct {
	// Accepted have only regions as they were suggested.
	Accepted int `json:"accepted"`
	// Changed have some that were suggested, and some that were changed or added.
	Changed int `json:"changed"`
	// Rejected have only regions that were not suggested.
	Rejected int `json:"rejected"`
	// Empty have no region: all were removed, or none was suggested.
	Empty int `json:"empty"`
}

// Task holds the counts of one task with annotations.
type Task struct {
	annotations Annotations
	suggestions Suggestions
	lack        event.Lack
}

// Project holds the counts of a project's tasks, and their sums. One goroutine uses it.
type Project struct {
	Totals
	tasks map[event.TaskID]Task
}

// Totals are the sums over a project's tasks.
type Totals struct {
	Annotations Annotations
	Suggestions Suggestions
	// NoText and IdenticalPairs count tasks with annotations by what their data lack.
	NoText, IdenticalPairs int
}

// NewProject counts nothing yet.
func NewProject() *Project { return &Project{tasks: map[event.TaskID]Task{}} }

// Put replaces the counts of a task; the zero value removes them.
func (p *Project) Put(id event.TaskID, t Task) {
	p.accumulate(p.tasks[id], -1)
	p.accumulate(t, 1)
	if t == (Task{}) {
		delete(p.tasks, id)
		return
	}
	p.tasks[id] = t
}

func (p *Project) accumulate(t Task, sign int) {
	a, b := &p.Annotations, t.annotations
	a.Seen += sign * b.Seen
	a.Learned += sign * b.Learned
	a.Skipped += sign * b.Skipped
	a.FromPredictions += sign * b.FromPredictions
	a.Excluded += sign * b.Excluded
	a.Unanswered += sign * b.Unanswered
	a.Refused += sign * b.Refused
	a.NoText += sign * b.NoText
	a.IdenticalPair += sign * b.IdenticalPair
	a.NoControl += sign * b.NoControl
	s, u := &p.Suggestions, t.suggestions
	s.Accepted += sign * u.Accepted
	s.Changed += sign * u.Changed
	s.Rejected += sign * u.Rejected
	s.Empty += sign * u.Empty
	switch t.lack {
	case event.LackText:
		p.NoText += sign
	case event.LackDifference:
		p.IdenticalPairs += sign
	}
}
