package reconcile

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hone-ml/hone/event"
)

// polledRig has a project that hone polls and has read.
func polledRig(t *testing.T, tasks int) *rig {
	t.Helper()
	g := rigFor(t, func(o *Options) {
		store := o.Index.(interface {
			Known(ctx context.Context, p event.ProjectID) ([]event.KnownTask, error)
		})
		o.Polled = func(event.ProjectID) bool { return true }
		o.Count = func(ctx context.Context, p event.ProjectID) (n Counts, err error) {
			known, err := store.Known(ctx, p)
			for _, k := range known {
				n.Tasks++
				n.Annotations += len(k.Annotations)
			}
			return n, err
		}
		o.PageSize = 500
	})
	_, err := g.r.Poll(t.Context(), pid)
	require.ErrorIs(t, err, ErrUnread)
	assert.Zero(t, g.ls.calls["page"], "nothing is asked before the first reading")
	for range tasks {
		g.ls.addTask()
	}
	require.Empty(t, g.run(false).Error)
	g.take()
	g.ls.later(time.Minute)
	g.poll() // from now on since is known
	return g
}

func (g *rig) poll() int {
	g.t.Helper()
	n, err := g.r.Poll(context.Background(), pid)
	require.NoError(g.t, err)
	return n
}

// pollProject reads the project and makes the run that this asked for.
func (g *rig) pollProject() (asked bool) {
	g.t.Helper()
	require.NoError(g.t, g.r.PollProject(context.Background(), pid))
	d := g.r.project(pid).takeRequest()
	if d != nil {
		require.Empty(g.t, g.runDue(*d).Error)
	}
	return d != nil
}

// later moves Label Studio's clock.
func (f *fakeLS) later(d time.Duration) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.now = f.now.Add(d)
}

// pages counts the requests of tasks that something makes, and fails for any other request.
func (g *rig) pages(do func()) int {
	g.t.Helper()
	g.ls.mu.Lock()
	before := map[string]int{}
	for k, n := range g.ls.calls {
		before[k] = n
	}
	g.ls.mu.Unlock()
	do()
	g.ls.mu.Lock()
	defer g.ls.mu.Unlock()
	for k, n := range g.ls.calls {
		if k != "page" && n != before[k] {
			g.t.Errorf("%d requests of %s", n-before[k], k)
		}
	}
	return g.ls.calls["page"] - before["page"]
}

// Every kind of change that moves a task's time is found by the next poll, by one request.
func TestAPollFindsWhatChanged(t *testing.T) {
	g := polledRig(t, 6)
	for _, c := range []struct {
		what   string
		change func()
		found  int
	}{
		{"a label", func() { g.ls.annotate(1, "a") }, 1},
		{"a changed label", func() { g.ls.edit(1, 0, "b") }, 1},
		{"a deleted label", func() { g.ls.unannotate(1, 0) }, 1},
		{"labels of several tasks", func() { g.ls.annotate(2, "a"); g.ls.annotate(3, "b") }, 2},
		{"a new task", func() { g.ls.addTask() }, 1},
		{"nothing", func() {}, 0},
	} {
		c.change()
		assert.Equal(t, 1, g.pages(func() { assert.Equal(t, c.found, g.poll(), c.what) }), c.what)
		g.same()
		g.ls.later(time.Minute)
	}
	for _, e := range g.take() {
		assert.Equal(t, event.FromPoll, e.Source)
		assert.Zero(t, e.CreatedAt, "a poll has not asked which project it reads")
		require.NotNil(t, e.Reading)
	}
	metas, err := g.store.Projects(context.Background())
	require.NoError(t, err)
	assert.Zero(t, metas[0].Missed, "what a poll finds was not missed")
}

// Hone's own predictions move the times of 30 tasks. They state nothing, cost each poll its
// one request and no more, and are read no more once they are older than the overlap.
func TestOwnPredictionsDoNotWakeThePoll(t *testing.T) {
	g := polledRig(t, 40)
	for id := event.TaskID(1); id <= 30; id++ {
		g.ls.touch(id)
	}
	for range 3 {
		assert.Equal(t, 1, g.pages(func() { assert.Zero(t, g.poll()) }))
	}
	g.ls.later(10 * time.Second)
	g.poll()
	read := g.ls.tasksRead()
	for range 20 {
		g.ls.later(time.Second)
		assert.Equal(t, 1, g.pages(func() { assert.Zero(t, g.poll()) }))
	}
	assert.Equal(t, read, g.ls.tasksRead(), "none of them is read again")
	assert.Empty(t, g.take(), "nothing is stated")
	assert.Nil(t, g.r.project(pid).takeRequest(), "and nothing asked for")
}

// A label that a webhook told and a poll reads is learned once, and not missed.
func TestAPolledLabelThatAWebhookToldIsNoNews(t *testing.T) {
	g := polledRig(t, 3)
	a := g.ls.annotate(1, "a")
	require.NoError(t, g.hear(context.Background(), &event.Changed{
		Project: pid, CreatedAt: 1000, Source: event.FromWebhook, At: time.Now(),
		Tasks: []event.Task{g.ls.tasks[1].Task}, Annotations: []event.Annotation{a},
	}))
	assert.Zero(t, g.poll())
	g.same()
	assert.Empty(t, g.take())
}

