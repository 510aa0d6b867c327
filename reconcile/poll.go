package reconcile

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/hone-ml/hone/event"
	"github.com/hone-ml/hone/labelstudio"
)

// ErrUnread says that a project was not read for the first time yet, so that nothing can be
// polled: the first reading reads everything.
var ErrUnread = errors.New("the project was not read yet")

// Counts are numbers of one project: its tasks, and their annotations, skips included.
type Counts struct{ Tasks, Annotations int }

func (c Counts) minus(o Counts) Counts {
	return Counts{c.Tasks - o.Tasks, c.Annotations - o.Annotations}
}

// pollState is how far a project was polled.
type pollState struct {
	polling chan struct{} // holds a token while the project is polled
	// since is the moment on Label Studio's clock up to which polls have read; zero before
	// the first one.
	since time.Time

	projectMu sync.Mutex // held while the project itself is read
	// agreed are Label Studio's counts when they were last equal to hone's.
	agreed *Counts
	// lacking is by how much Label Studio's counts differed from hone's at the last look.
	lacking Counts
	// asked is when all ids were asked for because of lacking; zero when they were not.
	asked time.Time
	// left is the difference that such a comparison left, which is no reason for another.
	left *Counts
}

// lock waits until no poll of the project is under way; the error is the context's.
func (s *pollState) lock(ctx context.Context) error {
	select {
	case s.polling <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (s *pollState) unlock() { <-s.polling }

// reset forgets how far the project was polled. The lock is held.
func (s *pollState) reset() {
	s.since = time.Time{}
	s.projectMu.Lock()
	defer s.projectMu.Unlock()
	s.agreed, s.lacking, s.asked, s.left = nil, Counts{}, time.Time{}, nil
}

// Poll reads, in one request, the tasks of a project that changed
// since the last poll, and publishes what hone does not know of them. Label Studio moves a
// task's updated_at when an annotation of it is made, changed or deleted, and when the task
// is made or changed (the suite of package labelstudio holds it to that). Hone's own
// predictions move it too: such tasks are read once more and found to be the same. Of more
// tasks than a page holds it reads the first ones and asks for a run, so a poll is always one
// request. What a poll cannot see, PollProject and the runs find.
//
// found counts what differed. The error is ErrUnread before the first run has read the
// project, or that of Label Studio, the log or the index; then the next poll reads the same
// again. Polls of one project wait for each other, and not for its runs.
func (r *Reconciler) Poll(ctx context.Context, p event.ProjectID) (found int, err error) {
	w := r.project(p)
	if err := w.poll.lock(ctx); err != nil {
		return 0, err
	}
	defer w.poll.unlock()
	c := comparison{r: r, w: w, id: p, log: w.log, source: r.currentSource(), began: time.Now(), polled: true, poll: true}
	if c.source == nil {
		return 0, errNotConnected
	}
	mark, err := r.o.Marks.Watermark(ctx, p)
	if err != nil {
		return 0, fmt.Errorf("read how far the project was compared: %w", err)
	}
	if mark.IsZero() {
		w.poll.since = time.Time{}
		return 0, ErrUnread
	}
	q := labelstudio.TaskQuery{PageSize: r.o.PageSize, UpdatedSince: w.poll.since.Add(-r.o.PollOverlap)}
	if w.poll.since.IsZero() {
		q.UpdatedSince = mark.Add(-r.o.Overlap)
	}
	// Before Label Studio is asked: what is read wins over all changes up to it.
	if c.position, err = r.o.Log.Heard(); err != nil {
		return 0, fmt.Errorf("read how much has been heard: %w", err)
	}
	at := time.Now()
	page, err := c.source.TasksPage(ctx, p, q)
	if err == nil {
		err = c.statePage(ctx, at, page)
	}
	if labelstudio.IsNotFound(err) || err == nil && page.Next != 0 {
		r.Ask(p, false) // the run finds out whether the project is gone, or reads all of so many
	}
	if err != nil {
		return c.published, err
	}
	w.advance(page)
	return c.published, nil
}

// advance records up to which moment a poll has read. Its lock is held.
func (w *projectRunner) advance(page labelstudio.TaskPage) {
	next := page.ServerTime
	for _, t := range page.Tasks {
		if page.ServerTime.IsZero() && t.UpdatedAt.After(next) {
			next = t.UpdatedAt
		}
	}
	if next.IsZero() { // an answer without a date, and without a task
		return
	}
	if next.Add(clockTolerance).Before(w.poll.since) {
		w.log.Warn("reconcile: Label Studio's clock went back; all ids are compared")
		w.r.Ask(w.id, true)
	}
	w.poll.since = next
}

// PollProject reads a project itself, in one request, and asks for a run when something is
// not as hone knows it: title, label config, identity, or the counts. Deleted tasks show in
// the counts alone, and so does a Label Studio whose database was restored.
//
// Counts are compared with hone's own only when they have changed. They differ for a moment
// whenever somebody labels, so fewer tasks are believed at once, and any other difference
// when it stands at two looks. A difference that a comparison of all ids leaves is not asked
// for again while it stays the same. The error is that of Label Studio or the index.
func (r *Reconciler) PollProject(ctx context.Context, p event.ProjectID) error {
	w := r.project(p)
	w.poll.projectMu.Lock()
	defer w.poll.projectMu.Unlock()
	c := comparison{r: r, w: w, id: p, log: w.log, source: r.currentSource()}
	if c.source == nil {
		return errNotConnected
	}
	if err := c.readMeta(ctx); err != nil {
		return err
	}
	now, err := c.source.Project(ctx, p)
	if labelstudio.IsNotFound(err) {
		r.Ask(p, false)
	}
	if err != nil {
		return err
	}
	if c.differsFromMeta(now) {
		r.Ask(p, false)
		return nil
	}
	return w.compareCounts(ctx, Counts{now.Tasks, now.Annotations + now.Skipped})
}

// compareCounts compares Label Studio's counts with hone's and asks for a comparison of all
// ids where they say that something was missed.
func (w *projectRunner) compareCounts(ctx context.Context, theirs Counts) error {
	s := &w.poll
	if w.r.o.Count == nil || s.agreed != nil && *s.agreed == theirs {
		return nil
	}
	ours, err := w.r.o.Count(ctx, w.id)
	if err != nil {
		return fmt.Errorf("count what hone holds of the project: %w", err)
	}
	before, lacking := s.lacking, theirs.minus(ours)
	s.lacking = lacking
	switch {
	case lacking == Counts{}:
		s.agreed, s.asked, s.left = &theirs, time.Time{}, nil
		return nil
	case s.left != nil && lacking == *s.left:
		return nil
	case lacking != before:
		s.asked = time.Time{}
		if lacking.Tasks >= 0 {
			return nil // somebody may be labelling: look again
		}
	case !s.asked.IsZero() && w.snapshot().LastFull.After(s.asked):
		s.left = &lacking // all ids were compared since, and it stayed
		return nil
	}
	if s.asked.IsZero() {
		s.asked = time.Now()
	}
	w.r.Ask(w.id, true)
	return nil
}
