package sampler

import (
	"iter"

	"github.com/hone-ml/hone/event"
	"github.com/hone-ml/hone/sampler/push"
)

// taskPool holds the tasks of one project that may still be asked about, with their data, since
// ranking needs it; those of a large pool without, and who needs data reads it. Labelled tasks
// are kept as ids only. One goroutine uses it.
type taskPool struct {
	whole    int  // most tasks that are kept with their data
	large    bool // there were more
	open     taskSet
	skipped  taskSet
	labelled map[event.TaskID]uint64 // with the fingerprints of their data
	// lacking are the tasks of open that a model has nothing to go by, and lacks counts
	// them by what they lack.
	lacking map[event.TaskID]event.Lack
	lacks   map[event.Lack]int
	lackOf  func(event.Task) event.Lack
	// queued are the tasks of the queue with their data, in a large pool.
	queued map[event.TaskID]event.Task
}

// newPool is one without tasks. whole is the most that are kept with their data. lackOf says what
// a task lacks; nil: nothing.
func newPool(whole int, lackOf func(event.Task) event.Lack) *taskPool {
	return &taskPool{
		whole: whole,
		open:  newSet(), skipped: newSet(), labelled: map[event.TaskID]uint64{},
		lacking: map[event.TaskID]event.Lack{}, lacks: map[event.Lack]int{}, lackOf: lackOf,
	}
}

// setLack notes what a task of open lacks, "" for nothing and for one that left.
func (p *taskPool) setLack(id event.TaskID, lack event.Lack) {
	if was, ok := p.lacking[id]; ok {
		p.lacks[was]--
		delete(p.lacking, id)
	}
	if lack != "" {
		p.lacking[id] = lack
		p.lacks[lack]++
	}
}

// update records the state of a task; repeating it changes nothing. labelled reports whether
// the task was not labelled before and is now.
func (p *taskPool) update(t event.TaskState) (labelled bool) {
	id := t.Task.ID
	_, was := p.labelled[id]
	p.setLack(id, "")
	switch {
	case t.Deleted:
		p.drop(id)
	case t.Labelled():
		p.open.remove(id)
		p.skipped.remove(id)
		p.labelled[id] = fingerprint(t.Task)
		return !was
	case t.Skipped():
		p.drop(id)
		p.put(&p.skipped, t.Task)
	default:
		p.forget(id)
		p.put(&p.open, t.Task)
		if p.lackOf != nil {
			p.setLack(id, p.lackOf(t.Task))
		}
	}
	return false
}

// put adds a task to one of the sets, or replaces it.
func (p *taskPool) put(to *taskSet, t event.Task) {
	if p.large {
		t = event.Task{ID: t.ID}
	}
	to.put(t)
	if !p.large && len(p.open.tasks)+len(p.skipped.tasks) > p.whole {
		p.large = true
		for _, set := range []*taskSet{&p.open, &p.skipped} {
			for i := range set.tasks {
				set.tasks[i] = event.Task{ID: set.tasks[i].ID}
			}
		}
	}
}

// queue notes the tasks of the queue, with their data.
func (p *taskPool) queue(tasks []event.Task) {
	p.queued = nil
	if p.large {
		p.queued = make(map[event.TaskID]event.Task, len(tasks))
		for _, t := range tasks {
			p.queued[t.ID] = t
		}
	}
}

func (p *taskPool) drop(id event.TaskID) {
	p.open.remove(id)
	p.forget(id)
}

func (p *taskPool) forget(id event.TaskID) {
	p.skipped.remove(id)
	delete(p.labelled, id)
}

// candidates are the tasks to rank: those nobody has seen, or, when there is
// none left, those that were skipped. The slice is the pool's own.
func (p *taskPool) candidates() []event.Task {
	if len(p.open.tasks) > 0 {
		return p.open.tasks
	}
	return p.skipped.tasks
}

// Task implements push.Pool.
func (p *taskPool) Task(id event.TaskID) (event.Task, bool) {
	t, ok := p.open.get(id)
	if !ok {
		t, ok = p.skipped.get(id)
	}
	if with, is := p.queued[id]; ok && is {
		return with, true
	}
	return t, ok
}

// Has implements push.Pool.
func (p *taskPool) Has(id event.TaskID) bool {
	_, unlabelled := p.Task(id)
	return unlabelled || p.IsLabelled(id)
}

// IsLabelled implements push.Pool.
func (p *taskPool) IsLabelled(id event.TaskID) bool {
	_, ok := p.labelled[id]
	return ok
}

// IDs implements push.Pool.
func (p *taskPool) IDs() iter.Seq[event.TaskID] {
	return func(yield func(event.TaskID) bool) {
		for _, set := range []*taskSet{&p.open, &p.skipped} {
			for _, t := range set.tasks {
				if !yield(t.ID) {
					return
				}
			}
		}
		for id := range p.labelled {
			if !yield(id) {
				return
			}
		}
	}
}

var _ push.Pool = (*taskPool)(nil)

// taskSet holds tasks by id in one slice, so that they can be ranked without copying.
type taskSet struct {
	tasks []event.Task
	at    map[event.TaskID]int
}

func newSet() taskSet { return taskSet{at: map[event.TaskID]int{}} }

func (s *taskSet) put(t event.Task) {
	if i, ok := s.at[t.ID]; ok {
		s.tasks[i] = t
		return
	}
	s.at[t.ID] = len(s.tasks)
	s.tasks = append(s.tasks, t)
}

func (s *taskSet) remove(id event.TaskID) {
	i, ok := s.at[id]
	if !ok {
		return
	}
	last := len(s.tasks) - 1
	s.tasks[i] = s.tasks[last]
	s.at[s.tasks[i].ID] = i
	s.tasks[last] = event.Task{}
	s.tasks = s.tasks[:last]
	delete(s.at, id)
}

func (s *taskSet) get(id event.TaskID) (event.Task, bool) {
	i, ok := s.at[id]
	if !ok {
		return event.Task{}, false
	}
	return s.tasks[i], true
}
