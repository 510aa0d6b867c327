//go:build e2e

package e2e

import (
	"fmt"
	"net/http"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/hone-ml/hone/api"
	"github.com/hone-ml/hone/event"
)

// served is a task that Label Studio gave somebody.
type served struct {
	task         int
	place        int       // in the queue as it was just before, from 0; -1 outside it
	queue        api.Queue // as it was just before
	asked, given time.Time
}

// annotator is somebody who labels beside others.
type annotator struct {
	studio
	served []served
	fault  error
}

// annotators returns the owner and as many people who are invited as it takes to be n.
func (s *studio) annotators(n int) []*annotator {
	s.t.Helper()
	out := []*annotator{{studio: *s}}
	for range n - 1 {
		a := &annotator{studio: *s}
		a.auth = "Token " + s.invite().token
		out = append(out, a)
	}
	return out
}

// work has the annotator answer n tasks, each the one that Label Studio serves next. queue returns hone's queue as it is.
func (a *annotator) work(project, n int, queue func() api.Queue) {
	for range n {
		before := queue()
		var task lsTask
		asked := time.Now()
		if a.fault = a.attempt("GET", fmt.Sprintf("/api/projects/%d/next", project), nil, &task, http.StatusOK); a.fault != nil {
			return
		}
		a.served = append(a.served, served{task.ID, slices.Index(before.Tasks, event.TaskID(task.ID)), before, asked, time.Now()})
		answer := map[string]any{"result": choice(task.Data.Topic), "lead_time": 1}
		if a.fault = a.attempt("POST", fmt.Sprintf("/api/tasks/%d/annotations/", task.ID), answer, nil, http.StatusCreated); a.fault != nil {
			return
		}
	}
}

// labelTogether has the annotators label n tasks in all, all at once.
func labelTogether(t *testing.T, people []*annotator, project, n int, queue func() api.Queue) {
	t.Helper()
	var wg sync.WaitGroup
	for _, a := range people {
		wg.Go(func() { a.work(project, n/len(people), queue) })
	}
	wg.Wait()
	for _, a := range people {
		if a.fault != nil {
			t.Fatal(a.fault)
		}
	}
}

// twice are the tasks that went to more than one of them: those for which both asked at the same moment, and the
// others. Label Studio reads who holds a task, and writes that somebody does a little later (next_task.py,
// Task.has_lock and set_lock), so who asks in between gets the same one, with hone and without it.
func twice(people []*annotator) (raced, other []int) {
	first := map[int]served{}
	for _, a := range people {
		for _, s := range a.served {
			f, again := first[s.task]
			switch {
			case !again:
				first[s.task] = s
			case s.asked.Before(f.given) && f.asked.Before(s.given):
				raced = append(raced, s.task)
			default:
				other = append(other, s.task)
			}
		}
	}
	return raced, other
}

// Without hone, in the order of the tasks, some tasks go to both of two people.
func TestTeamWithoutHone(t *testing.T) {
	s := newStudio(t)
	project := s.newProject(labelConfig(t), load(t, "tasks.jsonl"))
	people := s.annotators(2)
	labelTogether(t, people, project, 100, func() api.Queue { return api.Queue{} })
	raced, other := twice(people)
	t.Logf("2 people, 100 tasks, no hone: %d went to both who asked at the same moment", len(raced))
	if len(other) > 0 {
		t.Errorf("tasks %v went to both, one after the other", other)
	}
}

// Two people who label at once get different tasks, and both get them from the first places of the queue.
func TestTeam(t *testing.T) {
	const firstPlaces, n = 10, 100
	s := newStudio(t)
	h := newHone(t, configured()...)
	h.start()
	truth := load(t, "tasks.jsonl")
	project := s.newProject(labelConfig(t), truth)
	s.connectAsUI(project, h.url())
	h.await(project, "the pool is read and the queue stands in Label Studio", func(p api.Project) bool {
		return p.Pool == len(truth) && p.Queue.Pushed == len(p.Queue.Tasks)
	})
	people := s.annotators(2)
	labelTogether(t, people, project, n, func() (q api.Queue) {
		// They read a text meanwhile: long enough for a queue to be written, were it not for the other one.
		for most := time.Now().Add(10 * time.Second); time.Now().Before(most) && q.Pushed < 5; {
			q = h.status(project).Queue
		}
		return q
	})
	first, outside := 0, 0
	var behind []int
	for _, a := range people {
		for i, s := range a.served {
			switch {
			case s.place < 0:
				outside++
			case s.place < firstPlaces:
				first++
				continue
			default:
				behind = append(behind, s.place)
			}
			t.Logf("task %d of one of them: place %d of %d, %d of which were in Label Studio, ranked with %d labels", i+1, s.place, len(s.queue.Tasks), s.queue.Pushed, s.queue.Labels)
		}
	}
	raced, other := twice(people)
	t.Logf("%d people, %d tasks: %d from the first %d places of the queue as it stood before they asked, %d from behind them (%v), %d from outside it; %d went to both who asked at the same moment",
		len(people), n, first, firstPlaces, len(behind), behind, outside, len(raced))
	if first < n*95/100 {
		t.Errorf("%d of %d tasks came from the first places", first, n)
	}
	if len(other) > 0 {
		t.Errorf("tasks %v went to both, one after the other", other)
	}
}
