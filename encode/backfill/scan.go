package backfill

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/cespare/xxhash/v2"

	"github.com/hone-ml/hone/encode"
	"github.com/hone-ml/hone/event"
)

// withoutVector returns the requests without a vector, in a fixed order.
func (f *Service) withoutVector(requests map[event.ContentKey]encode.Request) []encode.Request {
	var out []encode.Request
	for k, n := range requests {
		if !f.vectors.persistIfCached(k) {
			out = append(out, n)
		}
	}
	slices.SortFunc(out, func(a, b encode.Request) int {
		if a.Text == b.Text && a.Tokens {
			return 1
		}
		return strings.Compare(a.Text, b.Text)
	})
	return out
}

// requestsByKey returns requests by their keys.
func requestsByKey(all []encode.Request) map[event.ContentKey]encode.Request {
	out := make(map[event.ContentKey]encode.Request, len(all))
	for _, n := range all {
		out[n.Key()] = n
	}
	return out
}

// addRequests adds the requests of a task, if vectors of it are wanted.
func addRequests(s Needed, wanted func(event.TaskState) bool, t event.TaskState, requests map[event.ContentKey]encode.Request) {
	if t.Deleted || len(t.Task.Data) == 0 || !wanted(t) {
		return
	}
	s.Requests(t.Task.Data, requests)
}

// scan compares the changed tasks of all projects with the vectors there are.
func (f *Service) scan(ctx context.Context) {
	now := time.Now()
	f.mu.Lock()
	ids := f.roundRobin(now)
	f.mu.Unlock()
	for _, id := range ids {
		if err := f.scanProject(ctx, id); err != nil && ctx.Err() == nil {
			f.recordFailure(id, err)
		}
	}
}

func (f *Service) scanProject(ctx context.Context, id event.ProjectID) error {
	f.mu.Lock()
	p := f.projects[id]
	fullScan, changed := p.fullScan, p.changedTasks
	p.fullScan, p.changedTasks = false, nil
	f.mu.Unlock()
	if !fullScan && len(changed) == 0 {
		return nil
	}
	err := f.scanTasks(ctx, id, fullScan, changed)
	f.mu.Lock()
	defer f.mu.Unlock()
	if err != nil {
		p.fullScan, p.changedTasks = p.fullScan || fullScan, append(changed, p.changedTasks...)
		return err
	}
	p.clearFailures()
	return nil
}

func (f *Service) scanTasks(ctx context.Context, id event.ProjectID, all bool, ids []event.TaskID) error {
	s := f.o.Needed(id)
	if s == nil { // Label Studio no longer has it, its models read nothing of the encoder, or the config cannot be read yet
		f.mu.Lock()
		defer f.mu.Unlock()
		if p := f.projects[id]; p != nil && !p.fullScan && len(p.changedTasks) == 0 { // else it may read something by now
			delete(f.projects, id)
			f.o.Metrics.Unencoded(id, 0)
		}
		f.gcPending = true
		return nil
	}
	if all {
		known, err := f.o.Tasks.Known(ctx, id)
		if err != nil {
			return err
		}
		for _, k := range known {
			ids = append(ids, k.Task)
		}
		names := f.withoutVector(requestsByKey(s.LabelNames()))
		f.mu.Lock()
		p := f.queueFor(id)
		p.labelNames, p.known = names, len(known)
		f.mu.Unlock()
		f.gcPending = true
	}
	wanted := f.wants(id, 0)
	for part := range slices.Chunk(ids, scanBatch) {
		states, err := f.o.Tasks.Tasks(ctx, id, part)
		if err != nil {
			return err
		}
		var labelled []event.TaskID
		for _, t := range states {
			if len(t.Annotations) > 0 {
				labelled = append(labelled, t.Task.ID)
			}
			requests := map[event.ContentKey]encode.Request{}
			addRequests(s, wanted, t, requests)
			missing := len(f.withoutVector(requests)) > 0
			f.mu.Lock()
			f.gcPending = f.queueFor(id).record(t, missing) || f.gcPending
			f.mu.Unlock()
		}
		// An example may have been learned just before its vector came by Now.
		f.recheck(id, labelled)
	}
	f.updateGauge(id)
	return nil
}

// record updates the queue by a scanned task. It reports whether vectors of the task may have
// become garbage.
func (p *projectQueue) record(t event.TaskState, missing bool) (garbage bool) {
	id := t.Task.ID
	old, known := p.tasks[id]
	if t.Deleted {
		delete(p.tasks, id)
		delete(p.missing, id)
		return known
	}
	sum := xxhash.Sum64(t.Task.Data)
	p.tasks[id] = sum
	if !missing {
		delete(p.missing, id)
		return known && old != sum
	}
	was, queued := p.missing[id]
	p.missing[id] = t.Labelled()
	switch {
	case t.Labelled() && !was:
		p.labelled = append(p.labelled, id)
	case !t.Labelled() && !queued:
		p.unlabelled = append(p.unlabelled, id)
	}
	return known && old != sum
}

// updateGauge sets the metric of missing tasks.
func (f *Service) updateGauge(id event.ProjectID) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if p := f.projects[id]; p != nil {
		f.o.Metrics.Unencoded(id, len(p.missing))
	}
}
