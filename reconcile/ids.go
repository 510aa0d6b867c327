package reconcile

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"sort"
	"time"

	"github.com/hone-ml/hone/event"
	"github.com/hone-ml/hone/labelstudio"
)

// clockTolerance is by how much hone's time of a task may be later than Label Studio's
// before the task is read. A webhook may come while the list is made.
const clockTolerance = time.Minute

// compareIDs compares all ids and times, since a deleted task leaves no other trace,
// and reads the tasks that differ.
func (c *comparison) compareIDs(ctx context.Context, seen map[event.TaskID]struct{}) error {
	at := time.Now()
	theirs, err := c.source.KnownTasks(ctx, c.id)
	if err != nil {
		return err
	}
	there := make(map[event.TaskID]struct{}, len(theirs))
	lacking := slices.Collect(maps.Keys(c.tasks))
	for _, t := range theirs {
		there[t.Task] = struct{}{}
		if _, done := seen[t.Task]; !done && c.differs(t) {
			lacking = append(lacking, t.Task)
		}
	}
	c.w.compared.keep(there)
	if err := c.deleteTasks(ctx, at, there); err != nil {
		return err
	}
	slices.Sort(lacking)
	return c.fetch(ctx, slices.Compact(lacking))
}

func (c *comparison) differs(t event.KnownTask) bool {
	ours, known := c.known[t.Task]
	if !known || ours.UpdatedAt.IsZero() || len(ours.Annotations) != len(t.Annotations) {
		return true
	}
	for _, a := range t.Annotations {
		if !slices.Contains(ours.Annotations, a) {
			return true
		}
	}
	return !c.w.compared.same(t.Task, t.UpdatedAt, ours.UpdatedAt)
}

// deleteTasks publishes the deletion of known tasks that are not there any more.
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
	if err := c.verifyComplete(ctx, len(there)); err != nil {
		return err
	}
	return c.stateDeleted(ctx, at, tasks)
}

func (c *comparison) stateDeleted(ctx context.Context, at time.Time, tasks []event.TaskID) error {
	for part := range slices.Chunk(tasks, deletionsPerEvent) {
		if err := c.publish(ctx, &event.Changed{DeletedTasks: part, At: at}, len(part)); err != nil {
			return err
		}
	}
	return nil
}

// verifyComplete returns an error if a list of tasks is shorter than Label Studio's own count
// both before and after it: such a list would drop labels until the next reading.
func (c *comparison) verifyComplete(ctx context.Context, listed int) error {
	now, err := c.source.Project(ctx, c.id)
	if err != nil {
		return err
	}
	if least := min(c.project.Tasks, now.Tasks); listed < least {
		return fmt.Errorf("project %d has %d tasks, but Label Studio lists only %d; nothing is taken for deleted", c.id, least, listed)
	}
	return nil
}

// fetch reads single tasks, in order of their ids, as pages that begin at the next one
// wanted. It publishes the deletion of those that hone has and Label Studio does not.
func (c *comparison) fetch(ctx context.Context, ids []event.TaskID) error {
	c.total += len(ids)
	for len(ids) > 0 {
		at := time.Now()
		page, err := c.source.TasksPage(ctx, c.id, labelstudio.TaskQuery{After: ids[0] - 1, PageSize: min(len(ids), c.r.o.PageSize)})
		if err != nil {
			return err
		}
		n := len(ids)
		if page.Next != 0 { // there are more behind the page
			n = sort.Search(n, func(i int) bool { return ids[i] > page.Next })
		}
		wanted := ids[:n]
		ids = ids[n:]
		page.Tasks = slices.DeleteFunc(page.Tasks, func(t labelstudio.Task) bool { _, is := slices.BinarySearch(wanted, t.ID); return !is })
		if err := c.statePage(ctx, at, page); err != nil {
			return err
		}
		if err := c.stateAbsent(ctx, at, wanted, page.Tasks); err != nil {
			return err
		}
	}
	return nil
}

// stateAbsent publishes the deletion of wanted tasks that hone has and Label Studio does
// not.
func (c *comparison) stateAbsent(ctx context.Context, at time.Time, wanted []event.TaskID, there []labelstudio.Task) error {
	absent := slices.DeleteFunc(slices.Clone(wanted), func(id event.TaskID) bool {
		_, is := slices.BinarySearchFunc(there, id, func(t labelstudio.Task, id event.TaskID) int { return cmp.Compare(t.ID, id) })
		return is
	})
	if len(absent) == 0 || c.replaced {
		return nil
	}
	have, err := c.r.o.Index.Tasks(ctx, c.id, absent)
	if err != nil {
		return fmt.Errorf("read %d known tasks: %w", len(absent), err)
	}
	var gone []event.TaskID
	for _, t := range have {
		if !t.Deleted {
			gone = append(gone, t.Task.ID)
		}
	}
	return c.stateDeleted(ctx, at, gone)
}
