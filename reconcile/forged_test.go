package reconcile

import (
	"context"
	"encoding/json"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sirupsen/logrus"
	logtest "github.com/sirupsen/logrus/hooks/test"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hone-ml/hone/event"
)

// labelledRig has so many labelled tasks, all of them known.
func labelledRig(t *testing.T, n int, change func(*Options)) *rig {
	g := rigFor(t, change)
	for range n {
		g.ls.annotate(g.ls.addTask(), "a")
	}
	require.Empty(t, g.run(true).Error)
	g.take()
	g.doubts = nil
	g.ls.now = g.ls.now.Add(time.Hour)
	require.Empty(t, g.run(false).Error) // so that the next ordinary run has nothing to read
	clear(g.ls.calls)
	return g
}

func (g *rig) forge(c event.Changed) {
	g.t.Helper()
	c.Project, c.Source, c.At = pid, event.FromWebhook, time.Now()
	require.NoError(g.t, g.hear(context.Background(), &c))
}

func upTo(n int) (ids []event.AnnotationID) {
	for i := range n {
		ids = append(ids, event.AnnotationID(i+1))
	}
	return ids
}

var endOfTime = time.Date(9999, 12, 31, 0, 0, 0, 0, time.UTC)

// What is made up is found by a comparison of all ids and times: all but contents
// whose times are right.
func TestAFullRunUndoesForgeries(t *testing.T) {
	for name, c := range map[string]event.Changed{
		"ten deletions":     {DeletedAnnotations: upTo(10)},
		"one deletion":      {DeletedAnnotations: upTo(1)},
		"deleted tasks":     {DeletedTasks: []event.TaskID{1, 2}},
		"task of year 9999": {Tasks: []event.Task{{ID: 1, Data: json.RawMessage(`{"text":"forged"}`), UpdatedAt: endOfTime}}},
		"a task":            {Tasks: []event.Task{{ID: 99, Data: json.RawMessage(`{"text":"forged"}`), UpdatedAt: endOfTime}}},
		"an annotation":     {Annotations: []event.Annotation{{ID: 99, Task: 1, UpdatedAt: endOfTime}}},
		"a moved one":       {Annotations: []event.Annotation{{ID: 1, Task: 2, UpdatedAt: endOfTime}}},
	} {
		t.Run(name, func(t *testing.T) {
			g := labelledRig(t, 12, nil)
			g.forge(c)
			require.Empty(t, g.run(true).Error)
			g.same()
			assert.Zero(t, g.run(true).Stated)
		})
	}
}

// Deletions by webhook are asked about at once, and nothing else is read for that.
func TestDeletionsAreAskedAboutAtOnce(t *testing.T) {
	g := labelledRig(t, 12, nil)
	gone := g.ls.tasks[3].Annotations[0].ID
	g.ls.unannotate(3, 0)
	g.ls.removeTask(5)
	g.forge(event.Changed{DeletedAnnotations: append(upTo(2), gone), DeletedTasks: []event.TaskID{5, 6}})
	g.settle()
	g.same()
	assert.Equal(t, 2, g.ls.calls["page"])
	assert.Zero(t, g.ls.calls["ids"])
}

// A deleted task that hone still has is found when it alone is read.
func TestASingleTaskThatIsNotThere(t *testing.T) {
	g := labelledRig(t, 12, nil)
	g.ls.removeTask(5)
	g.ls.removeTask(12)
	st := g.runDue(request{tasks: map[event.TaskID]struct{}{5: {}, 6: {}, 12: {}, 77: {}}})
	require.Empty(t, st.Error)
	g.same()
	assert.Equal(t, 2, st.Stated)
}

// Single tasks that could not be read are read by the next run.
func TestSingleTasksAreNotForgotten(t *testing.T) {
	g := labelledRig(t, 12, nil)
	g.forge(event.Changed{DeletedAnnotations: upTo(2)})
	g.ls.before = func(string) error { return context.DeadlineExceeded }
	require.NotEmpty(t, g.runDue(request{tasks: map[event.TaskID]struct{}{1: {}, 2: {}}}).Error)
	g.ls.before = nil
	d := g.r.project(pid).takeRequest()
	require.NotNil(t, d)
	require.Empty(t, g.runDue(*d).Error)
	g.same()
}

// Contents whose times are right are found by reading everything.
func TestContentsAreCompared(t *testing.T) {
	g := labelledRig(t, 12, nil)
	a := g.ls.tasks[1].Annotations[0]
	a.Result = json.RawMessage(`[{"v":"forged"}]`)
	a.UpdatedAt = endOfTime
	g.forge(event.Changed{Annotations: []event.Annotation{a}})
	require.Empty(t, g.run(true).Error)
	st := g.runDue(request{changed: true, contents: true})
	require.Empty(t, st.Error)
	g.same()
	assert.Equal(t, 1, st.Stated)
	assert.Equal(t, 12, st.Read)
	assert.False(t, st.LastContents.IsZero())
	// The date is not in the way of what comes next.
	g.ls.edit(1, 0, "b")
	g.forge(event.Changed{Annotations: g.ls.tasks[1].Annotations})
	g.same()
}

// A quiet run reads one list and says nothing, also when hone's own predictions have
// moved the times of tasks: those are read once.
func TestAQuietRunIsCheap(t *testing.T) {
	g := labelledRig(t, 12, nil)
	for id := range event.TaskID(8) {
		g.ls.touch(id + 1)
	}
	require.Empty(t, g.run(true).Error)
	g.ls.now = g.ls.now.Add(time.Hour)
	require.Empty(t, g.run(false).Error)
	clear(g.ls.calls)
	before, err := g.Heard()
	require.NoError(t, err)
	for range 3 {
		require.Empty(t, g.run(true).Error)
	}
	after, err := g.Heard()
	require.NoError(t, err)
	assert.Equal(t, before, after, "nothing is said")
	assert.Equal(t, map[string]int{"project": 3, "page": 3, "ids": 3}, g.ls.calls)
	require.Empty(t, g.runDue(request{changed: true, contents: true}).Error)
	assert.Equal(t, after, g.last, "nor of contents that are the same")
}

