package counts

import (
	"maps"
	"slices"

	"github.com/hone-ml/hone/event"
)

// maxRefused is how many refused answers Status lists at most.
const maxRefused = 20

// Refused is an answer that a control's model cannot learn, such as a number that is too large
// or a result that is no list of regions. The learner skips it and goes on.
type Refused struct {
	Task    event.TaskID `json:"task"`
	Control string       `json:"control"`
	// Reason says what is wrong with the answer, as the end of a sentence.
	Reason string `json:"reason"`
}

// refusedKey identifies an answer.
type refusedKey struct {
	task    event.TaskID
	control string
}

// RefusedAnswers maps the answers of a project that could not be learned to the reason. One
// goroutine uses it.
type RefusedAnswers map[refusedKey]string

// Record records the reason why an answer could not be learned. An empty reason means that it
// could: an earlier record is deleted.
func (r RefusedAnswers) Record(task event.TaskID, control, reason string) {
	k := refusedKey{task, control}
	if reason == "" {
		delete(r, k)
		return
	}
	r[k] = reason
}

// Has reports whether an answer could not be learned.
func (r RefusedAnswers) Has(task event.TaskID, control string) bool {
	_, ok := r[refusedKey{task, control}]
	return ok
}

// ForgetControl deletes what is recorded of a control.
func (r RefusedAnswers) ForgetControl(name string) {
	maps.DeleteFunc(r, func(k refusedKey, _ string) bool { return k.control == name })
}

// List returns the first maxRefused answers in the order of tasks and controls, and the
// number of all.
func (r RefusedAnswers) List() (some []Refused, all int) {
	for k, why := range r {
		some = append(some, Refused{k.task, k.control, why})
	}
	slices.SortFunc(some, func(a, b Refused) int {
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
