package backfill

import (
	"context"
	"maps"
	"slices"
	"time"

	"github.com/hone-ml/hone/encode"
	"github.com/hone-ml/hone/event"
)

// encodeBatch is what is encoded at once, all of one project; no project means that
// nothing is left. Without tasks it is about the label names. needs may be none, when
// others brought them.
type encodeBatch struct {
	project event.ProjectID
	tasks   []event.TaskID
	needs   []encode.Request
}

// next is what to encode next. A project whose tasks cannot be read is passed over.
func (f *Service) next(ctx context.Context) encodeBatch {
	for ctx.Err() == nil {
		f.mu.Lock()
		batch := f.pick(time.Now())
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
			f.trouble(batch.project, err)
			continue
		}
		needs := map[event.TextKey]encode.Request{}
		for _, t := range states {
			addRequests(s, t, needs)
		}
		batch.needs = f.withoutVector(needs)
		return batch
	}
	return encodeBatch{}
}

// pick chooses by what is most urgent: label names and labelled texts, then what is
// asked next, then the rest. Projects with work of the same kind take turns. f.mu is
// held.
func (f *Service) pick(now time.Time) encodeBatch {
	all := f.turns(now)
	most := batchTasks * f.o.Cores
	for _, id := range all {
		p := f.projects[id]
		if n := min(len(p.names), most); n > 0 {
			f.turn = id
			return encodeBatch{project: id, needs: slices.Clone(p.names[:n])}
		}
		var tasks []event.TaskID
		if tasks, p.labelled = p.front(p.labelled, most); len(tasks) > 0 {
			f.turn = id
			return encodeBatch{project: id, tasks: tasks}
		}
	}
	for _, id := range all {
		if p := f.projects[id]; len(p.missing) > 0 {
			if tasks, _ := p.front(f.o.Next(id), most); len(tasks) > 0 {
				f.turn = id
				return encodeBatch{project: id, tasks: tasks}
			}
		}
	}
	for _, id := range all {
		p := f.projects[id]
		var tasks []event.TaskID
		if tasks, p.rest = p.front(p.rest, most); len(tasks) > 0 {
			f.turn = id
			return encodeBatch{project: id, tasks: tasks}
		}
	}
	return encodeBatch{}
}

// turns are the projects that are not in trouble, the one after the last first. f.mu is
// held.
func (f *Service) turns(now time.Time) []event.ProjectID {
	all := slices.Sorted(maps.Keys(f.projects))
	all = slices.DeleteFunc(all, func(id event.ProjectID) bool { return f.projects[id].retryAt.After(now) })
	at, found := slices.BinarySearch(all, f.turn)
	if found {
		at++
	}
	return slices.Concat(all[at:], all[:at])
}

// front are the first tasks of a list that are missing, most of them at most. What comes
// before them is done and leaves the list; they themselves may fail, and stay. f.mu is
// held.
func (p *projectQueue) front(ids []event.TaskID, most int) (batch, left []event.TaskID) {
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