// All of it is stated anew when that is asked for.
func TestRebuildStatesEverything(t *testing.T) {
	g := labelledRig(t, 12, nil)
	require.Empty(t, g.runDue(request{changed: true, contents: true, anew: true}).Error)
	tasks := 0
	for _, e := range g.take() {
		tasks += len(e.Tasks)
	}
	assert.Equal(t, 12, tasks)
	st := g.r.project(pid).snapshot()
	assert.Equal(t, 12, st.Total)
	assert.Zero(t, st.Stated, "nothing of it was unknown")
	g.same()
}

// While a run reads pages its status says how far it is and about how long it still takes.
func TestAStatusSaysHowFarARunIs(t *testing.T) {
	g := labelledRig(t, 12, func(o *Options) { o.PageSize = 4 })
	var read []int
	g.ls.after = func(string) {
		st := g.r.project(pid).snapshot()
		assert.True(t, st.Running)
		if st.Read > 0 {
			assert.Equal(t, 12, st.Total)
			assert.Equal(t, st.Read < st.Total, st.Left > 0, "%+v", st)
			read = append(read, st.Read)
		}
	}
	require.Empty(t, g.runDue(request{changed: true, contents: true}).Error)
	assert.Equal(t, []int{4, 8}, read[:2])
	assert.Zero(t, g.r.project(pid).snapshot().Left)
}

// What was heard before a comparison has to be learned first.
func TestAComparisonWaitsForWhatWasHeard(t *testing.T) {
	g := labelledRig(t, 3, func(o *Options) { o.Patience = time.Millisecond })
	g.behind = 1
	assert.Contains(t, g.run(true).Error, "1 changes heard before the comparison are not learned yet")
	g.behind = 0
	require.Empty(t, g.run(true).Error)
}

// While it waits long, the log says for what: nothing else tells why a project is not compared.
func TestALongWaitIsSaid(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		logger, said := logtest.NewNullLogger()
		g := labelledRig(t, 3, func(o *Options) { o.Logger, o.Patience = logrus.NewEntry(logger), longWait/2 })
		g.behind = 1
		require.Contains(t, g.run(true).Error, "1 changes")
		for _, e := range said.AllEntries() {
			assert.NotContains(t, e.Message, "goes on waiting")
		}
		g = labelledRig(t, 3, func(o *Options) { o.Logger, o.Patience = logrus.NewEntry(logger), 3*longWait })
		g.behind = 1
		require.Contains(t, g.run(true).Error, "1 changes")
		times := 0
		for _, e := range said.AllEntries() {
			if strings.Contains(e.Message, "waited 10s for 1 changes") {
				times++
			}
		}
		assert.Equal(t, 1, times)
	})
}

// Label Studio from a backup: times go back, ids are given again.
func TestARestoredLabelStudio(t *testing.T) {
	g := labelledRig(t, 6, nil)
	saved, then := g.ls.backup(), g.ls.now
	for id := range event.TaskID(3) {
		g.forge(event.Changed{Annotations: []event.Annotation{g.ls.annotate(id+1, "lost with it")}, Tasks: []event.Task{g.ls.tasks[id+1].Task}})
	}
	g.ls.edit(4, 0, "lost too")
	g.forge(event.Changed{Annotations: g.ls.tasks[4].Annotations, Tasks: []event.Task{g.ls.tasks[4].Task}})
	g.same()
	g.ls.restore(saved)
	g.ls.now = then.Add(-time.Minute)
	for id := range event.TaskID(2) { // the same ids, on other tasks
		g.forge(event.Changed{Annotations: []event.Annotation{g.ls.annotate(id+5, "given again")}, Tasks: []event.Task{g.ls.tasks[id+5].Task}})
	}
	require.Empty(t, g.runDue(request{changed: true, contents: true}).Error)
	g.same()
}

func TestRequestsAddUp(t *testing.T) {
	var d request
	d.merge(requestOf(&event.ReconcileDue{Tasks: []event.TaskID{1, 2}}))
	d.merge(requestOf(&event.ReconcileDue{Tasks: []event.TaskID{2, 3}}))
	assert.Len(t, d.tasks, 3)
	assert.False(t, d.changed)
	assert.Equal(t, time.Second, d.pauseAfter(time.Second, time.Millisecond))
	assert.Equal(t, 5*time.Second, d.pauseAfter(time.Second, 5*time.Second), "who doubts all the time gets half of it")
	assert.Equal(t, time.Minute, d.pauseAfter(time.Second, time.Hour))
	d.merge(requestOf(&event.ReconcileDue{}))
	assert.True(t, d.changed)
	assert.False(t, d.full)
	many := &event.ReconcileDue{}
	for i := range maxTasks {
		many.Tasks = append(many.Tasks, event.TaskID(100+i))
	}
	d.merge(requestOf(many))
	assert.Empty(t, d.tasks)
	assert.True(t, d.full && d.doubted && !d.contents)
	d.merge(requestOf(&event.ReconcileDue{Anew: true}))
	assert.True(t, d.contents && d.anew)
	plain := requestOf(&event.ReconcileDue{Full: true})
	assert.Equal(t, time.Second, plain.pauseAfter(time.Second, time.Hour))
}
