//go:build e2e

package e2e

import (
	"fmt"
	"net/http"
	"slices"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/hone-ml/hone/api"
	"github.com/hone-ml/hone/event"
	"github.com/hone-ml/hone/state"
)

// labelling is somebody who answers one task after another, whatever hone does.
type labelling struct {
	mu    sync.Mutex
	made  []int
	fault error
	end   chan struct{}
	done  chan struct{}
}

// label starts labelling tasks of the projects in turn. finish ends it.
func (s *studio) label(projects ...int) *labelling {
	s.t.Helper()
	var work []lsTask
	queues := make([][]lsTask, len(projects))
	for i, p := range projects {
		var page struct{ Tasks []lsTask }
		s.do("GET", fmt.Sprintf("/api/tasks?project=%d&page_size=1000", p), nil, &page)
		queues[i] = page.Tasks
	}
	for i := range queues[0] {
		for _, q := range queues {
			work = append(work, q[i])
		}
	}
	l := &labelling{end: make(chan struct{}), done: make(chan struct{})}
	go func() {
		defer close(l.done)
		for _, task := range work {
			select {
			case <-l.end:
				return
			case <-s.t.Context().Done():
				return
			default:
			}
			if err := l.answer(s, task); err != nil {
				l.fault = err
				return
			}
		}
		l.fault = fmt.Errorf("all %d tasks were labelled before it was over", len(work))
	}()
	return l
}

func (l *labelling) answer(s *studio, task lsTask) error {
	err := s.attempt("POST", fmt.Sprintf("/api/tasks/%d/annotations/", task.ID), map[string]any{"result": choice(task.Data.Topic), "lead_time": 1}, nil, http.StatusCreated)
	switch {
	case s.t.Context().Err() != nil:
		return nil
	case err != nil:
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.made = append(l.made, task.ID)
	return nil
}

func (l *labelling) count() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.made)
}

// await waits until so many answers were given in all.
func (l *labelling) await(t *testing.T, n int) {
	t.Helper()
	until(t, 2*time.Minute, fmt.Sprintf("%d annotations are made", n), func() bool {
		select {
		case <-l.done:
			t.Fatalf("labelling ended: %v", l.fault)
		default:
		}
		return l.count() >= n
	})
}

func (l *labelling) finish(t *testing.T) int {
	t.Helper()
	close(l.end)
	<-l.done
	if l.fault != nil {
		t.Fatal(l.fault)
	}
	return len(l.made)
}

// awaitAll waits until hone stands on every annotation that Label Studio has.
func (h *hone) awaitAll(s *studio, project int) {
	h.t.Helper()
	n := len(s.annotations(project))
	h.await(project, fmt.Sprintf("all %d annotations are learned", n), func(p api.Project) bool { return p.Labels == n && p.Backlog == 0 })
}

// checkSame stops hone and compares, id by id, what it keeps with what Label Studio
// has.
func (h *hone) checkSame(s *studio, projects ...int) {
	h.t.Helper()
	h.stop(syscall.SIGTERM)
	store, err := state.Open(h.data(), state.Options{})
	if err != nil {
		h.t.Fatal(err)
	}
	defer func() { _ = store.Close() }()
	for _, p := range projects {
		tasks, err := store.Known(h.t.Context(), event.ProjectID(p))
		if err != nil {
			h.t.Fatal(err)
		}
		var kept []int
		for _, k := range tasks {
			for _, id := range k.Annotations {
				kept = append(kept, int(id))
			}
		}
		slices.Sort(kept)
		if want := s.annotations(p); !slices.Equal(kept, want) {
			h.t.Errorf("project %d: hone keeps annotations %v, Label Studio has %v", p, kept, want)
		}
	}
}
