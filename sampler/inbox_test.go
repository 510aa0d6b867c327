package sampler

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"pgregory.net/rapid"

	"github.com/hone-ml/hone/event"
)

func genPending(t *rapid.T) pending {
	l := &event.Learned{All: rapid.IntRange(0, 9).Draw(t, "all") == 0}
	for _, id := range rapid.SliceOfN(rapid.IntRange(1, 5), 0, 3).Draw(t, "tasks") {
		l.Tasks = append(l.Tasks, event.TaskID(id))
	}
	if rapid.Bool().Draw(t, "since") {
		l.Since = time.Unix(rapid.Int64Range(1, 9).Draw(t, "at"), 0)
	}
	if v := rapid.IntRange(0, 3).Draw(t, "version"); v > 0 {
		l.Version, l.Labels = fmt.Sprint("hone-", v), v
	}
	p := learned(l)
	p.relist = rapid.IntRange(0, 9).Draw(t, "relist") == 0
	return p
}

// What a worker has to do does not depend on how often it looked into its inbox and
// put back what it could not use.
func TestWhatIsPutBackIsMergedAsIfItHadNeverBeenTaken(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		plain, disturbed := newInbox(pending{}), newInbox(pending{})
		for range rapid.IntRange(1, 8).Draw(t, "n") {
			seed := genPending(t)
			var taken []pending
			if rapid.Bool().Draw(t, "taken") {
				p, _ := disturbed.drain()
				taken = append(taken, p)
			}
			plain.enqueue(clonePending(seed))
			disturbed.enqueue(clonePending(seed))
			for _, p := range taken {
				disturbed.requeue(p)
			}
		}
		want, _ := plain.drain()
		got, ok := disturbed.drain()
		if !ok || !assert.ObjectsAreEqual(want, got) {
			t.Fatalf("%+v, want %+v", got, want)
		}
		if _, ok := disturbed.drain(); ok || disturbed.Pending() {
			t.Fatalf("it was drained, and something is pending")
		}
	})
}

func clonePending(p pending) pending {
	tasks := make(map[event.TaskID]struct{}, len(p.tasks))
	for t := range p.tasks {
		tasks[t] = struct{}{}
	}
	p.tasks = tasks
	return p
}

// A Learned of a project that has no version yet says nothing of versions.
func TestALearnedWithoutAVersionKeepsTheOneBefore(t *testing.T) {
	i := newInbox(pending{})
	i.enqueue(learned(&event.Learned{Version: "hone-1", Labels: 3}))
	i.enqueue(learned(&event.Learned{}))
	p, _ := i.drain()
	assert.Equal(t, modelState{"hone-1", 3, 0}, p.model)
}
