package sampler

import (
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hone-ml/hone/event"
	"github.com/hone-ml/hone/labelstudio"
)

// believed is what a fake Label Studio held at one moment.
type believed struct {
	rows map[labelstudio.PredictionID]fakeRow
	next labelstudio.PredictionID
	live string
}

func (f *fakeLS) backup() believed {
	f.mu.Lock()
	defer f.mu.Unlock()
	return believed{maps.Clone(f.rows), f.next, f.live}
}

func (f *fakeLS) restore(b believed) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.rows, f.next, f.live = maps.Clone(b.rows), b.next, b.live
}

func (f *fakeLS) change(do func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	do()
}

// rowOf is the id of a task's row.
func (f *fakeLS) rowOf(t event.TaskID) (id labelstudio.PredictionID) {
	f.change(func() {
		for i, r := range f.rows {
			if r.task == t {
				id = i
			}
		}
	})
	return id
}

// ceiling is above the scores of queued predictions.
const ceiling = 0.01

// once requires that no task that may be asked about has two places.
func (b *bench) once() {
	b.Helper()
	b.ls.mu.Lock()
	defer b.ls.mu.Unlock()
	seen := map[event.TaskID]bool{}
	for _, r := range b.ls.rows {
		if r.pred.ModelVersion != b.brain.version || r.score == nil || *r.score >= ceiling || b.brain.labelled[r.task] {
			continue
		}
		require.False(b, seen[r.task], "task %d was given its place twice", r.task)
		seen[r.task] = true
	}
}

// said has the learner say what tasks are now.
func (b *bench) said(deleted bool, tasks ...event.TaskID) {
	b.brain.is(func() {
		for _, t := range tasks {
			b.brain.deleted[t] = deleted
		}
	})
	b.tell(&event.Learned{Project: project, Version: b.brain.version, Tasks: tasks})
}

// quiet is a sampler that has written its queue.
func quiet(t *testing.T, f func(b *bench)) {
	run(t, 100, func(o *Options, _ *bench) { o.QueueSize = 10 }, func(b *bench) {
		b.s.Refresh(project)
		b.after(time.Minute)
		b.inStep()
		f(b)
	})
}

// A webhook said that tasks are deleted, which Label Studio has kept, with their rows.
func TestATaskThatComesBackKeepsItsOnePlace(t *testing.T) {
	for name, between := range map[string]time.Duration{"at once": time.Second, "after some checks": 5 * time.Minute} {
		t.Run(name, func(t *testing.T) {
			quiet(t, func(b *bench) {
				lists := b.ls.count("list")
				lost := b.next()[:3]
				b.said(true, lost...)
				b.after(between)
				b.said(false, lost...)
				b.after(10 * time.Minute)
				b.inStep()
				b.once()
				assert.Equal(t, lists, b.ls.count("list"), "that the count is the same says that the rows are there")
			})
		})
	}
}

// Label Studio had the tasks back only after their rows were known to be gone.
func TestATaskThatIsRestoredAfterItsDeletionKeepsItsOnePlace(t *testing.T) {
	quiet(t, func(b *bench) {
		before := b.ls.backup()
		lost := b.next()[:3]
		b.ls.change(func() {
			maps.DeleteFunc(b.ls.rows, func(_ labelstudio.PredictionID, r fakeRow) bool { return slices.Contains(lost, r.task) })
		})
		b.said(true, lost...)
		b.after(5 * time.Minute)
		b.ls.restore(before)
		b.said(false, lost...)
		b.after(10 * time.Minute)
		b.inStep()
		b.once()
	})
}

func TestWhatARestoredLabelStudioHoldsIsFound(t *testing.T) {
	// All tasks are queued: rows are changed, none is made or deleted.
	rank := func(b *bench) {
		b.brain.is(func() { b.brain.salt++ })
		b.tell(&event.Learned{Project: project, Version: "hone-1"})
		b.after(10 * time.Second)
	}
	for name, then := range map[string]func(*bench){
		"nothing follows":                    func(*bench) {},
		"rows are written on top of it":      rank,
		"all is written again and once more": func(b *bench) { rank(b); rank(b) },
	} {
		t.Run(name, func(t *testing.T) {
			run(t, 10, nil, func(b *bench) {
				b.s.Refresh(project)
				b.after(30 * time.Second)
				backup := b.ls.backup()
				for range 5 {
					rank(b)
				}
				b.after(2 * time.Minute)
				b.inStep()
				b.ls.restore(backup)
				then(b)
				b.after(15 * time.Minute)
				b.inStep()
				b.once()
			})
		})
	}
}

