package reconcile

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/sirupsen/logrus"

	"github.com/hone-ml/hone/event"
	"github.com/hone-ml/hone/labelstudio"
)

const (
	// deletionsPerEvent and eventBytes bound an event's size: tasks may hold whole
	// documents, annotations whole masks.
	deletionsPerEvent = 5000
	eventBytes        = 1 << 20
	// progressEvery is how often a long run says how far it is.
	progressEvery = 10 * time.Second
)

// comparison is one run: it compares what Label Studio holds of a project with what hone
// knows. One goroutine uses it.
type comparison struct {
	r      *Reconciler
	w      *projectRunner
	id     event.ProjectID
	log    *logrus.Entry
	source Source
	request
	began time.Time

	// position is that of the last change heard before Label Studio was asked: what is
	// read wins over all changes up to it.
	position uint64

	meta         event.Meta
	projectKnown bool // hone knew the project before
	projectRead  bool // project is read
	// replaced: hone's data under this id belong to another project.
	replaced bool
	// webhooksActive: Label Studio sends hone webhooks for this project, as far as hone
	// knows.
	webhooksActive bool
	// polled: hone polls the project, so no webhook tells it anything. poll: this run is
	// one poll.
	polled, poll bool
	project      labelstudio.Project
	// known is what hone knew before it asked; nil when only single tasks are read. An
	// annotation made meanwhile is in neither list, or in Label Studio's only, and so
	// is never taken for deleted.
	known map[event.TaskID]event.KnownTask

	read, total, published int
	loggedAt               time.Time // of the last progress
}

func (c *comparison) compareAll(ctx context.Context) error {
	if err := c.begin(ctx); err != nil {
		return err
	}
	if err := c.readMeta(ctx); err != nil {
		return err
	}
	mark, err := c.r.o.Marks.Watermark(ctx, c.id)
	if err != nil {
		return fmt.Errorf("read how far the project was compared: %w", err)
	}
	if c.webhooksActive = !mark.IsZero(); c.webhooksActive && !c.changed {
		return c.fetch(ctx, slices.Sorted(maps.Keys(c.tasks)))
	}
	if err := c.readKnown(ctx); err != nil {
		return err
	}
	gone, err := c.readProject(ctx)
	if err != nil || gone {
		return err
	}
	if c.meta.CreatedAt != 0 && c.meta.CreatedAt != c.project.CreatedAt.Unix() {
		// The database behind Label Studio was replaced: the same id, another
		// project. Nothing known is of it.
		c.replaced, c.known, mark = true, nil, time.Time{}
	}
	c.contents = c.contents || mark.IsZero()
	c.full = c.full || c.contents
	c.webhooksActive = !mark.IsZero()

	c.loggedAt = time.Now()
	seen := map[event.TaskID]struct{}{}
	q := labelstudio.TaskQuery{PageSize: c.r.o.PageSize}
	if !c.contents {
		q.UpdatedSince = mark.Add(-c.r.o.Overlap)
	}
	next, err := c.readChanged(ctx, q, seen)
	if err != nil {
		return err
	}
	switch {
	case c.contents: // all of it has been read
		err = c.deleteTasks(ctx, c.began, seen)
	case c.full:
		err = c.compareIDs(ctx, seen)
	default:
		maps.DeleteFunc(c.tasks, func(id event.TaskID, _ struct{}) bool { _, read := seen[id]; return read })
		err = c.fetch(ctx, slices.Sorted(maps.Keys(c.tasks)))
	}
	if err != nil {
		return err
	}
	if c.full {
		if err := c.r.o.Marks.Confirm(ctx, c.id, c.position); err != nil {
			return err
		}
	}
	// Everything found is durable by now: only then may the mark move.
	if next.IsZero() || next.Equal(mark) {
		return nil
	}
	if err := c.r.o.Marks.SetWatermark(ctx, c.id, next); err != nil {
		return fmt.Errorf("note how far the project was compared: %w", err)
	}
	return nil
}

// begin records the position of the last change heard, and waits until all changes up to it
// are learned: the comparison must include them.
func (c *comparison) begin(ctx context.Context) (err error) {
	if c.position, err = c.r.o.Log.Heard(); err != nil {
		return fmt.Errorf("read how much has been heard: %w", err)
	}
	return c.awaitApplied(ctx)
}

// longWait is how long a comparison waits for what was heard to be learned before the log says so.
const longWait = 10 * time.Second

// awaitApplied waits until all changes up to the position are learned.
func (c *comparison) awaitApplied(ctx context.Context) error {
	late, long := time.NewTimer(c.r.o.Patience), time.NewTimer(longWait)
	defer late.Stop()
	defer long.Stop()
	look := time.NewTicker(recheckInterval)
	defer look.Stop()
	for {
		applied, err := c.r.o.Log.Applied(c.id)
		if err != nil {
			return fmt.Errorf("read how much has been learned: %w", err)
		}
		if applied >= c.position {
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-late.C:
			return fmt.Errorf("%d changes heard before the comparison are not learned yet; hone's log says what holds it up", c.position-applied)
		case <-long.C:
			c.log.Warnf("reconcile: has waited %s for %d changes that were heard before to be learned, and goes on waiting", longWait, c.position-applied)
		case <-look.C:
		}
	}
}

