package sampler

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/hone-ml/hone/event"
	"github.com/hone-ml/hone/labelstudio"
)

func TestFirstQueueIsWrittenAndTheVersionSet(t *testing.T) {
	run(t, 100, nil, func(b *bench) {
		b.ls.live = "Backend title"
		b.ls.put(3, labelstudio.PredictionWrite{ModelVersion: "somebody else's", Score: 0.001})
		b.s.Refresh(project)
		b.after(30 * time.Second)
		b.inStep()
		assert.Equal(t, "hone-1", b.ls.live)
		assert.Equal(t, map[string]int{"hone-1": 30, "somebody else's": 1}, b.ls.versions())
		assert.Equal(t, 30, b.ls.writes())
		for _, r := range b.ls.rows {
			if r.pred.ModelVersion == "hone-1" {
				assert.JSONEq(t, fmt.Sprintf(`[{"id":"t%d"}]`, r.task), r.result())
			}
		}
		// The version was set as soon as the head was there.
		set := slices.Index(b.ls.calls, "set")
		creates := 0
		for _, c := range b.ls.calls[:set] {
			if c == "create" {
				creates++
			}
		}
		assert.Equal(t, 5, creates)
		random := 0
		for _, i := range b.s.Next(project) {
			if i.Random {
				random++
			}
		}
		assert.Equal(t, 3, random)
	})
}

// A label on the head takes the head out; the next task is up to date at once,
// and only differences are written.
func TestALabelCostsFewWritesAndTheHeadComesFirst(t *testing.T) {
	run(t, 200, nil, func(b *bench) {
		b.s.Refresh(project)
		b.after(30 * time.Second)
		before := b.ls.writes()
		head := b.next()[0]
		b.brain.is(func() { b.brain.labelled[head] = true })
		b.tell(&event.Learned{Project: project, Since: time.Now(), Version: "hone-1", Tasks: []event.TaskID{head}})
		b.after(10 * time.Second)
		b.inStep()
		assert.LessOrEqual(t, b.ls.writes()-before, 2, "the same ranking needs only the tail filled up")

		b.label(b.next()[0])
		b.after(500 * time.Millisecond) // 250 for the next task's request, one write of 200, with the limiter's burst
		assert.Equal(t, b.next()[0], b.served()[0])
		st, _ := b.s.Status(project)
		assert.LessOrEqual(t, st.FrontLag, 500*time.Millisecond)
		assert.Positive(t, st.FrontLag)
		b.after(30 * time.Second)
		b.inStep()
	})
}

func TestANewerQueueReplacesOneThatIsStillOnItsWay(t *testing.T) {
	run(t, 1000, nil, func(b *bench) {
		b.s.Refresh(project)
		b.after(30 * time.Second)
		before := b.ls.writes()
		for range 20 { // people label every 300 ms; a write takes 200
			b.label(b.served()[0])
			b.after(300 * time.Millisecond)
		}
		b.after(200 * time.Millisecond) // the last queue's first write, which had given way
		during := b.ls.writes() - before
		assert.GreaterOrEqual(t, during, 20, "each queue gets one write at least")
		assert.LessOrEqual(t, during, 31, "the tails of superseded queues are never written")
		assert.Equal(t, b.next()[0], b.served()[0])
		b.after(time.Minute)
		b.inStep()
		assert.LessOrEqual(t, b.ls.writes()-before-during, 70)
	})
}

// Whoever has answered asks for the next task at once, and Label Studio takes longer for that
// beside a write. News in quick succession does not keep the front from being written.
func TestTheFrontGivesWayToTheNextTask(t *testing.T) {
	run(t, 200, func(o *Options, _ *bench) { o.PushRate = 100 }, func(b *bench) {
		b.s.Refresh(project)
		b.after(30 * time.Second)
		b.ls.latency = time.Millisecond
		before := b.ls.writes()
		b.label(b.next()[0])
		b.after(240 * time.Millisecond)
		assert.Equal(t, before, b.ls.writes(), "the request for the next task is under way")
		b.after(20 * time.Millisecond)
		assert.Equal(t, b.next()[0], b.served()[0])
		assert.Greater(t, b.ls.writes(), before)
		b.after(30 * time.Second)

		before = b.ls.writes()
		for range 20 {
			b.label(b.next()[0])
			b.after(100 * time.Millisecond)
		}
		assert.GreaterOrEqual(t, b.ls.writes()-before, 19, "a write for each")
	})
}

