package backfill

import (
	"context"
	"slices"

	"github.com/hone-ml/hone/encode"
	"github.com/hone-ml/hone/event"
)

// collectGarbage deletes stored vectors that no task needs: of tasks that are deleted or have
// another text now, and of encoders that are no longer configured. The errors are those of the
// stores.
func (f *Service) collectGarbage(ctx context.Context) error {
	needed := map[event.ContentKey]struct{}{}
	f.mu.Lock()
	var ids []event.ProjectID
	for id := range f.projects {
		ids = append(ids, id)
	}
	f.mu.Unlock()
	for _, id := range ids {
		s := f.o.Needed(id)
		if s == nil {
			continue
		}
		for _, n := range s.LabelNames() {
			needed[n.Key()] = struct{}{}
		}
		known, err := f.o.Tasks.Known(ctx, id)
		if err != nil {
			return err
		}
		wanted := f.wants(id, len(known))
		for part := range slices.Chunk(known, scanBatch) {
			tasks := make([]event.TaskID, len(part))
			for i, k := range part {
				tasks[i] = k.Task
			}
			states, err := f.o.Tasks.Tasks(ctx, id, tasks)
			if err != nil {
				return err
			}
			requests := map[event.ContentKey]encode.Request{}
			for _, t := range states {
				addRequests(s, wanted, t, requests)
			}
			for k := range requests {
				needed[k] = struct{}{}
			}
		}
	}
	if err := f.vectors.dropUnneeded(ctx, needed); err != nil {
		return err
	}
	if len(ids) > 0 { // else the vectors of another encoder are replaced by none
		if err := f.vectors.store.RetainEncoders(ctx, append(slices.Clone(f.o.Retain), f.vectors.encoder.Name())); err != nil {
			return err
		}
	}
	f.gcPending = false
	return nil
}