// A run of a polled project waits for no webhook, and what it finds is not missed: a change
// that the next poll would have read.
func TestARunOfAPolledProjectMissesNothing(t *testing.T) {
	g := polledRig(t, 3)
	g.r.o.Delivery = time.Hour // a run that waited for a webhook would not end
	g.ls.annotate(2, "a")
	st := g.run(true)
	require.Empty(t, st.Error)
	assert.Equal(t, 1, st.Stated)
	assert.Zero(t, g.run(false).Missed)
	for _, e := range g.take() {
		assert.Equal(t, event.FromPoll, e.Source)
	}
}

// What leaves no trace in the times of tasks shows in the project: its config, and its counts.
func TestTheProjectShowsWhatTasksDoNot(t *testing.T) {
	g := polledRig(t, 6)
	g.ls.annotate(1, "a")
	g.ls.annotate(2, "b")
	g.poll()
	assert.False(t, g.pollProject(), "all is as hone knows it")

	g.ls.project.LabelConfig = "<View><Text/></View>"
	assert.True(t, g.pollProject())
	meta, err := g.store.Projects(context.Background())
	require.NoError(t, err)
	assert.Equal(t, "<View><Text/></View>", meta[0].LabelConfig)
	assert.False(t, g.pollProject())

	g.ls.removeTask(5)
	g.ls.later(time.Minute)
	assert.Zero(t, g.poll(), "a poll cannot see it")
	assert.True(t, g.pollProject(), "fewer tasks are believed at once")
	g.same()
	assert.False(t, g.pollProject())
}

// A Label Studio that was restored, or whose clock was set back, is noticed although nothing
// in it is newer than what was read.
func TestAPollNoticesARestoredLabelStudio(t *testing.T) {
	g := polledRig(t, 6)
	g.ls.annotate(1, "a")
	g.poll()
	backup := g.ls.backup()
	g.ls.annotate(2, "b")
	g.ls.annotate(3, "c")
	g.poll()
	g.same()

	g.ls.restore(backup)
	g.ls.later(time.Minute)
	assert.Zero(t, g.poll(), "nothing of it is new")
	assert.False(t, g.pollProject(), "somebody may have just labelled")
	assert.True(t, g.pollProject(), "the counts still differ")
	g.same()
	assert.False(t, g.pollProject())

	// Its ids are given again, and its clock is an hour behind.
	g.ls.later(-time.Hour)
	g.ls.annotate(2, "other")
	g.poll()
	d := g.r.project(pid).takeRequest()
	require.NotNil(t, d, "a clock that goes back is a reason to compare all ids")
	assert.True(t, d.full)
	require.Empty(t, g.runDue(*d).Error)
	g.same()
	g.ls.annotate(4, "later on that clock")
	assert.NotZero(t, g.poll(), "polls go by the new clock")
	g.same()
}

// Counts that never agree cost one comparison of all ids, not one a look.
func TestCountsThatNeverAgreeAreComparedOnce(t *testing.T) {
	g := polledRig(t, 6)
	g.ls.miscount = 2
	assert.False(t, g.pollProject())
	assert.True(t, g.pollProject())
	for range 5 {
		assert.False(t, g.pollProject())
	}
	g.ls.annotate(1, "a")
	assert.False(t, g.pollProject(), "a label that no poll has read yet")
	g.poll()
	for range 3 {
		assert.False(t, g.pollProject(), "the old difference is no reason")
	}
	g.ls.miscount = 3
	assert.False(t, g.pollProject())
	assert.True(t, g.pollProject(), "another difference is one")
}

// An import of more tasks than a page holds is one request for a poll: a run reads it.
func TestAPollOfManyTasksAsksForARun(t *testing.T) {
	g := polledRig(t, 3)
	g.r.o.PageSize = 5
	for range 12 {
		g.ls.addTask()
	}
	assert.Equal(t, 1, g.pages(func() { assert.Equal(t, 5, g.poll()) }))
	d := g.r.project(pid).takeRequest()
	require.NotNil(t, d)
	assert.False(t, d.full)
	require.Empty(t, g.runDue(*d).Error)
	g.same()
	g.ls.later(time.Minute)
	assert.Zero(t, g.poll())
	assert.Nil(t, g.r.project(pid).takeRequest())
}

// An answer without a date: polls go by the times of the tasks.
func TestPollsWithoutADate(t *testing.T) {
	g := polledRig(t, 3)
	g.ls.noDate = true
	for i := range 3 {
		g.ls.annotate(event.TaskID(i+1), "a")
		assert.Equal(t, 1, g.poll())
		assert.Zero(t, g.poll())
		g.same()
		g.ls.later(time.Minute)
	}
}

// A poll that fails says so, and the next one reads what it has not read.
func TestAPollThatFailsLosesNothing(t *testing.T) {
	g := polledRig(t, 3)
	g.ls.annotate(1, "a")
	g.ls.before = func(string) error { return context.DeadlineExceeded }
	_, err := g.r.Poll(context.Background(), pid)
	require.Error(t, err)
	g.ls.before = nil
	g.log.fail = context.DeadlineExceeded // the disk
	_, err = g.r.Poll(context.Background(), pid)
	require.Error(t, err)
	g.log.fail = nil
	g.ls.later(time.Hour)
	assert.Equal(t, 1, g.poll())
	g.same()

	g.ls.deleted = true
	require.Error(t, g.r.PollProject(context.Background(), pid))
	d := g.r.project(pid).takeRequest()
	require.NotNil(t, d)
	require.Empty(t, g.runDue(*d).Error)
	metas, err := g.store.Projects(context.Background())
	require.NoError(t, err)
	assert.True(t, metas[0].Gone, "the run says that the project is gone")
}
