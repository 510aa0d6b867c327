//go:build e2e

package e2e

import (
	"fmt"
	"slices"
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
	var without, with []time.Duration // that Label Studio takes for the next task
	labelled := map[int]bool{}
	next := func(times *[]time.Duration) lsTask {
		asked := time.Now()
		task := s.next(project)
		*times = append(*times, time.Since(asked))
		labelled[task.ID] = true
		return task
	}
	for range labels {
		task := next(&without)
		s.annotate(task.ID, task.Data.Topic)
	}
	s.connectAsUI(project, h.url())
	began := time.Now()
	h.await(project, "the pool is read and the queue stands", func(p api.Project) bool { return p.Pool == size-labels && p.Queue.Pushed >= 5 })
	t.Logf("pool of %d tasks read and first queue in Label Studio after %v", size, time.Since(began).Round(time.Millisecond))
	awaitSettings(t, s, project)

	var own, whole []time.Duration
	for i := range labels {
		task := next(&with)
		s.annotate(task.ID, task.Data.Topic)
		accepted := time.Now()
		p := h.await(project, "the new head is in Label Studio", func(p api.Project) bool {
			return p.Labels == labels+i+1 && p.Queue.Labels == labels+i+1 && p.Queue.Pushed >= 1
		})
		whole = append(whole, time.Since(accepted))
		own = append(own, time.Duration(p.Queue.ReadySeconds*float64(time.Second)))
	}
	slices.Sort(own)
	slices.Sort(whole)
	t.Logf("%d tasks, annotation accepted by Label Studio -> new queue visible in Label Studio: p50 %v, max %v",
		size, whole[len(whole)/2].Round(time.Millisecond), whole[len(whole)-1].Round(time.Millisecond))
	t.Logf("of that hone's own part, webhook heard -> queue ranked: p50 %v, max %v",
		own[len(own)/2].Round(time.Millisecond), own[len(own)-1].Round(time.Millisecond))
	// The aim is 250 ms. A machine that runs other things too delays some of them,
	// which says nothing about hone; a hone that is slow delays all.
	if quarter := own[len(own)/4]; quarter > 250*time.Millisecond {
		t.Errorf("hone's own part takes %v and more in three of four cases", quarter)
	}
	slices.Sort(without)
	slices.Sort(with)
	t.Logf("Label Studio's time for the next task: p50 %v without hone, %v with it", without[labels/2].Round(time.Millisecond), with[labels/2].Round(time.Millisecond))
	// While hone writes the next queue, Label Studio's SQLite is busy, so the quicker half is compared.
	if w, o := with[labels/4], without[labels/4]; w > o*3/2 {
		t.Errorf("Label Studio takes %v for the next task in three of four cases, %v without hone", w, o)
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