// News that comes while the tail is on its way does not wait for its end.
func TestNewsInterruptsTheTail(t *testing.T) {
	run(t, 1000, nil, func(b *bench) {
		b.s.Refresh(project)
		b.after(30 * time.Second)
		before := b.ls.writes()
		b.label(b.next()[0])
		for b.ls.writes()-before < 10 {
			b.after(10 * time.Millisecond)
		}
		b.label(b.next()[0])
		b.after(450 * time.Millisecond)
		assert.Equal(t, b.next()[0], b.served()[0])
		assert.LessOrEqual(t, b.ls.writes()-before, 13)
		b.after(30 * time.Second)
		b.inStep()
	})
}

// Deleting the version a project goes by would reset the project's setting.
func TestAVersionChosenByHandIsNotDeleted(t *testing.T) {
	run(t, 50, func(o *Options, _ *bench) { o.ManageModelVersion = false }, func(b *bench) {
		b.ls.put(1, labelstudio.PredictionWrite{ModelVersion: "hone-1", Score: 0.5})
		b.ls.put(1, labelstudio.PredictionWrite{ModelVersion: "hone-2", Score: 0.5})
		b.ls.live = "hone-1"
		b.brain.version = "hone-3"
		b.s.Refresh(project)
		b.after(time.Minute)
		assert.Equal(t, "hone-1", b.ls.live)
		assert.Equal(t, map[string]int{"hone-1": 1, "hone-3": 30}, b.ls.versions())
	})
}

func TestTailWaitsUntilThingsSettle(t *testing.T) {
	run(t, 1000, func(o *Options, _ *bench) { o.PushRate = 100; o.Settle = 2 * time.Second }, func(b *bench) {
		b.ls.latency = time.Millisecond
		b.s.Refresh(project)
		b.after(time.Second)
		assert.Equal(t, 5, b.ls.writes(), "the head at once")
		b.after(900 * time.Millisecond)
		assert.Equal(t, 5, b.ls.writes(), "nothing more before it settles")
		b.after(2 * time.Second)
		assert.Equal(t, 30, b.ls.writes())
		b.inStep()
	})
}

func TestBeforeAnythingIsLearnedTheOrderIsRandomAndMarkedSo(t *testing.T) {
	run(t, 100, nil, func(b *bench) {
		b.brain.ignorant = true
		b.s.Refresh(project)
		b.after(30 * time.Second)
		b.inStep()
		for _, i := range b.s.Next(project) {
			assert.True(t, i.Random)
		}
		first := b.next()
		assert.False(t, slices.IsSorted(first))
		writes := b.ls.writes()
		b.s.Refresh(project)
		b.after(30 * time.Second)
		assert.Equal(t, first, b.next())
		assert.Equal(t, writes, b.ls.writes())
	})
}

func TestANewVersionTakesOverFromTheFrontAndTheOldOneGoes(t *testing.T) {
	run(t, 200, nil, func(b *bench) {
		b.s.Refresh(project)
		b.after(30 * time.Second)
		b.ls.mu.Lock()
		b.ls.put(9, labelstudio.PredictionWrite{ModelVersion: "hone-v2-by-hand", Score: 0.3})
		b.ls.mu.Unlock()
		b.brain.is(func() { b.brain.version, b.brain.salt = "hone-2", 5 })
		b.tell(&event.Learned{Project: project, Since: time.Now(), Version: "hone-2", All: true})
		for b.ls.versions()["hone-2"] < 5 {
			require.Equal(t, "hone-1", b.ls.live, "the old queue stands until the new head is there")
			b.after(50 * time.Millisecond)
		}
		b.after(30 * time.Second)
		b.inStep()
		assert.Equal(t, map[string]int{"hone-2": 30, "hone-v2-by-hand": 1}, b.ls.versions())
		assert.Equal(t, 1, b.ls.count("delete version"))
	})
}

