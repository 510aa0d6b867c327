//go:build e2e

package e2e

import (
	"fmt"
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/hone-ml/hone/api"
)

// TestBigPool measures the loop with 10,000 tasks: what of the time from a label
// to the next queue is hone's own, and what is Label Studio's.
func TestBigPool(t *testing.T) {
	const size, labels = 10_000, 20
	s := newStudio(t)
	h := newHone(t, configured()...)
	h.start()
	base := load(t, "tasks.jsonl")
	tasks := make([]example, size)
	for i := range tasks {
		e := base[i%len(base)]
		tasks[i] = example{fmt.Sprintf("%s (%d)", e.Text, i/len(base)), e.Label}
	}
	project := s.newProject(labelConfig(t), tasks)
	labelled := map[int]bool{}
	next := func(times *[]time.Duration) lsTask {
		asked := time.Now()
		task := s.next(project)
		*times = append(*times, time.Since(asked))
		labelled[task.ID] = true
		return task
	}
	// withoutHone returns how long Label Studio takes for the next task, sorted.
	withoutHone := func() (times []time.Duration) {
		for range labels {
			task := next(&times)
			s.annotate(task.ID, task.Data.Topic)
		}
		slices.Sort(times)
		return times
	}
	without := withoutHone()
	s.connectAsUI(project, h.url())
	began := time.Now()
	h.await(project, "the pool is read and the queue stands", func(p api.Project) bool { return p.Pool == size-labels && p.Queue.Pushed >= 5 })
	t.Logf("pool of %d tasks read and first queue in Label Studio after %v", size, time.Since(began).Round(time.Millisecond))
	awaitSettings(t, s, project)

	// withHone returns what the same takes while hone learns and writes queues, and what
	// hone's own part is of the time from a label to the next queue.
	withHone := func() (with, own []time.Duration) {
		var whole []time.Duration
		for range labels {
			task := next(&with)
			s.annotate(task.ID, task.Data.Topic)
			accepted := time.Now()
			p := h.await(project, "the new head is in Label Studio", func(p api.Project) bool {
				return p.Labels == len(labelled) && p.Queue.Labels == len(labelled) && p.Queue.Pushed >= 1
			})
			whole = append(whole, time.Since(accepted))
			own = append(own, time.Duration(p.Queue.ReadySeconds*float64(time.Second)))
		}
		for _, times := range [][]time.Duration{with, own, whole} {
			slices.Sort(times)
		}
		t.Logf("%d tasks, annotation accepted by Label Studio -> new queue visible in Label Studio: p50 %v, max %v",
			size, whole[len(whole)/2].Round(time.Millisecond), whole[len(whole)-1].Round(time.Millisecond))
		t.Logf("of that hone's own part, webhook heard -> queue ranked: p50 %v, max %v",
			own[len(own)/2].Round(time.Millisecond), own[len(own)-1].Round(time.Millisecond))
		return with, own
	}
	// A machine that runs other things too delays some of them, or all for a while, which says
	// nothing about hone; a hone that is slow delays all, in each round. So the quicker quarter
	// is judged, of three rounds.
	for round := 1; ; round++ {
		with, own := withHone()
		t.Logf("Label Studio's time for the next task: p50 %v without hone, %v with it", without[labels/2].Round(time.Millisecond), with[labels/2].Round(time.Millisecond))
		quarter, w, o := own[labels/4], with[labels/4], without[labels/4]
		if quarter <= 250*time.Millisecond && w <= o*3/2 {
			break
		}
		if round == 3 {
			t.Errorf("in three of four cases hone's own part takes %v (at most 250ms), and Label Studio %v for the next task, %v without hone (at most 1.5 times as long)", quarter, w, o)
			break
		}
		h.stop(syscall.SIGTERM)
		without = withoutHone()
		h.start()
		h.await(project, "what was labelled without hone is learned", func(p api.Project) bool { return p.Labels == len(labelled) && p.Settled })
	}
	p := h.await(project, "the queue stands", func(p api.Project) bool { return p.Settled && p.Queue.Pushed == len(p.Queue.Tasks) })
	// As many tasks that the queue had before may stay behind it. Labelled ones keep what they were shown with.
	open := 0
	for _, r := range s.predictions(project) {
		if !labelled[r.Task] {
			open++
		}
	}
	if most := 2 * len(p.Queue.Tasks); open > most {
		t.Errorf("Label Studio holds predictions of %d tasks that nobody labelled, for a queue of %d", open, len(p.Queue.Tasks))
	}
}
