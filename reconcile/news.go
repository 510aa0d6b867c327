package reconcile

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/hone-ml/hone/event"
	"github.com/hone-ml/hone/labelstudio"
)

// lookEvery is how often hone looks whether a webhook has told of a change.
const lookEvery = 50 * time.Millisecond

// news is what hone does not know yet of one task of Label Studio.
type news struct {
	task        labelstudio.Task
	data        bool // the task itself is unknown, or its data differ
	annotations []event.Annotation
	deleted     []event.AnnotationID
}

func (n news) none() bool { return !n.data && len(n.annotations) == 0 && len(n.deleted) == 0 }

// statePage publishes what of some tasks hone does not know yet. A task that
// surfaced only because hone wrote a prediction to it says nothing.
func (c *comparison) statePage(ctx context.Context, at time.Time, page labelstudio.TaskPage) error {
	c.read += len(page.Tasks)
	found, err := c.newsOf(ctx, page.Tasks)
	if err != nil {
		return err
	}
	if c.told {
		if found, err = c.awaitWebhooks(ctx, found, page.ServerTime); err != nil {
			return err
		}
	}
	e, size := &event.Changed{At: at}, 0
	for _, n := range found {
		if size > eventBytes {
			if err := c.publish(ctx, e); err != nil {
				return err
			}
			e, size = &event.Changed{At: at}, 0
		}
		if n.data {
			e.Tasks = append(e.Tasks, n.task.Task)
			size += len(n.task.Data)
		}
		for _, a := range n.annotations {
			e.Annotations = append(e.Annotations, a)
			size += len(a.Result)
		}
		e.DeletedAnnotations = append(e.DeletedAnnotations, n.deleted...)
	}
	return c.publish(ctx, e)
}

// newsOf compares tasks with what hone holds of them.
func (c *comparison) newsOf(ctx context.Context, tasks []labelstudio.Task) ([]news, error) {
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
	var found []news
	for i, t := range tasks {
		was := event.TaskState{Deleted: true}
		if i < len(have) && have[i].Task.ID == t.ID {
			was = have[i]
		}
		n := news{task: t, data: was.Deleted || !sameJSON(was.Task.Data, t.Data)}
		for _, a := range t.Annotations {
			j := slices.IndexFunc(was.Annotations, func(b event.Annotation) bool { return a.ID == b.ID })
			if j < 0 || !sameAnnotation(a, was.Annotations[j]) {
				n.annotations = append(n.annotations, a)
			}
		}
		for _, id := range c.known[t.ID] {
			of := func(a event.Annotation) bool { return a.ID == id }
			if slices.ContainsFunc(was.Annotations, of) && !slices.ContainsFunc(t.Annotations, of) {
				n.deleted = append(n.deleted, id)
			}
		}
		if !n.none() {
			found = append(found, n)
		}
	}
	return found, nil
}

// awaitWebhooks gives changes of the last moments, on Label Studio's clock, the
// time their webhooks have, and returns what is news then: else hone would say of a
// webhook that it was lost which is only on its way.
func (c *comparison) awaitWebhooks(ctx context.Context, found []news, now time.Time) ([]news, error) {
	var young []labelstudio.Task
	var rest []news
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
	look := time.NewTicker(lookEvery)
	defer look.Stop()
	for over := false; ; {
		still, err := c.newsOf(ctx, young)
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