func TestALargeOldVersionIsDeletedInSmallStepsAndGivesWay(t *testing.T) {
	run(t, 200, nil, func(b *bench) {
		for i := range 500 {
			b.ls.put(event.TaskID(i%200+1), labelstudio.PredictionWrite{ModelVersion: "hone-1", Score: 0.5})
		}
		b.brain.version = "hone-2"
		b.s.Refresh(project)
		b.after(40 * time.Second)
		left := b.ls.versions()["hone-1"]
		assert.Less(t, left, 500)
		require.Greater(t, left, 200)
		b.brain.is(func() { b.brain.salt++ })
		b.tell(&event.Learned{Project: project, Since: time.Now(), Version: "hone-2", Tasks: []event.TaskID{1}})
		b.after(450 * time.Millisecond)
		assert.Equal(t, b.next()[0], b.served()[0], "the queue does not wait for the cleaning")
		b.after(time.Minute)
		b.ls.mu.Lock()
		b.ls.live = "Backend title"
		b.ls.mu.Unlock()
		b.after(62 * time.Second)
		assert.Equal(t, "hone-2", b.ls.live, "cleaning does not keep it from looking after the version")
		assert.NotZero(t, b.ls.versions()["hone-1"])
		b.after(12 * time.Minute)
		b.inStep()
		assert.Equal(t, 0, b.ls.versions()["hone-1"])
		assert.Zero(t, b.ls.count("delete version"))
	})
}

func TestManyNewRowsAreImportedOnce(t *testing.T) {
	run(t, 500, func(o *Options, _ *bench) { o.QueueSize = 100 }, func(b *bench) {
		b.s.Refresh(project)
		b.after(time.Minute)
		b.inStep()
		assert.Equal(t, 1, b.ls.count("import"))
		assert.Equal(t, 5, b.ls.writes(), "the head came one by one")
	})
}

func TestAModelVersionSetElsewhereIsRestoredButNotForever(t *testing.T) {
	run(t, 50, nil, func(b *bench) {
		b.s.Refresh(project)
		b.after(30 * time.Second)
		b.ls.mu.Lock()
		b.ls.live = "Backend title"
		b.ls.mu.Unlock()
		b.after(61 * time.Second)
		assert.Equal(t, "hone-1", b.ls.live, "found by the check")

		before := b.ls.sets
		for range 60 { // something sets it back each second, and hone is told each time
			b.ls.mu.Lock()
			b.ls.live = "Backend title"
			b.ls.mu.Unlock()
			b.s.Refresh(project)
			b.after(time.Second)
		}
		assert.LessOrEqual(t, b.ls.sets-before, 6)
		st, _ := b.s.Status(project)
		assert.Contains(t, st.Note, "Backend title")
		b.after(2 * time.Minute)
		b.inStep()
	})
}

func TestTheVersionIsLeftAloneWhenAskedTo(t *testing.T) {
	run(t, 50, func(o *Options, _ *bench) { o.ManageModelVersion = false }, func(b *bench) {
		b.ls.live = "mine"
		b.s.Refresh(project)
		b.after(3 * time.Minute)
		assert.Equal(t, "mine", b.ls.live)
		st, _ := b.s.Status(project)
		assert.Contains(t, st.Note, "manage_model_version")
		assert.Equal(t, 30, b.ls.versions()["hone-1"])
	})
}

func TestARefusedTokenIsTriedOnceAMinuteUntilItChanges(t *testing.T) {
	run(t, 50, nil, func(b *bench) {
		b.ls.setFault(func(string) (error, bool) { return apiError(401), false })
		b.s.Refresh(project)
		for range 10 {
			b.after(time.Minute)
			b.label(b.next()[0])
		}
		assert.Equal(t, 11, b.ls.count("version"), "at once, and after each of ten minutes")
		assert.Len(t, b.ls.calls, 11)
		st, _ := b.s.Status(project)
		assert.Contains(t, st.Note, "LABEL_STUDIO_API_KEY")
		assert.Len(t, st.Queue, 30, "the queue is ranked all the same")

		good := newFakeLS()
		b.s.SetLabelStudio(good)
		b.ls = good
		b.after(20 * time.Second)
		b.inStep()
	})
}

