package sampler

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hone-ml/hone/event"
	"github.com/hone-ml/hone/sampler/strategy"
)

// sketching is a brain with sketches, from which its estimates are told roughly.
type sketching struct {
	*brain
	mu       sync.Mutex
	space    string
	partial  map[event.TaskID]bool
	unsure   map[event.TaskID]bool // whatever the salt
	sketched int                   // so many times
	asked    int                   // for estimates by data, of so many tasks
	noData   int                   // of them without data
}

func newSketching(tasks int) *sketching {
	return &sketching{brain: newBrain(tasks), space: "a", partial: map[event.TaskID]bool{}, unsure: map[event.TaskID]bool{}}
}

func (s *sketching) Estimates(ctx context.Context, p event.ProjectID, tasks []event.Task) ([][]event.Estimate, string, error) {
	out, version, err := s.brain.Estimates(ctx, p, tasks)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.asked += len(tasks)
	for i, t := range tasks {
		if t.Data == nil {
			s.noData++
		}
		if s.unsure[t.ID] {
			out[i] = []event.Estimate{estimate(true, .5, .5)}
		}
	}
	return out, version, err
}

func (s *sketching) Sketches(_ context.Context, _ event.ProjectID, tasks []event.Task) (sketches [][]byte, whole []bool, space string, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, t := range tasks {
		sketches = append(sketches, binary.LittleEndian.AppendUint64(nil, uint64(t.ID)))
		whole = append(whole, !s.partial[t.ID])
	}
	s.sketched += len(tasks)
	return sketches, whole, s.space, nil
}

// EstimateSketches mixes what the model says of a task with what another would say.
func (s *sketching) EstimateSketches(ctx context.Context, p event.ProjectID, space string, sketches [][]byte) ([][]event.Estimate, string, bool, error) {
	tasks := make([]event.Task, len(sketches))
	for i, b := range sketches {
		tasks[i] = event.Task{ID: event.TaskID(binary.LittleEndian.Uint64(b)), Data: json.RawMessage("{}")}
	}
	out, version, err := s.Estimates(ctx, p, tasks)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.asked -= len(tasks)
	for i, t := range tasks {
		d := out[i][0].Classes
		d.P[0] = .9*d.P[0] + .1*float64(randomKey(7, t.ID)>>12)/float64(1<<52)
		d.P[1] = 1 - d.P[0]
	}
	return out, version, space == s.space, err
}

func (s *sketching) is(f func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f()
}

// largeWorker is a worker of a large pool that has a sketch of each task.
func largeWorker(t *testing.T, tasks int, s *sketching, sketcher Sketcher) *worker {
	t.Helper()
	o := Defaults()
	o.Pool, o.Scorer, o.Sketcher, o.Strategy, o.RankWhole = s, s, sketcher, strategy.NameMargin, 1000
	of, err := New(o)
	require.NoError(t, err)
	w := newWorker(of, project)
	require.NoError(t, w.update(t.Context(), pending{wholePool: true}))
	settleScan(t, w)
	require.Len(t, w.pool.candidates(), tasks)
	return w
}

// settleScan goes on until nothing is left to do.
func settleScan(t *testing.T, w *worker) {
	t.Helper()
	for range 100 {
		if !w.scanDue() {
			return
		}
		w.inbox.drain() // that the pool is to be ranked again
		w.scanTurn(t.Context())
	}
	require.Fail(t, "the scan does not end")
}

func (w *worker) labelOne(t *testing.T, s *sketching, id event.TaskID) {
	t.Helper()
	s.brain.is(func() { s.labelled[id] = true })
	require.NoError(t, w.update(t.Context(), pending{tasks: map[event.TaskID]struct{}{id: {}}}))
}

