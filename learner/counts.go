package learner

import (
	"bytes"
	"encoding/json"
	"iter"

	"github.com/hone-ml/hone/event"
	"github.com/hone-ml/hone/labelstudio/regions"
	"github.com/hone-ml/hone/learner/head"
)

// AnnotationCounts says of each annotation of a project, skips too, whether it was learned,
// or why not. Seen is the sum of all others. The counts are a function of what is stored.
type AnnotationCounts struct {
	Seen int `json:"seen"`
	// Learned counts those of which some control was learned.
	Learned int `json:"learned"`
	// Skipped were cancelled by their annotator.
	Skipped int `json:"skipped"`
	// FromPredictions were made from predictions, and nobody looked at them.
	FromPredictions int `json:"from_predictions"`
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

// SuggestionCounts says what became of the suggestions that annotators started from, one
// an annotation. Skips, and annotations that nobody looked at, are not among them. What
// annotators removed leaves no trace beside what they kept.
type SuggestionCounts struct {
	// Accepted have only regions as they were suggested.
	Accepted int `json:"accepted"`
	// Changed have some that were suggested, and some that were changed or added.
	Changed int `json:"changed"`
	// Rejected have only regions that were not suggested.
	Rejected int `json:"rejected"`
	// Empty have no region: all were removed, or none was suggested.
	Empty int `json:"empty"`
}

// taskCounts are the counts of one task with annotations.
type taskCounts struct {
	annotations AnnotationCounts
	suggestions SuggestionCounts
	lack        event.Lack
}

// counts are those of a project's tasks, and their sums.
type counts struct {
	tasks                 map[event.TaskID]taskCounts
	annotations           AnnotationCounts
	suggestions           SuggestionCounts
	noText, identicalPair int // tasks
}

func newCounts() counts { return counts{tasks: map[event.TaskID]taskCounts{}} }

// put replaces the counts of a task; the zero value removes them.
func (c *counts) put(id event.TaskID, t taskCounts) {
	c.add(c.tasks[id], -1)
	c.add(t, 1)
	if t == (taskCounts{}) {
		delete(c.tasks, id)
		return
	}
	c.tasks[id] = t
}

func (c *counts) add(t taskCounts, sign int) {
	a, b := &c.annotations, t.annotations
	a.Seen += sign * b.Seen
	a.Learned += sign * b.Learned
	a.Skipped += sign * b.Skipped
	a.FromPredictions += sign * b.FromPredictions
	a.Unanswered += sign * b.Unanswered
	a.Refused += sign * b.Refused
	a.NoText += sign * b.NoText
	a.IdenticalPair += sign * b.IdenticalPair
	a.NoControl += sign * b.NoControl
	s, u := &c.suggestions, t.suggestions
	s.Accepted += sign * u.Accepted
	s.Changed += sign * u.Changed
	s.Rejected += sign * u.Rejected
	s.Empty += sign * u.Empty
	switch t.lack {
	case event.LackText:
		c.noText += sign
	case event.LackDifference:
		c.identicalPair += sign
	}
}

// count counts a task anew, after the heads have learned it.
func (p *project) count(t event.TaskState) {
	var out taskCounts
	if !t.Deleted {
		for _, a := range t.Annotations {
			p.countAnnotation(t, a, &out.annotations)
			countSuggestion(a, &out.suggestions)
		}
		if len(t.Annotations) > 0 {
			out.lack = p.lack(t.Task)
		}
	}
	p.counts.put(t.Task.ID, out)
}

// recount counts everything anew, since the heads are others.
func (p *project) recount(tasks iter.Seq2[event.TaskState, error]) error {
	p.counts = newCounts()
	for t, err := range tasks {
		if err != nil {
			return err
		}
		p.count(t)
	}
	return nil
}

// lack is what a task's data lack. A task of which all heads learned lacks nothing.
func (p *project) lack(t event.Task) event.Lack {
	specs := make([]*head.Spec, len(p.heads))
	learned := 0
	for i, h := range p.heads {
		specs[i] = h.Spec
		if _, ok := h.sums[t.ID]; ok {
			learned++
		}
	}
	if learned == len(specs) {
		return ""
	}
	return head.LackOf(specs, t.Data)
}

func (p *project) countAnnotation(t event.TaskState, a event.Annotation, c *AnnotationCounts) {
	c.Seen++
	switch {
	case p.taught[a.ID] > 0:
		c.Learned++
	case a.Cancelled:
		c.Skipped++
	case a.Unattended():
		c.FromPredictions++
	case len(p.heads) == 0:
		c.NoControl++
	default:
		*p.reason(t, a, c)++
	}
}

// reason is the count of why nothing was learned of an annotation that somebody made.
func (p *project) reason(t event.TaskState, a event.Annotation, c *AnnotationCounts) *int {
	alone := event.TaskState{Task: t.Task, Annotations: []event.Annotation{a}}
	why := &c.Unanswered
	for _, h := range p.heads {
		said := h.Kind.Aggregate(h.Spec, alone)
		if said.Unreadable > 0 {
			return &c.Refused
		}
		if len(said.Annotations) == 0 {
			continue
		}
		if _, refused := p.refused[refusedKey{t.Task.ID, h.Control.Name}]; refused {
			return &c.Refused
		}
		why = &c.NoText // also where nothing of a text can be encoded
		if h.Lack(t.Task.Data) == event.LackDifference {
			why = &c.IdenticalPair
		}
	}
	return why
}

// countSuggestion counts what an annotator made of a suggestion, if there was one.
func countSuggestion(a event.Annotation, c *SuggestionCounts) {
	if a.Cancelled || a.Unattended() || !a.Suggested && !bytes.Contains(a.Result, []byte(`prediction`)) {
		return
	}
	kept, changed, all := origins(a.Result)
	switch {
	case !a.Suggested && kept+changed == 0: // the word stands somewhere else
	case all == 0:
		c.Empty++
	case kept == all:
		c.Accepted++
	case kept+changed == 0:
		c.Rejected++
	default:
		c.Changed++
	}
}

// origins counts the regions of a result that were kept as suggested, those that were
// changed, and all.
func origins(result json.RawMessage) (kept, changed, all int) {
	rs, err := regions.Decode(result)
	if err != nil {
		return 0, 0, 0
	}
	for _, r := range rs {
		switch {
		case r.Hint || r.FromName == "": // no answer, or a relation
			continue
		case r.Origin == "prediction":
			kept++
		case r.Origin == "prediction-changed":
			changed++
		}
		all++
	}
	return kept, changed, all
}

// Lacks says what a task's data lack for the controls that a project learns, from its last
// snapshot. Safe for concurrent use.
func (l *Learner) Lacks(p event.ProjectID, data json.RawMessage) event.Lack {
	s := l.snapshot(p)
	if s == nil {
		return ""
	}
	specs := make([]*head.Spec, len(s.heads))
	for i, h := range s.heads {
		specs[i] = h.Spec
	}
	return head.LackOf(specs, data)
}