// A worker that began before it had heard why would now and then do everything
// twice: read the pool, rank it, list what Label Studio holds, and try a token
// that is refused.
func TestAWorkerHasItsFirstNewsWhenItStarts(t *testing.T) {
	o := Defaults()
	b := newBrain(5)
	o.Pool, o.Scorer = b, b
	s, err := New(o)
	require.NoError(t, err)
	var first []pending
	s.begin = func(w *worker) {
		p, ok := w.inbox.drain()
		assert.True(t, ok)
		first = append(first, p)
	}
	s.Refresh(1)
	require.NoError(t, s.Learned(t.Context(), []event.Event{&event.Learned{Project: 2, Version: "hone-1", Tasks: []event.TaskID{3}}}, event.Cursor{}))
	require.Len(t, first, 2)
	assert.True(t, first[0].wholePool && first[0].relist)
	assert.True(t, first[1].wholePool)
	assert.Equal(t, "hone-1", first[1].model.version)
	assert.Contains(t, first[1].tasks, event.TaskID(3))
}

func TestWithoutConnectionItRanksAndSaysSo(t *testing.T) {
	run(t, 50, func(o *Options, _ *bench) { o.LabelStudio = nil }, func(b *bench) {
		b.s.Refresh(project)
		b.after(time.Second)
		assert.Len(t, b.s.Next(project), 30)
		st, _ := b.s.Status(project)
		assert.Contains(t, st.Note, "LABEL_STUDIO_URL")
		assert.Zero(t, st.Pushed)
		b.s.SetLabelStudio(b.ls)
		b.after(30 * time.Second)
		b.inStep()
	})
}

func TestAfterAnOutageOnlyTheNewestQueueIsWrittenAndNothingTwice(t *testing.T) {
	run(t, 300, nil, func(b *bench) {
		n := 0
		b.s.Refresh(project)
		// Each call takes effect, but no answer comes back: the worst case.
		b.ls.setFault(func(string) (error, bool) { n++; return errors.New("connection reset"), n > 3 })
		for range 50 {
			b.label(b.next()...)
			b.after(3 * time.Second)
			b.brain.is(func() { clear(b.brain.labelled) })
		}
		assert.Less(t, len(b.ls.calls), 20, "it backs off")
		b.ls.setFault(nil)
		b.s.Refresh(project)
		b.after(time.Minute)
		b.inStep()
		seen := map[event.TaskID]int{}
		for _, r := range b.ls.rows {
			seen[r.task]++
			assert.Equal(t, 1, seen[r.task], "task %d", r.task)
		}
	})
}

func TestAProjectThatIsGoneIsLeftAloneUntilHeardOf(t *testing.T) {
	run(t, 50, nil, func(b *bench) {
		b.ls.setFault(func(string) (error, bool) { return apiError(404), false })
		b.s.Refresh(project)
		b.after(time.Hour)
		assert.Len(t, b.ls.calls, 1)
		b.ls.setFault(nil)
		b.label(1)
		b.after(30 * time.Second)
		b.inStep()
	})
}

func TestPredictionsDeletedBehindOurBackAreWrittenAgain(t *testing.T) {
	run(t, 100, nil, func(b *bench) {
		b.s.Refresh(project)
		b.after(30 * time.Second)
		b.ls.mu.Lock()
		clear(b.ls.rows)
		b.ls.mu.Unlock()
		b.after(2 * time.Minute)
		b.inStep()

		// And found at once where a row turns out to be gone when it is written.
		b.ls.mu.Lock()
		clear(b.ls.rows)
		b.ls.mu.Unlock()
		b.label(b.next()[0])
		b.after(20 * time.Second)
		b.inStep()
	})
}

