package counts

import (
	"bytes"
	"encoding/json"

	"github.com/hone-ml/hone/event"
	"github.com/hone-ml/hone/labelstudio/regions"
	"github.com/hone-ml/hone/learner/head"
)

// Heads tells what the heads of a project made of a task.
type Heads interface {
	// Specs are those of all heads.
	Specs() []*head.Spec
	// Takes reports whether an annotation is to be learned from.
	Takes(a event.Annotation) bool
	// IsLearned reports whether some head learned from an annotation of a task. After Label
	// Studio was restored, its id may be of another task's annotation.
	IsLearned(t event.TaskID, a event.AnnotationID) bool
	// HasExample reports whether the head of a control learned from a task.
	HasExample(t event.TaskID, control string) bool
	// IsRefused reports whether the head of a control could not take the answers to a task.
	IsRefused(t event.TaskID, control string) bool
}

// Of counts a task, after the heads have learned it.
func Of(t event.TaskState, h Heads) Task {
	var out Task
	if t.Deleted || len(t.Annotations) == 0 {
		return out
	}
	for _, a := range t.Annotations {
		countAnnotation(t, a, h, &out.annotations)
		countSuggestion(a, &out.suggestions)
	}
	out.lack = lackOf(t.Task, h)
	return out
}

// lackOf is what a task's data lack. A task of which all heads learned lacks nothing.
func lackOf(t event.Task, h Heads) event.Lack {
	specs := h.Specs()
	for _, q := range specs {
		if !h.HasExample(t.ID, q.Control.Name) {
			return head.LackOf(specs, t.Data)
		}
	}
	return ""
}

func countAnnotation(t event.TaskState, a event.Annotation, h Heads, c *Annotations) {
	c.Seen++
	switch {
	case h.IsLearned(t.Task.ID, a.ID):
		c.Learned++
	case a.Cancelled:
		c.Skipped++
	case a.Unattended():
		c.FromPredictions++
	case !h.Takes(a):
		c.Excluded++
	case len(h.Specs()) == 0:
		c.NoControl++
	default:
		*reason(t, a, h, c)++
	}
}

// reason is the count of why nothing was learned of an annotation that a person made.
func reason(t event.TaskState, a event.Annotation, h Heads, c *Annotations) *int {
	alone := event.TaskState{Task: t.Task, Annotations: []event.Annotation{a}}
	why := &c.Unanswered
	for _, q := range h.Specs() {
		said := q.Kind.Aggregate(q, alone)
		if said.Unreadable > 0 {
			return &c.Refused
		}
		if len(said.Annotations) == 0 {
			continue
		}
		if h.IsRefused(t.Task.ID, q.Control.Name) {
			return &c.Refused
		}
		why = &c.NoText // also where nothing of a text can be encoded
		if q.Lack(t.Task.Data) == event.LackDifference {
			why = &c.IdenticalPair
		}
	}
	return why
}

// countSuggestion counts what an annotator made of a suggestion, if there was one.
func countSuggestion(a event.Annotation, c *Suggestions) {
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