// A task whose score has changed is in the queue after twenty annotations at the latest, wherever
// it stands.
func TestAChangedScoreIsFoundWithinTwentyAnnotations(t *testing.T) {
	const tasks = 12_000
	s := newSketching(tasks)
	w := largeWorker(t, tasks, s, s)
	random := rand.New(rand.NewPCG(1, 2))
	for n := range 3 {
		changed := event.TaskID(1 + random.IntN(tasks))
		if s.labelled[changed] {
			continue
		}
		s.is(func() { s.unsure[changed] = true })
		found := false
		for range scanTurns {
			// What is labelled is not the changed task, which may be the first already.
			i := slices.IndexFunc(w.queue.Items, func(i Item) bool { return i.Task != changed && !i.Random })
			w.labelOne(t, s, w.queue.Items[i].Task)
			found = found || slices.ContainsFunc(w.queue.Items[:5], func(i Item) bool { return i.Task == changed })
		}
		assert.True(t, found, "change %d: task %d", n, changed)
		s.is(func() { delete(s.unsure, changed) })
	}
	assert.Zero(t, s.noData, "what is scored by its data is read")
}

// How much is scored after an annotation does not grow with the pool.
func TestARankingOfALargePoolIsBounded(t *testing.T) {
	for _, sketches := range []bool{true, false} {
		const tasks = 30_000
		s := newSketching(tasks)
		var sketcher Sketcher
		if sketches {
			sketcher = s
		}
		w := largeWorker(t, tasks, s, sketcher)
		s.is(func() { s.asked, s.sketched = 0, 0 })
		w.labelOne(t, s, w.queue.Items[0].Task)
		most := 30 + scanBest + confidenceTasks + scanRough + scanRead + 2*Defaults().QueueSize
		assert.LessOrEqual(t, s.asked, most, "sketches %v", sketches)
		assert.LessOrEqual(t, s.sketched, scanRead)
		if !sketches {
			continue
		}
		// By the end of a scan the queue is as if all had been scored, as far as sketches go.
		w.s.o.RankWhole, w.queue.scan = tasks, nil
		s.brain.is(func() { s.salt++ })
		whole := ranked(t, w.s.o, w.pool.candidates(), w.pool.labelled, Queue{})
		w.s.o.RankWhole = 1000
		require.NoError(t, w.update(t.Context(), pending{model: modelState{version: "hone-1"}}))
		settleScan(t, w)
		require.NoError(t, w.update(t.Context(), pending{}))
		assert.Equal(t, idsOf(whole)[:w.s.o.Front], idsOf(w.queue)[:w.s.o.Front])
		assert.Equal(t, whole.Confidence, w.queue.Confidence, "it is of the same sample")
	}
}

// News ends a turn between two rankings before anything is scored; the ranking takes it.
func TestNewsEndsATurn(t *testing.T) {
	s := newSketching(12_000)
	w := largeWorker(t, 12_000, s, s)
	w.queue.scan.restart()
	turn, left := w.queue.scan.turn, w.queue.scan.left
	s.is(func() { s.asked = 0 })
	w.inbox.enqueue(pending{})
	w.scanTurn(t.Context())
	assert.Equal(t, []int{turn, left, 0}, []int{w.queue.scan.turn, w.queue.scan.left, s.asked})
	w.labelOne(t, s, w.queue.Items[0].Task)
	assert.Equal(t, turn+1, w.queue.scan.turn)
	assert.Empty(t, w.status.get().Note)
}

// While nobody annotates, a task whose score has changed is the first one within ten seconds.
func TestAChangedScoreIsFoundWithinTenSeconds(t *testing.T) {
	const tasks = 6000
	s := newSketching(tasks)
	run(t, tasks, func(o *Options, b *bench) {
		b.brain = s.brain
		o.Pool, o.Scorer, o.Sketcher, o.Strategy, o.RankWhole, o.RandomShare = s, s, s, strategy.NameMargin, 1000, 0
	}, func(b *bench) {
		b.s.Refresh(project)
		b.after(time.Minute)
		b.inStep()
		for _, changed := range []event.TaskID{17, 3000, 5999} {
			s.is(func() { clear(s.unsure); s.unsure[changed] = true })
			b.tell(&event.Learned{Project: project, Since: time.Now(), Version: "hone-1"})
			b.after(10 * time.Second)
			assert.Equal(b, changed, b.next()[0])
			assert.Equal(b, changed, b.served()[0])
		}
	})
}

