package head

import (
	"github.com/hone-ml/hone/event"
	"github.com/hone-ml/hone/learner/model"
)

// labelled is a kind whose answers are labels.
type labelled interface {
	// shares returns what share of a task's answers has each label.
	shares(q *Spec, target []model.Share) []float64
}

var _, _ labelled = choices{}, rating{}

func (choices) shares(q *Spec, target []model.Share) []float64 {
	out := make([]float64, len(q.Labels))
	for _, s := range target {
		out[s.Class] = float64(s.P)
	}
	return out
}

// AnswersOf returns the answers to all tasks that a head has learned. ok is false of a head whose answers are no labels,
// or labels that have no meaning of their own, as of a Pairwise.
func AnswersOf(q *Spec, m Incremental) (a event.ControlAnswers, ok bool) {
	kind, ok := q.Kind.(labelled)
	if !ok {
		return a, false
	}
	a = event.ControlAnswers{Control: q.Control.Name, Labels: q.Labels, Exclusive: !q.Control.Multiple, Of: make(map[event.TaskID][]float64, m.Len())}
	m.Examples(func(e model.Example) bool {
		a.Of[event.TaskID(e.ID)] = kind.shares(q, e.Target)
		return true
	})
	return a, true
}