func (c *comparison) readMeta(ctx context.Context) error {
	metas, err := c.r.o.Index.Projects(ctx)
	if err != nil {
		return fmt.Errorf("read the known projects: %w", err)
	}
	c.meta = event.Meta{Project: c.id}
	if i := slices.IndexFunc(metas, func(m event.Meta) bool { return m.Project == c.id }); i >= 0 {
		c.meta, c.projectKnown = metas[i], true
	}
	return nil
}

func (c *comparison) readKnown(ctx context.Context) error {
	known, err := c.r.o.Index.Known(ctx, c.id)
	if err != nil {
		return fmt.Errorf("read the known ids: %w", err)
	}
	c.known = make(map[event.TaskID]event.KnownTask, len(known))
	for _, k := range known {
		c.known[k.Task] = k
	}
	return nil
}

// readProject reads the project's settings and publishes those that differ.
func (c *comparison) readProject(ctx context.Context) (gone bool, err error) {
	at := time.Now()
	p, err := c.source.Project(ctx, c.id)
	if labelstudio.IsNotFound(err) {
		return true, c.gone(ctx, err)
	}
	if err != nil {
		return false, err
	}
	c.project, c.projectRead = p, true
	if !c.differsFromMeta(p) && !c.anew {
		return false, nil
	}
	return false, c.publish(ctx, &event.Changed{Title: p.Title, LabelConfig: p.LabelConfig, At: at}, 0)
}

// differsFromMeta reports whether a project is not what hone knows of it.
func (c *comparison) differsFromMeta(p labelstudio.Project) bool {
	return p.Title != c.meta.Title || p.LabelConfig != c.meta.LabelConfig || p.CreatedAt.Unix() != c.meta.CreatedAt || c.meta.Gone
}

// errNoMember says what to do when the token's user belongs to no organization.
var errNoMember = errors.New("set LABEL_STUDIO_API_KEY to the token of a member and restart hone")

// gone publishes that Label Studio no longer has the project. A 404 alone may come from a
// wrong address or a proxy, so the project must be missing in the list of projects too. A list without any is believed
// of a member of the organization only.
func (c *comparison) gone(ctx context.Context, notFound error) error {
	if !c.projectKnown {
		return notFound
	}
	at := time.Now()
	all, err := c.source.Projects(ctx)
	if err != nil {
		return fmt.Errorf("%w (and whether it is really gone is unknown: %w)", notFound, err)
	}
	if slices.ContainsFunc(all, func(p labelstudio.Project) bool { return p.ID == c.id }) {
		return fmt.Errorf("%w (though Label Studio lists the project)", notFound)
	}
	if len(all) == 0 {
		if u, err := c.source.WhoAmI(ctx); err != nil || u.Organization == 0 {
			return fmt.Errorf("%w (though the token's user was removed from Label Studio's organization, and sees no project at all: %w)", notFound, errors.Join(err, errNoMember))
		}
	}
	if c.meta.Gone {
		return nil
	}
	c.log.Info("reconcile: Label Studio no longer has the project")
	return c.publish(ctx, &event.Changed{Gone: true, At: at}, 0)
}

// readChanged reads the tasks that a query selects, page by page, and publishes what hone
// did not know. next is the watermark from which the next run has to read.
func (c *comparison) readChanged(ctx context.Context, q labelstudio.TaskQuery, seen map[event.TaskID]struct{}) (next time.Time, err error) {
	first := true
	for {
		at := time.Now()
		page, err := c.source.TasksPage(ctx, c.id, q)
		if err != nil {
			return time.Time{}, err
		}
		if first {
			first, next = false, page.ServerTime
			c.total = page.Total
			if page.Next != 0 {
				c.log.Infof("reconcile: reading %d tasks", page.Total)
			}
		}
		for _, t := range page.Tasks {
			seen[t.ID] = struct{}{}
			if page.ServerTime.IsZero() && t.UpdatedAt.After(next) {
				next = t.UpdatedAt
			}
		}
		if err := c.statePage(ctx, at, page); err != nil {
			return time.Time{}, err
		}
		if page.Next == 0 {
			return next, nil
		}
		if time.Since(c.loggedAt) > progressEvery {
			c.loggedAt = time.Now()
			c.log.Infof("reconcile: %d tasks read, %d to go", c.read, page.Total-len(page.Tasks))
		}
		q.After = page.Next
	}
}

// publish publishes what was read, unless that is nothing. differs counts what hone did not
// know of it.
func (c *comparison) publish(ctx context.Context, e *event.Changed, differs int) error {
	n := len(e.Tasks) + len(e.DeletedTasks)
	if n == 0 && e.Title == "" && e.LabelConfig == "" && !e.Gone {
		return nil
	}
	e.Project, e.Source, e.Reading = c.id, event.FromReconcile, &event.Reading{From: c.position}
	if c.polled {
		e.Source = event.FromPoll
	}
	e.CreatedAt = c.meta.CreatedAt
	switch {
	case c.poll: // it has not asked which project this is, so it must not replace another
		e.CreatedAt = 0
	case c.projectRead:
		e.CreatedAt = c.project.CreatedAt.Unix()
	}
	if err := c.r.o.Publisher.Publish(ctx, e); err != nil {
		return fmt.Errorf("publish what was read of %d tasks: %w", n, err)
	}
	c.published += differs
	c.r.metrics.stated.Add(float64(differs))
	return nil
}
