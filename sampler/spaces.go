package sampler

import (
	"sync"

	"github.com/hone-ml/hone/event"
)

// spacesBudget bounds what all projects keep of their samples' cosines and vectors, in bytes: some
// 22 MB a project that is ranked by tasks together, so those of a dozen that are labelled at once.
const spacesBudget = 256 << 20

// spaces keeps the coverers of all projects between their rankings, within a budget. Beyond it
// those go that were ranked longest ago; their next ranking computes them anew, which takes half a
// second and changes no queue. All methods may be called concurrently. A coverer is in use by its
// project or kept here, never both.
type spaces struct {
	budget int

	mu    sync.Mutex
	kept  map[event.ProjectID]keptSpace // guarded by mu
	bytes int                           // guarded by mu
	turn  uint64                        // guarded by mu
}

// keptSpace is what one project keeps.
type keptSpace struct {
	coverer *coverer
	bytes   int
	turn    uint64 // of its last ranking
}

func newSpaces(budget int) *spaces {
	return &spaces{budget: budget, kept: map[event.ProjectID]keptSpace{}}
}

// take hands a project what is kept of it; nil for nothing.
func (s *spaces) take(p event.ProjectID) *coverer {
	s.mu.Lock()
	defer s.mu.Unlock()
	k := s.kept[p]
	s.remove(p)
	return k.coverer
}

// put keeps a project's, nil for none, unless it is beyond the budget by itself.
func (s *spaces) put(p event.ProjectID, c *coverer) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.remove(p)
	if c == nil {
		return
	}
	k := keptSpace{c, c.space.Bytes(), s.turn}
	s.turn++
	s.kept[p] = k
	s.bytes += k.bytes
	for s.bytes > s.budget {
		oldest := p
		for other, k := range s.kept {
			if k.turn < s.kept[oldest].turn {
				oldest = other
			}
		}
		s.remove(oldest)
	}
}

// remove drops a project's. The caller holds mu.
func (s *spaces) remove(p event.ProjectID) {
	s.bytes -= s.kept[p].bytes
	delete(s.kept, p)
}

// used returns how many bytes are kept of all projects.
func (s *spaces) used() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.bytes
}
