package backfill

import (
	"math/bits"

	"github.com/hone-ml/hone/event"
)

// wants returns which tasks of a project, of so many known ones at least, get vectors: all, or where there
// are more than Options.Sample those with annotations, those that are asked next, and of the others a
// sample, of half of Sample to Sample tasks. A hash of the id says which: with more tasks a part of those that
// were in it still are.
func (f *Service) wants(id event.ProjectID, known int) func(event.TaskState) bool {
	f.mu.Lock()
	n := f.tasksOf(id, known)
	f.mu.Unlock()
	if f.o.Sample <= 0 || n <= f.o.Sample {
		return func(event.TaskState) bool { return true }
	}
	halvings := bits.Len(uint((n - 1) / f.o.Sample))
	next := map[event.TaskID]bool{}
	for _, t := range f.o.Next(id) {
		next[t] = true
	}
	return func(t event.TaskState) bool {
		return len(t.Annotations) > 0 || next[t.Task.ID] || bits.LeadingZeros64(t.Task.ID.Hash()) >= halvings
	}
}

// tasksOf returns the number of tasks of a project, of which so many are known at least. f.mu is held.
func (f *Service) tasksOf(id event.ProjectID, known int) int {
	if p := f.projects[id]; p != nil {
		return max(known, p.known, len(p.tasks))
	}
	return known
}

// ScanNext has the tasks of a project scanned that are asked next now, where not all of its tasks get vectors.
// It never waits.
func (f *Service) ScanNext(id event.ProjectID) {
	if f.o.Sample <= 0 {
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	p := f.projects[id]
	if p == nil || f.tasksOf(id, 0) <= f.o.Sample {
		return
	}
	if next := f.o.Next(id); len(next) > 0 {
		p.changedTasks = append(p.changedTasks, next...)
		f.wakeUp()
	}
}
