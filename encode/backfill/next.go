package backfill

import (
	"context"
	"maps"
	"slices"
	"time"

	"github.com/hone-ml/hone/encode"
	"github.com/hone-ml/hone/event"
)

// encodeBatch is what is encoded at once, all of one project. Project 0 means that nothing is
// left to encode. Without tasks it holds label names. requests may be empty, when all vectors
// have come meanwhile.
type encodeBatch struct {
	project  event.ProjectID
	tasks    []event.TaskID
	requests []encode.Request
}

// nextBatch returns what to encode next. It skips a project whose tasks cannot be read.
func (f *Service) nextBatch(ctx context.Context) encodeBatch {
	for ctx.Err() == nil {
		f.mu.Lock()
		batch := f.pickBatch(time.Now())
		f.mu.Unlock()
		if batch.project == 0 || batch.tasks == nil {
			return batch
		}
		s := f.o.Needed(batch.project)
		if s == nil {
			return batch
		}
		states, err := f.o.Tasks.Tasks(ctx, batch.project, batch.tasks)
		if err != nil {
			f.recordFailure(batch.project, err)
			continue
		}
		requests, wanted := map[event.ContentKey]encode.Request{}, f.wants(batch.project, 0)
		for _, t := range states {
			addRequests(s, wanted, t, requests)
		}
		batch.requests = f.withoutVector(requests)
		return batch
	}
	return encodeBatch{}
}

// pickBatch returns the most urgent tasks or label names: label names and labelled texts, then
// tasks that are asked next, then the rest. Projects with work of the same kind take turns.
// f.mu is held.
func (f *Service) pickBatch(now time.Time) encodeBatch {
	all := f.roundRobin(now)
	most := batchTasks * f.o.Cores
	for _, id := range all {
		p := f.projects[id]
		if n := min(len(p.labelNames), most); n > 0 {
			f.lastProject = id
			return encodeBatch{project: id, requests: slices.Clone(p.labelNames[:n])}
		}
		var tasks []event.TaskID
		if tasks, p.labelled = p.takeMissing(p.labelled, most); len(tasks) > 0 {
			f.lastProject = id
			return encodeBatch{project: id, tasks: tasks}
		}
	}
	for _, id := range all {
		if p := f.projects[id]; len(p.missing) > 0 {
			if tasks, _ := p.takeMissing(f.o.Next(id), most); len(tasks) > 0 {
				f.lastProject = id
				return encodeBatch{project: id, tasks: tasks}
			}
		}
	}
	for _, id := range all {
		p := f.projects[id]
		var tasks []event.TaskID
		if tasks, p.unlabelled = p.takeMissing(p.unlabelled, most); len(tasks) > 0 {
			f.lastProject = id
			return encodeBatch{project: id, tasks: tasks}
		}
	}
	return encodeBatch{}
}

// roundRobin returns the projects that need not wait after a failure. It begins with the one
// after lastProject. f.mu is held.
func (f *Service) roundRobin(now time.Time) []event.ProjectID {
	all := slices.Sorted(maps.Keys(f.projects))
	all = slices.DeleteFunc(all, func(id event.ProjectID) bool { return f.projects[id].retryAt.After(now) })
	at, found := slices.BinarySearch(all, f.lastProject)
	if found {
		at++
	}
	return slices.Concat(all[at:], all[:at])
}

// takeMissing returns the first tasks of ids that are missing, up to most, and the list from the
// first of them on. Tasks stay in the list until they are encoded. f.mu is held.
func (p *projectQueue) takeMissing(ids []event.TaskID, most int) (batch, left []event.TaskID) {
	first := len(ids)
	for i, t := range ids {
		if len(batch) == most {
			break
		}
		if _, ok := p.missing[t]; ok && !slices.Contains(batch, t) {
			batch = append(batch, t)
			first = min(first, i)
		}
	}
	return batch, ids[first:]
}
