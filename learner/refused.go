package learner

import (
	"slices"

	"github.com/hone-ml/hone/event"
)

// maxRefused is how many refused answers a project names.
const maxRefused = 20

// Refused is what annotators said of a task that a control's model cannot take,
// such as a number that is too large, or a result that is no list of regions. It
// is passed over: nothing waits for it.
type Refused struct {
	Task    event.TaskID `json:"task"`
	Control string       `json:"control"`
	// Reason is a sentence's end: what is wrong with it.
	Reason string `json:"reason"`
}

// refusedKey names one answer.
type refusedKey struct {
	task    event.TaskID
	control string
}

// refused are the answers of a project that could not be learned, with the reason.
type refused map[refusedKey]string

// note remembers, or forgets where reason is empty, what became of an answer.
func (r refused) note(task event.TaskID, control, reason string) {
	k := refusedKey{task, control}
	if reason == "" {
		delete(r, k)
		return
	}
	r[k] = reason
}

// list is what status names, by task and control, and how many there are.
func (r refused) list() (some []Refused, all int) {
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
