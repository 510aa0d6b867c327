package reconcile

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/hone-ml/hone/event"
	"github.com/hone-ml/hone/labelstudio"
)

// recheckInterval is how often hone checks whether a webhook has arrived for a change.
const recheckInterval = 50 * time.Millisecond

// taskDiff is a task of Label Studio that differs from what hone holds.
type taskDiff struct {
	task labelstudio.Task
	// differs counts the annotations that differ, and the data.
	differs int
}

// statePage publishes the tasks of a page that differ from what hone holds, with all of their
// annotations. A task in which only hone's own prediction changed does not differ.
func (c *comparison) statePage(ctx context.Context, at time.Time, page labelstudio.TaskPage) error {
	c.read += len(page.Tasks)
	if c.poll {
		if len(page.Tasks) == 0 {
			return nil
		}
		if err := c.awaitApplied(ctx); err != nil {
			return err
		}
	} else {
		c.w.progress(c.read, c.total, time.Since(c.began))
	}
	found, err := c.diffTasks(ctx, page.Tasks)
	if err != nil {
		return err
	}
	if c.webhooksActive && !c.anew && !c.polled {
		if found, err = c.awaitWebhooks(ctx, found, page.ServerTime); err != nil {
			return err
		}
	}
	e, size, differs := &event.Changed{At: at}, 0, 0
	for _, n := range found {
		if size > eventBytes {
			if err := c.publish(ctx, e, differs); err != nil {
				return err
			}
			e, size, differs = &event.Changed{At: at}, 0, 0
		}
		e.Tasks = append(e.Tasks, n.task.Task)
		size += len(n.task.Data)
		for _, a := range n.task.Annotations {
			e.Annotations = append(e.Annotations, a)
			size += len(a.Result)
		}
		differs += n.differs
	}
	return c.publish(ctx, e, differs)
}

// diffTasks compares tasks with what hone holds and returns those that differ.
func (c *comparison) diffTasks(ctx context.Context, tasks []labelstudio.Task) ([]taskDiff, error) {
	if len(tasks) == 0 {
		return nil, nil
	}
	ids := make([]event.TaskID, len(tasks))
	for i, t := range tasks {
		ids[i] = t.ID
	}
	var have []event.TaskState
	if !c.replaced {
		var err error
		if have, err = c.r.o.Index.Tasks(ctx, c.id, ids); err != nil {
			return nil, fmt.Errorf("read %d known tasks: %w", len(ids), err)
		}
	}
	var found []taskDiff
	for i, t := range tasks {
		was := event.TaskState{Deleted: true}
		if i < len(have) && have[i].Task.ID == t.ID {
			was = have[i]
		}
		n := taskDiff{task: t, differs: c.differences(t, was)}
		if n.differs == 0 {
			c.recordUnchanged(t, was)
		}
		if n.differs > 0 || c.anew {
			found = append(found, n)
		}
	}
	return found, nil
}

// differences counts how many annotations, and whether the data, of a task differ.
func (c *comparison) differences(t labelstudio.Task, was event.TaskState) (n int) {
	// Label Studio moves a task's time also when nothing of it changes, but not back.
	limit := t.UpdatedAt.Add(clockTolerance)
	if c.contents {
		limit = t.UpdatedAt
	}
	if was.Deleted || was.Task.UpdatedAt.After(limit) || !sameJSON(was.Task.Data, t.Data) {
		n++
	}
	for _, a := range t.Annotations {
		j := slices.IndexFunc(was.Annotations, func(b event.Annotation) bool { return a.ID == b.ID })
		if j < 0 || !sameAnnotation(a, was.Annotations[j]) {
			n++
		}
	}
	for _, b := range was.Annotations {
		since := c.known != nil && !slices.Contains(c.known[t.ID].Annotations, b.ID)
		if !since && !slices.ContainsFunc(t.Annotations, func(a event.Annotation) bool { return a.ID == b.ID }) {
			n++
		}
	}
	return n
}

// recordUnchanged remembers that a task is the same although its times differ, so that the
// next comparison of times does not read it again.
func (c *comparison) recordUnchanged(t labelstudio.Task, was event.TaskState) {
	c.w.compared.record(t.ID, t.UpdatedAt, was.Task.UpdatedAt)
}

// awaitWebhooks waits until the webhooks of recent changes, by Label Studio's clock, must have
// arrived, and returns what still differs. Otherwise a webhook that is on its way would be
// counted as lost.
func (c *comparison) awaitWebhooks(ctx context.Context, found []taskDiff, now time.Time) ([]taskDiff, error) {
	var young []labelstudio.Task
	var rest []taskDiff
	for _, n := range found {
		if now.IsZero() || now.Sub(n.task.UpdatedAt) < c.r.o.Delivery {
			young = append(young, n.task)
		} else {
			rest = append(rest, n)
		}
	}
	if len(young) == 0 {
		return found, nil
	}
	late := time.NewTimer(c.r.o.Delivery)
	defer late.Stop()
	look := time.NewTicker(recheckInterval)
	defer look.Stop()
	for over := false; ; {
		still, err := c.diffTasks(ctx, young)
		if err != nil {
			return nil, err
		}
		if over || len(still) == 0 {
			return append(rest, still...), nil
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-late.C:
			over = true
		case <-look.C:
		}
	}
}
