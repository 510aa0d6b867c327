package reconcile

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/hone-ml/hone/event"
	"github.com/hone-ml/hone/labelstudio"
)

// compareIDs compares all ids, since a deleted task leaves no other trace, and
// reads the tasks that hone lacks, or lacks annotations of.
func (c *comparison) compareIDs(ctx context.Context, seen map[event.TaskID]struct{}) error {
	at := time.Now()
	theirs, err := c.source.KnownTasks(ctx, c.id)
	if err != nil {
		return err
	}
	var lacking []event.TaskID
	var annotations []event.AnnotationID
	there := make(map[event.TaskID]struct{}, len(theirs))
	for _, t := range theirs {
		there[t.Task] = struct{}{}
		known, ok := c.known[t.Task]
		lacks := !ok
		for _, a := range t.Annotations {
			lacks = lacks || !slices.Contains(known, a)
		}
		if _, done := seen[t.Task]; lacks && !done {
			lacking = append(lacking, t.Task)
		}
		for _, a := range known {
			if !slices.Contains(t.Annotations, a) {
				annotations = append(annotations, a)
			}
		}
	}
	if err := c.deleteTasks(ctx, at, there); err != nil {
		return err
	}
	for part := range slices.Chunk(annotations, deletionsPerEvent) {
		if err := c.publish(ctx, &event.Changed{DeletedAnnotations: part, At: at}); err != nil {
			return err
		}
	}
	return c.fetch(ctx, lacking)
}

// deleteTasks states which known tasks are not there any more.
func (c *comparison) deleteTasks(ctx context.Context, at time.Time, there map[event.TaskID]struct{}) error {
	var tasks []event.TaskID
	for _, id := range slices.Sorted(maps.Keys(c.known)) {
		if _, ok := there[id]; !ok {
			tasks = append(tasks, id)
		}
	}
	if len(tasks) == 0 {
		return nil
	}
	if err := c.believe(ctx, len(there)); err != nil {
		return err
	}
	for part := range slices.Chunk(tasks, deletionsPerEvent) {
		if err := c.publish(ctx, &event.Changed{DeletedTasks: part, At: at}); err != nil {
			return err
		}
	}
	return nil
}

// believe refuses a list of tasks that is shorter than Label Studio's own count
// both before and after it: deletions are for ever, a bad answer is not.
func (c *comparison) believe(ctx context.Context, listed int) error {
	now, err := c.source.Project(ctx, c.id)
	if err != nil {
		return err
	}
	if least := min(c.project.Tasks, now.Tasks); listed < least {
		return fmt.Errorf("project %d has %d tasks, but Label Studio lists only %d; nothing is taken for deleted", c.id, least, listed)
	}
	return nil
}

// fetch reads single tasks, rising ids, as pages that begin at the next one
// wanted.
func (c *comparison) fetch(ctx context.Context, ids []event.TaskID) error {
	for len(ids) > 0 {
		at := time.Now()
		page, err := c.source.TasksPage(ctx, c.id, labelstudio.TaskQuery{After: ids[0] - 1, PageSize: min(len(ids), c.r.o.PageSize)})
		if err != nil {
			return err
		}
		if len(page.Tasks) == 0 {
			return nil // they have been deleted since
		}
		if err := c.statePage(ctx, at, page); err != nil {
			return err
		}
		last := page.Tasks[len(page.Tasks)-1].ID
		ids = slices.DeleteFunc(ids, func(id event.TaskID) bool { return id <= last })
	}
	return nil
}
