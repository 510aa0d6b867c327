package simulate

import (
	"fmt"
	"strings"

	"github.com/cespare/xxhash/v2"

	"github.com/hone-ml/hone/content"
)

// HeldOut says which tasks are measured on when no test data were given.
type HeldOut struct {
	// Share is about how many of all tasks were to be held out.
	Share float64 `json:"share"`
	Tasks int     `json:"tasks"`
	Of    int     `json:"of"`
	// Numbers are the lines they begin at, or of a Label Studio export their places in
	// the list, from 1.
	Numbers []int `json:"numbers"`
}

// HeldOut returns which tasks are held out; nil when test data were given.
func (d *Data) HeldOut() *HeldOut { return d.heldOut }

// holdOut divides entries into those to learn from and those to measure on. A hash of the text
// decides: the same tasks are held out each time, whatever their order and whatever comes to
// them, and tasks with the same text are on the same side.
func holdOut(entries []labelledEntry, questions []question, share float64) (train, test []labelledEntry, held *HeldOut, err error) {
	held = &HeldOut{Share: share, Of: len(entries), Numbers: []int{}}
	for _, e := range entries {
		if hashShare(e, questions) < share {
			test = append(test, e)
			held.Numbers = append(held.Numbers, e.number)
			continue
		}
		train = append(train, e)
	}
	held.Tasks = len(test)
	if len(train) == 0 || len(test) == 0 {
		return nil, nil, nil, fmt.Errorf("%d tasks are too few to hold %g of them out: give data to measure on with --test", len(entries), share)
	}
	return train, test, held, nil
}

// hashShare is a number from 0 to 1 that follows from the text of a task, whatever its case and
// its white space.
func hashShare(e labelledEntry, questions []question) float64 {
	text := string(e.data)
	for _, q := range questions {
		if t, err := content.Joined(q.objects, e.data); err == nil {
			text = t
			break
		}
	}
	text = strings.ToLower(strings.Join(strings.Fields(text), " "))
	return float64(xxhash.Sum64String(text)>>11) / (1 << 53)
}
