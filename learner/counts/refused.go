package counts

import (
	"slices"

	"github.com/hone-ml/hone/event"
)

// maxRefused is how many refused answers List returns at most.
const maxRefused = 20

// RefusedAnswer is an answer that a control's model cannot learn, such as a number that is too large
// or a result that is no list of regions. The learner skips it and goes on.
type RefusedAnswer struct {
	Task    event.TaskID `json:"task"`
	Control string       `json:"control"`
	// Reason says what is wrong with the answer, as the end of a sentence.
	Reason string `json:"reason"`
}

// AnswerKey identifies the answers of a task to a control.
type AnswerKey struct {
	Task    event.TaskID
	Control string
}

// Refused maps the answers of a project that could not be learned to the reason.
type Refused map[AnswerKey]string

// Note records the reason why an answer could not be learned. An empty reason means that it
// could: an earlier record is deleted.
func (r Refused) Note(task event.TaskID, control, reason string) {
	k := AnswerKey{task, control}
	if reason == "" {
		delete(r, k)
		return
	}
	r[k] = reason
}

// List returns the first maxRefused answers in the order of tasks and controls, and the
// number of all.
func (r Refused) List() (some []RefusedAnswer, all int) {
	for k, why := range r {
		some = append(some, RefusedAnswer{k.Task, k.Control, why})
	}
	slices.SortFunc(some, func(a, b RefusedAnswer) int {
		if a.Task != b.Task {
			return int(min(max(a.Task-b.Task, -1), 1))
		}
		if a.Control < b.Control {
			return -1
		}
		return 1
	})
	return some[:min(len(some), maxRefused)], len(r)
}
