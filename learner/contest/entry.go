package contest

import (
	"slices"

	"github.com/hone-ml/hone/event"
	"github.com/hone-ml/hone/learner/head"
	"github.com/hone-ml/hone/learner/model"
)

// Answer is an example with the first of the annotations behind it.
type Answer struct {
	First   event.AnnotationID
	Example model.Example
}

// Entry is a head with the answers that take part.
type Entry struct {
	Spec     *head.Spec
	Settings model.Settings
	// Random answers are of tasks that were drawn at random, Asked ones of those that a
	// strategy chose, in any order.
	Random, Asked []Answer
	// Tried is the last annotation whose task has been predicted.
	Tried event.AnnotationID
}

// Roles say which tasks take part, and as what.
type Roles struct {
	of     event.Entrants
	random map[event.TaskID]bool // false for those that a strategy chose
}

// RolesOf returns the roles of entrants.
func RolesOf(of event.Entrants) Roles {
	r := Roles{of, make(map[event.TaskID]bool, len(of.Random)+len(of.Asked))}
	for _, t := range of.Asked {
		r.random[t] = false
	}
	for _, t := range of.Random {
		r.random[t] = true
	}
	return r
}

// NewEntry finds the examples of a model that take part. annotations are those behind each. The examples
// share the features, which nobody changes.
func NewEntry(q *head.Spec, m head.Incremental, annotations map[event.TaskID][]event.AnnotationID, r Roles) Entry {
	e := Entry{Spec: q, Settings: m.Settings(), Tried: r.of.Tried[q.Control.Name]}
	m.Examples(func(x model.Example) bool {
		random, enters := r.random[event.TaskID(x.ID)]
		if !enters {
			return true
		}
		a := Answer{slices.Min(annotations[event.TaskID(x.ID)]), x}
		switch {
		case a.First <= r.of.After:
		case random:
			e.Random = append(e.Random, a)
		default:
			e.Asked = append(e.Asked, a)
		}
		return true
	})
	return e
}