// A sketch is made anew when the data have changed, when more vectors have come, and when
// sketches mean something else; without a task there is none.
func TestSketchesFollowTheirTasks(t *testing.T) {
	const tasks = 6000
	s := newSketching(tasks)
	s.partial[4000] = true
	w := largeWorker(t, tasks, s, s)
	held := func() int { return len(w.queue.scan.sketches) }
	all := held()
	require.Greater(t, all, tasks/3)
	require.False(t, w.queue.scan.sketches[4000].whole)
	s.is(func() { delete(s.partial, 4000) })
	require.NoError(t, w.update(t.Context(), pending{model: modelState{version: "hone-1"}}))
	settleScan(t, w)
	assert.True(t, w.queue.scan.sketches[4000].whole, "more of it has come")

	var kept event.TaskID
	for id := range w.queue.scan.sketches {
		kept = id
		break
	}
	w.labelOne(t, s, kept)
	assert.NotContains(t, w.queue.scan.sketches, kept)
	s.brain.is(func() { s.deleted[4000] = true })
	require.NoError(t, w.update(t.Context(), pending{wholePool: true}))
	assert.NotContains(t, w.queue.scan.sketches, event.TaskID(4000))
	settleScan(t, w)
	other := event.TaskID(5)
	w.queue.scan.sketches[other] = sketch{data: 1, whole: true}
	w.queue.scan.taskChanged(event.TaskState{Task: event.Task{ID: other, Data: json.RawMessage("{}")}})
	assert.NotContains(t, w.queue.scan.sketches, other, "its data are others now")

	before := s.sketched
	s.is(func() { s.space = "b" })
	require.NoError(t, w.update(t.Context(), pending{model: modelState{version: "hone-1"}}))
	settleScan(t, w)
	assert.Greater(t, s.sketched-before, tasks/3, "all of them are made anew")
	assert.Equal(t, "b", w.queue.scan.space)
}

// A large pool holds no data but those of the queue.
func TestALargePoolHoldsNoData(t *testing.T) {
	s := newSketching(3000)
	w := largeWorker(t, 3000, s, s)
	for _, task := range w.pool.candidates() {
		require.Nil(t, task.Data)
	}
	for _, i := range w.queue.Items {
		task, ok := w.pool.Task(i.Task)
		require.True(t, ok)
		assert.NotEmpty(t, task.Data)
	}
	// The queue goes on when few are left, and so does one of those that were skipped.
	for id := range event.TaskID(2500) {
		s.labelled[id+1] = true
	}
	require.NoError(t, w.update(t.Context(), pending{tasks: setOfTasks(2500)}))
	assert.True(t, w.pool.large)
	assert.Nil(t, w.queue.scan, "all are scored")
	assert.Len(t, w.queue.Items, 30)
	require.NoError(t, w.update(t.Context(), pending{wholePool: true}))
	assert.False(t, w.pool.large)
	assert.NotNil(t, w.pool.candidates()[0].Data)
	assert.Zero(t, s.noData)
}

func setOfTasks(n int) map[event.TaskID]struct{} {
	out := map[event.TaskID]struct{}{}
	for _, id := range seq(n) {
		out[id] = struct{}{}
	}
	return out
}

// Together with others tasks are looked at in a sample, whose data are read.
func TestCoverageReadsItsSampleOfALargePool(t *testing.T) {
	s, g := newSketching(5000), &groups{of: 5}
	o := covering(s.brain, g)
	o.Scorer, o.Pool = s, s
	var without, with []event.Task
	for _, id := range seq(5000) {
		without = append(without, event.Task{ID: id})
		with = append(with, event.Task{ID: id, Data: json.RawMessage(`{"text":"t"}`)})
	}
	assert.Equal(t, idsOf(ranked(t, o, with, nil, Queue{})), idsOf(ranked(t, o, without, nil, Queue{})))
	assert.Zero(t, s.noData)
}
