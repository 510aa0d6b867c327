package backfill

import (
	"cmp"
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

// scanProject scans the changed tasks of a project, and a portion of all of them if that was asked for:
// what is urgent is encoded between two portions.
func (f *Service) scanProject(ctx context.Context, id event.ProjectID) error {
	f.mu.Lock()
	p := f.projects[id]
	fullScan, changed := p.fullScan, p.changedTasks
	p.fullScan, p.changedTasks = false, nil
	f.mu.Unlock()
	if fullScan {
		if err := f.listTasks(ctx, id); err != nil {
			f.mu.Lock()
			defer f.mu.Unlock()
			p.fullScan, p.changedTasks = true, append(changed, p.changedTasks...)
			return err
		}
	}
	f.mu.Lock()
	n := min(len(p.unscanned), scanPortion)
	portion := p.unscanned[:n:n]
	p.unscanned = p.unscanned[n:]
	f.mu.Unlock()
	if !fullScan && len(changed)+n == 0 {
		return nil
	}
	err := f.scanTasks(ctx, id, slices.Concat(changed, portion))
	f.mu.Lock()
	defer f.mu.Unlock()
	if err != nil {
		p.changedTasks, p.unscanned = append(changed, p.changedTasks...), slices.Concat(portion, p.unscanned)
		return err
	}
	p.clearFailures()
	return nil
}

// listTasks begins a scan of all tasks: those that are asked next, then by the order in which samples of
// a pool are drawn, so that strategies that look at a sample have its vectors before the rest is encoded.
func (f *Service) listTasks(ctx context.Context, id event.ProjectID) error {
	s := f.o.Needed(id)
	if s == nil {
		return nil // scanTasks sees that too
	}
	known, err := f.o.Tasks.Known(ctx, id)
	if err != nil {
		return err
	}
	names := f.withoutVector(requestsByKey(s.LabelNames()))
	ids := make([]event.TaskID, len(known))
	labelled := map[event.TaskID]bool{}
	for i, k := range known {
		ids[i] = k.Task
		if len(k.Annotations) > 0 {
			labelled[k.Task] = true
		}
	}
	next := map[event.TaskID]bool{}
	for _, t := range f.o.Next(id) {
		next[t] = true
	}
	urgency := func(t event.TaskID) int {
		switch {
		case labelled[t]:
			return 0
		case next[t]:
			return 1
		}
		return 2
	}
	slices.SortFunc(ids, func(a, b event.TaskID) int {
		return cmp.Or(cmp.Compare(urgency(a), urgency(b)), cmp.Compare(a.Hash(), b.Hash()))
	})
	f.mu.Lock()
	defer f.mu.Unlock()
	p := f.queueFor(id)
	p.labelNames, p.known, p.unscanned = names, len(known), ids
	f.gcPending = true
	return nil
}

func (f *Service) scanTasks(ctx context.Context, id event.ProjectID, ids []event.TaskID) error {
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
