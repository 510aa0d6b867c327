package sampler

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hone-ml/hone/event"
	"github.com/hone-ml/hone/sampler/strategy"
)

// fakeDraws stores in memory.
type fakeDraws struct {
	mu   sync.Mutex
	all  []event.Draw
	full bool // the disk is
}

func (f *fakeDraws) Draws(context.Context, event.ProjectID) ([]event.Draw, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.all), nil
}

func (f *fakeDraws) PutDraws(_ context.Context, _ event.ProjectID, draws []event.Draw) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.full {
		return errors.New("no space left on device")
	}
	f.all = append(f.all, draws...)
	return nil
}

// drawingWorker is a worker of a project with odds.
func drawingWorker(t *testing.T, b *brain, f *fakeDraws, change func(*Options)) *worker {
	t.Helper()
	o := Defaults()
	o.Pool, o.Scorer, o.Draws, o.Strategy, o.Odds = b, b, f, strategy.NameMargin, true
	if change != nil {
		change(&o)
	}
	of, err := New(o)
	require.NoError(t, err)
	w := newWorker(of, project)
	require.NoError(t, w.update(t.Context(), pending{wholePool: true}))
	return w
}

// drawnFirst are the tasks of the queue that were drawn, which must be its first places.
func (w *worker) drawnFirst(t *testing.T) (out []event.TaskID) {
	t.Helper()
	seen := map[event.TaskID]bool{}
	for _, i := range w.queue.Items {
		assert.False(t, seen[i.Task], "task %d stands twice", i.Task)
		seen[i.Task] = true
		if i.Odds > 0 {
			out = append(out, i.Task)
		}
	}
	assert.ElementsMatch(t, out, idsOf(w.queue)[:len(out)])
	return out
}

func (w *worker) changed(t *testing.T, tasks ...event.TaskID) {
	t.Helper()
	of := map[event.TaskID]struct{}{}
	for _, id := range tasks {
		of[id] = struct{}{}
	}
	require.NoError(t, w.update(t.Context(), pending{tasks: of}))
}

// A drawn task keeps its place, whatever is learned, until it is answered, skipped or deleted; then another is
// drawn behind the others. An answer that is taken back opens its draw again.
func TestADrawnTaskStaysUntilItIsAnswered(t *testing.T) {
	b, f := newBrain(100), &fakeDraws{}
	w := drawingWorker(t, b, f, nil)
	first := w.drawnFirst(t)
	require.Len(t, first, leastDraws)
	assert.Len(t, w.queue.Items, w.size)
	b.is(func() { b.salt++ })
	require.NoError(t, w.update(t.Context(), pending{model: modelState{version: "hone-1"}}))
	assert.Equal(t, first, w.drawnFirst(t))

	b.is(func() { b.labelled[first[1]] = true })
	w.changed(t, first[1])
	second := w.drawnFirst(t)
	assert.Equal(t, []event.TaskID{first[0], first[2]}, second[:2])
	assert.Len(t, second, leastDraws)
	b.is(func() { b.deleted[first[0]] = true })
	w.changed(t, first[0])
	third := w.drawnFirst(t)
	assert.Equal(t, second[1:], third[:2])
	b.is(func() { delete(b.labelled, first[1]) })
	w.changed(t, first[1])
	assert.Equal(t, append([]event.TaskID{first[1]}, third...), w.drawnFirst(t), "in the order in which they were drawn")
	for i, d := range f.all {
		assert.Equal(t, uint64(i), d.Number)
		assert.True(t, d.Q > 0 && d.Q <= 1, "%+v", d)
	}
	assert.Equal(t, []int{100, 99, 98, 97, 96}, leftOf(f.all))
	assert.Equal(t, OddsStatus{On: true, Draws: 5, Open: 4}, w.status.get().Odds)
}

func leftOf(draws []event.Draw) (out []int) {
	for _, d := range draws {
		out = append(out, d.Left)
	}
	return out
}

// What was labelled otherwise is known from the next draw on, also over a restart and while odds were off.
func TestWhatWasLabelledOtherwiseIsKnown(t *testing.T) {
	b, f := newBrain(50), &fakeDraws{}
	b.labelled[7], b.labelled[3] = true, true
	w := drawingWorker(t, b, f, nil)
	assert.Equal(t, []event.TaskID{3, 7}, f.all[0].Known)
	assert.Empty(t, f.all[1].Known)
	drawn := w.drawnFirst(t)
	others := slices.DeleteFunc(seq(50), func(id event.TaskID) bool { return slices.Contains(drawn, id) || b.labelled[id] })[:2]
	b.is(func() { b.labelled[others[0]], b.labelled[others[1]], b.labelled[drawn[0]] = true, true, true })
	w = drawingWorker(t, b, f, nil)
	require.Len(t, f.all, 4)
	assert.Equal(t, others, f.all[3].Known, "but the drawn one")
	assert.Equal(t, drawn[1:], w.drawnFirst(t)[:2])
}

// Nothing is queued as drawn that is not stored; the rest of the loop goes on.
func TestDrawsThatCannotBeStoredAreNotQueued(t *testing.T) {
	b, f := newBrain(50), &fakeDraws{full: true}
	w := drawingWorker(t, b, f, nil)
	assert.Empty(t, w.drawnFirst(t))
	assert.Len(t, w.queue.Items, w.size)
	assert.Contains(t, w.status.get().Odds.Reason, "no space left")
	f.full = false
	w.changed(t)
	require.NoError(t, w.update(t.Context(), pending{}))
	assert.Len(t, w.drawnFirst(t), leastDraws)
	assert.Equal(t, OddsStatus{On: true, Draws: 3, Open: 3}, w.status.get().Odds)
}

// Two tasks are drawn for each annotator at work, but no more than the queue has places.
func TestDrawsForEachAnnotator(t *testing.T) {
	for _, c := range []struct{ queue, want int }{{30, 8}, {5, 5}, {1, 1}} {
		b, f := newBrain(100), &fakeDraws{}
		w := drawingWorker(t, b, f, func(o *Options) { o.QueueSize = c.queue })
		for user := range event.UserID(4) {
			w.drawings.saw(event.TaskState{Annotations: []event.Annotation{{CompletedBy: user + 1, UpdatedAt: time.Now()}, {CompletedBy: 9, UpdatedAt: time.Now().Add(-time.Hour)}}})
		}
		require.NoError(t, w.update(t.Context(), pending{}))
		assert.Len(t, w.drawnFirst(t), c.want)
		assert.Len(t, w.queue.Items, c.queue)
	}
}

// Tasks run out, and those that were skipped are asked again without a draw.
func TestDrawingToTheEnd(t *testing.T) {
	b, f := newBrain(12), &fakeDraws{}
	w := drawingWorker(t, b, f, nil)
	for range 12 {
		next := w.queue.Items[0].Task
		require.Equal(t, w.drawnFirst(t)[0], next)
		b.is(func() { b.labelled[next] = true })
		w.changed(t, next)
	}
	assert.Empty(t, w.queue.Items)
	assert.Equal(t, []int{12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1}, leftOf(f.all))
}

// A strategy that gives no gains is not drawn from, and says why.
func TestNoOddsByAStrategyWithoutGains(t *testing.T) {
	b, f := newBrain(50), &fakeDraws{}
	w := drawingWorker(t, b, f, func(o *Options) { o.Strategy = strategy.NameBadge })
	assert.Contains(t, w.status.get().Odds.Reason, "badge")
	assert.Empty(t, f.all)
	assert.True(t, slices.ContainsFunc(w.queue.Items, func(i Item) bool { return i.Random }), "the random share is asked as without odds")
}