// The same number of predictions, but others: one that hone deleted is there again,
// one that it made is not.
func TestOtherRowsOfTheSameNumberAreFound(t *testing.T) {
	quiet(t, func(b *bench) {
		// What was written last is as it was; the row that is not is a row of the middle.
		victim := b.ls.rowOf(b.next()[4])
		b.ls.change(func() {
			r := b.ls.rows[victim]
			delete(b.ls.rows, victim)
			b.ls.put(100, labelstudio.PredictionWrite{ModelVersion: "hone-1", Score: *r.score / 2})
		})
		b.after(15 * time.Minute)
		b.inStep()
		b.once()
	})
}

// Ids are given again after a restore: a row that hone is about to change is
// another task's by now.
func TestARowThatIsAnotherTasksNowIsFoundWhenItIsWritten(t *testing.T) {
	quiet(t, func(b *bench) {
		head := b.next()[0]
		id := b.ls.rowOf(head)
		b.ls.change(func() {
			r := b.ls.rows[id]
			r.task = 99
			b.ls.rows[id] = r
		})
		b.brain.is(func() { b.brain.opinion = `[{"id":"new","value":{"choices":["x"]}}]` }) // each row of the head is rewritten
		b.tell(&event.Learned{Project: project, Version: "hone-1"})
		b.after(20 * time.Second)
		b.inStep()
		b.once()
	})
}

// A row that Label Studio restored suggests what the model believed then.
func TestARestoredSuggestionIsWrittenAnew(t *testing.T) {
	quiet(t, func(b *bench) {
		backup := b.ls.backup()
		b.brain.is(func() { b.brain.opinion = `[{"id":"new","value":{"choices":["x"]}}]` })
		b.tell(&event.Learned{Project: project, Version: "hone-1"})
		b.after(2 * time.Minute)
		b.ls.restore(backup)
		b.after(3 * time.Minute)
		b.inStep()
		for _, task := range b.next()[:5] {
			assert.JSONEq(t, b.brain.opinion, b.ls.rows[b.ls.rowOf(task)].result())
		}
	})
}

// Label Studio passes over the rows of a labelled task, so a double of it may stay.
// When its annotation is deleted it may not.
func TestADoubleOfALabelledTaskGoesWhenItIsAskedAboutAgain(t *testing.T) {
	run(t, 50, nil, func(b *bench) {
		b.ls.put(7, labelstudio.PredictionWrite{ModelVersion: "hone-1", Score: 0.0001})
		b.ls.put(7, labelstudio.PredictionWrite{ModelVersion: "hone-1", Score: 0.0002})
		b.brain.labelled[7] = true
		b.s.Refresh(project)
		b.after(time.Minute)
		b.inStep()
		b.brain.is(func() { delete(b.brain.labelled, 7) })
		b.tell(&event.Learned{Project: project, Version: "hone-1", Tasks: []event.TaskID{7}})
		b.after(time.Minute)
		b.inStep()
		b.once()
	})
}

// A double that was left to a labelled task goes with the task, and is not deleted
// once more.
func TestADoubleGoesWithItsTask(t *testing.T) {
	run(t, 50, nil, func(b *bench) {
		b.ls.put(7, labelstudio.PredictionWrite{ModelVersion: "hone-1", Score: 0.0001})
		b.ls.put(7, labelstudio.PredictionWrite{ModelVersion: "hone-1", Score: 0.0002})
		b.brain.labelled[7] = true
		b.s.Refresh(project)
		b.after(time.Minute)
		lists, deleted := b.ls.count("list"), b.ls.count("delete")
		b.ls.change(func() {
			maps.DeleteFunc(b.ls.rows, func(_ labelstudio.PredictionID, r fakeRow) bool { return r.task == 7 })
		})
		b.said(true, 7)
		b.after(10 * time.Minute)
		b.inStep()
		assert.Equal(t, lists, b.ls.count("list"))
		assert.Equal(t, deleted, b.ls.count("delete"))
	})
}

// While Label Studio stores answers of /predict, which it counts as well, it is not
// asked each minute for all of them.
func TestAnswersThatLabelStudioKeepsAreNotListedEachMinute(t *testing.T) {
	quiet(t, func(b *bench) {
		lists := b.ls.count("list")
		for i := range 120 {
			b.ls.change(func() {
				b.ls.put(event.TaskID(i%100+1), labelstudio.PredictionWrite{ModelVersion: "hone-1", Score: 0.5})
			})
			b.after(time.Minute)
		}
		assert.LessOrEqual(t, b.ls.count("list")-lists, 8)
		assert.GreaterOrEqual(t, b.ls.count("list")-lists, 3)
		b.after(2 * time.Hour)
		lists = b.ls.count("list")

		// And a row that is in the way is found soon again.
		b.ls.change(func() { b.ls.put(100, labelstudio.PredictionWrite{ModelVersion: "hone-1", Score: 1e-5}) })
		b.after(2 * time.Minute)
		b.inStep()
		assert.Equal(t, lists+1, b.ls.count("list"))
	})
}