// Label Studio asks /predict only for tasks it holds no prediction of: that it
// asks for one of the queue's shows that somebody deleted it.
func TestBeingAskedForWhatWasWrittenShowsThatItIsGone(t *testing.T) {
	run(t, 100, func(o *Options, _ *bench) { o.CheckEvery = 24 * time.Hour }, func(b *bench) {
		b.s.Refresh(project)
		b.after(30 * time.Second)
		st, _ := b.s.Status(project)
		outside := event.TaskID(1)
		for slices.Contains(b.next(), outside) {
			outside++
		}
		b.s.OnPredictRequest(project, []event.Task{{ID: outside}})
		b.after(30 * time.Second)
		again, _ := b.s.Status(project)
		require.Equal(b, st.Rank, again.Rank, "asked for a task outside the queue, it ranked again")

		b.ls.mu.Lock()
		clear(b.ls.rows)
		b.ls.mu.Unlock()
		b.s.OnPredictRequest(project, []event.Task{{ID: b.next()[0]}})
		b.after(30 * time.Second)
		b.inStep()
	})
}

func TestRowsThatWouldComeFirstAreRemoved(t *testing.T) {
	run(t, 100, nil, func(b *bench) {
		b.ls.put(90, labelstudio.PredictionWrite{ModelVersion: "hone-1", Score: 0.0001})
		b.ls.put(91, labelstudio.PredictionWrite{ModelVersion: "hone-1", Score: 0.0002})
		b.ls.put(91, labelstudio.PredictionWrite{ModelVersion: "hone-1", Score: 0.0003})
		b.ls.put(92, labelstudio.PredictionWrite{ModelVersion: "hone-1", Score: 0})
		b.ls.rows[99] = fakeRow{task: 93, pred: labelstudio.PredictionWrite{ModelVersion: "hone-1"}} // no score: first on SQLite
		b.ls.put(94, labelstudio.PredictionWrite{ModelVersion: "hone-1", Score: 0.4})                // retrieved by a user
		b.s.Refresh(project)
		b.after(time.Minute)
		b.inStep()
		assert.Contains(t, b.served(), event.TaskID(94))
		b.ls.mu.Lock()
		defer b.ls.mu.Unlock()
		assert.NotContains(t, b.ls.rows, labelstudio.PredictionID(99))
	})
}

func TestATaskThatIsNoMoreIsLeftOut(t *testing.T) {
	run(t, 100, nil, func(b *bench) {
		b.ls.gone[b.firstRanked()] = true
		b.s.Refresh(project)
		b.after(30 * time.Second)
		assert.Equal(t, b.next()[1:], b.served())
		gone := b.next()[0]
		b.brain.is(func() { b.brain.deleted[gone] = true })
		b.tell(&event.Learned{Project: project, Version: "hone-1", Tasks: []event.TaskID{gone}})
		b.after(30 * time.Second)
		b.inStep()
		assert.NotContains(t, b.next(), gone)
	})
}

// firstRanked is the head of the queue before anything is written.
func (b *bench) firstRanked() event.TaskID {
	o := Defaults()
	o.Pool, o.Scorer = b.brain, b.brain
	s, err := New(o)
	require.NoError(b, err)
	w := newWorker(s, project)
	require.NoError(b, w.update(b.Context(), pending{wholePool: true}))
	return w.queue.Items[0].Task
}

// Whatever happens in whatever order, once it is quiet Label Studio has the queue.
func TestItAlwaysEndsInStep(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		steps := rapid.SliceOfN(rapid.IntRange(0, 13), 1, 25).Draw(rt, "steps")
		waits := rapid.SliceOfN(rapid.IntRange(0, 3000), len(steps), len(steps)).Draw(rt, "waits")
		run(t, 60, func(o *Options, _ *bench) { o.QueueSize = 10; o.PushRate = 20 }, func(b *bench) {
			b.s.Refresh(project)
			backup := b.ls.backup()
			for i, step := range steps {
				b.after(time.Duration(waits[i]) * time.Millisecond)
				queue := b.next()
				switch step {
				case 0, 1, 2:
					if len(queue) > 0 && len(b.brain.labelled) < 40 {
						b.label(queue[i%len(queue)])
					}
				case 3:
					b.brain.is(func() { b.brain.version = fmt.Sprintf("hone-%d", 1+i%3) })
					b.tell(&event.Learned{Project: project, Version: "ignored: the snapshot knows", All: true})
				case 4:
					b.ls.setFault(func(string) (error, bool) { return apiError(500), i%2 == 0 })
				case 5:
					b.ls.setFault(nil)
				case 6:
					b.ls.mu.Lock()
					for id := range b.ls.rows {
						if int(id)%3 == 0 {
							delete(b.ls.rows, id)
						}
					}
					b.ls.mu.Unlock()
				case 7:
					b.ls.mu.Lock()
					b.ls.live = "other"
					b.ls.mu.Unlock()
				case 8: // an annotation is deleted: its task comes back
					b.brain.is(func() { clear(b.brain.labelled) })
					b.tell(&event.Learned{Project: project, Version: "hone-1", All: true})
				case 9:
					b.s.Refresh(project)
				case 10:
					backup = b.ls.backup()
				case 11:
					b.ls.restore(backup)
				case 12: // a deletion that is not so, and then the news that it is not
					if len(queue) > 0 {
						b.said(i%2 == 0, queue[:1]...)
					}
				case 13: // Label Studio keeps an answer of /predict
					b.ls.change(func() {
						b.ls.put(event.TaskID(i+1), labelstudio.PredictionWrite{ModelVersion: b.brain.version, Score: 0.5})
					})
				}
			}
			b.ls.setFault(nil)
			b.said(false, seq(60)...)
			b.after(30 * time.Minute)
			b.inStep()
			b.once()
			for v := range b.ls.versions() {
				require.Equal(b, b.brain.version, v)
			}
		})
	})
}

// The learner tells of a change twice: at once, and when it has come to rest. The
// second time is not a delay of the first.
func TestLagIsThatOfTheFirstQueueWithTheChange(t *testing.T) {
	reg := prometheus.NewRegistry()
	run(t, 200, func(o *Options, _ *bench) { o.Registerer = reg }, func(b *bench) {
		b.s.Refresh(project)
		b.after(30 * time.Second)
		for range 3 {
			heard := time.Now()
			b.label(b.next()[0])
			b.after(3 * time.Second)
			b.brain.is(func() { b.brain.salt++ })
			b.tell(&event.Learned{Project: project, Since: heard, Version: "hone-1"})
			b.after(20 * time.Second)
			st, _ := b.s.Status(project)
			assert.LessOrEqual(t, st.FrontLag, 500*time.Millisecond)
		}
		families, err := reg.Gather()
		require.NoError(t, err)
		checked := 0
		for _, f := range families {
			if f.GetName() == "hone_queue_lag_seconds" || f.GetName() == "hone_queue_ready_seconds" {
				checked++
				assert.EqualValues(t, 3, f.GetMetric()[0].GetHistogram().GetSampleCount(), f.GetName())
				assert.Less(t, f.GetMetric()[0].GetHistogram().GetSampleSum(), 1.5)
			}
		}
		assert.Equal(t, 2, checked)
	})
}

func TestOptionsSayAllThatIsWrong(t *testing.T) {
	_, err := New(Options{Strategy: "best", RandomShare: 2})
	require.Error(t, err)
	for _, what := range []string{"Pool", "Scorer", "queue size", "head", "random share", "push rate", "check interval", "bulk", "best"} {
		assert.ErrorContains(t, err, what)
	}
}

// People who label faster than queues are written always have some tasks left: Label Studio says
// that there are none when somebody else holds the only one with a prediction.
func TestPeopleWhoLabelFastDoNotRunOutOfTasks(t *testing.T) {
	run(t, 200, nil, func(b *bench) {
		b.ls.latency = 40 * time.Millisecond
		b.label()
		b.after(time.Minute)
		for round := range 150 {
			served := b.served()
			require.GreaterOrEqual(t, len(served), Defaults().Front, "round %d", round)
			b.label(served[0])
			b.after(60 * time.Millisecond)
			b.label()
			b.after(60 * time.Millisecond)
		}
	})
}
