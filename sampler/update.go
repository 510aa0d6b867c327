package sampler

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"time"

	"github.com/hone-ml/hone/event"
	"github.com/hone-ml/hone/internal/fault"
)

// update brings the pool up to date with what was heard and ranks it. On an error it
// has changed nothing that matters, and the same can be given to it again.
func (w *worker) update(ctx context.Context, p pending) error {
	if err := w.readAcquisitions(ctx); err != nil {
		return err
	}
	if err := w.readPool(ctx, p); err != nil {
		return err
	}
	if p.model.version != "" {
		w.announced = p.model.version
	}
	if p.relist {
		w.remote.Relist()
	}
	w.takePrelabel(ctx, p.prelabel)
	if p.relist || w.retry.gone {
		w.retry.clear()
	}
	if fault.On(fault.OldSnapshot) && w.rank > 0 && !p.wholePool && len(p.tasks) == 0 {
		return nil
	}
	o := w.s.o.of(w.id)
	ranker, err := NewRanker(w.previewing(o))
	if err != nil {
		return err
	}
	before := w.queue
	before.coverer = w.s.spaces.take(w.id)
	queue, err := ranker.Rank(ctx, w.id, w.pool.candidates(), w.pool.labelled, before)
	if err != nil {
		return err
	}
	odds, err := w.draw(ctx, o, &queue)
	if err != nil {
		return err
	}
	w.s.spaces.put(w.id, queue.coverer)
	queue.coverer = nil
	if err := w.describeItems(ctx, ranker, queue.Items); err != nil {
		return err
	}
	if p.wholePool || len(p.tasks) > 0 || p.model.version != "" {
		queue.scan.restart()
	}
	w.size = o.QueueSize
	if queue.Version == "" {
		queue.Version = w.announced
	}
	w.queue = queue
	w.rank++
	now := time.Now()
	since := w.lag.rank(p.changes)
	w.status.set(func(st *Status) {
		st.Queue, st.Version, st.Rank, st.LastRank = slices.Clone(queue.Items), queue.Version, w.rank, now
		st.Strategy, st.RankedBy, st.Complete = o.Strategy, queue.RankedBy, false
		if p.model.version != "" {
			st.Labels, st.Snapshot = p.model.labels, max(st.Snapshot, p.model.snapshot)
		}
		st.Pool, st.Skipped, st.Pushed = len(w.pool.open.tasks), len(w.pool.skipped.tasks), 0
		st.Confidence, st.Odds = queue.Confidence, odds
		st.NoText, st.IdenticalPairs = w.pool.lacks[event.LackText], w.pool.lacks[event.LackDifference]
		if !since.IsZero() {
			st.ReadyLag = now.Sub(since)
		}
	})
	if w.acquired.drawn != nil {
		w.acquired.queued(w.status.get())
		w.storeAcquisitions(ctx)
	}
	for _, lack := range []event.Lack{event.LackText, event.LackDifference} {
		w.s.metrics.lacking.WithLabelValues(strconv.FormatInt(int64(w.id), 10), string(lack)).Set(float64(w.pool.lacks[lack]))
	}
	if !since.IsZero() {
		w.s.metrics.ready.Observe(now.Sub(since).Seconds())
	}
	w.observe(Ranked, nil)
	return nil
}

// describeItems has the places of a queue tell why they are there and how sure the model is of its
// answers. Their order does not: random ones are among them, and a strategy may look at other
// things.
func (w *worker) describeItems(ctx context.Context, ranker *Ranker, items []Item) error {
	if len(items) == 0 {
		return nil
	}
	tasks := make([]event.Task, len(items))
	for i, item := range items {
		tasks[i], _ = w.pool.Task(item.Task)
	}
	tasks, err := ranker.load(ctx, w.id, tasks)
	if err != nil {
		return err
	}
	w.pool.queue(tasks)
	if err := ranker.explain(ctx, w.id, tasks, items); err != nil {
		return err
	}
	if w.s.o.Suggester == nil {
		return nil
	}
	said, confidences, err := w.s.o.Suggester.Suggestions(ctx, w.id, tasks)
	if err != nil {
		return fmt.Errorf("predict %d tasks: %w", len(tasks), err)
	}
	for i := range items {
		if said[i] != nil {
			items[i].Confidence = &confidences[i]
		}
	}
	return nil
}

// takePrelabel has the push make predictions for all tasks when somebody asked for them, or
// had before the start.
func (w *worker) takePrelabel(ctx context.Context, asked time.Time) {
	if asked.IsZero() && w.rank == 0 && w.s.o.Marks != nil {
		var err error
		if asked, err = w.s.o.Marks.PrelabelDue(ctx, w.id); err != nil {
			w.log.WithError(err).Warn("prelabel: whether predictions are still to be made cannot be read; ask again with `hone prelabel`")
		}
	}
	if !asked.IsZero() {
		w.remote.Prelabel(asked)
	}
}

// lackOf says what a task of the project lacks, nil when that is not asked for.
func (w *worker) lackOf() func(event.Task) event.Lack {
	if w.s.o.Contents == nil {
		return nil
	}
	return func(t event.Task) event.Lack { return w.s.o.Contents.Lacks(w.id, t.Data) }
}

// readPool reads all tasks, or those that have changed.
func (w *worker) readPool(ctx context.Context, p pending) error {
	if w.pool == nil || p.wholePool {
		pool := newPool(w.s.o.rankWhole(), w.lackOf())
		w.drawings.read = false // another project may have the id now
		var labelled []event.TaskID
		for t, err := range w.s.o.Pool.AllTasks(ctx, w.id) {
			if err != nil {
				return fmt.Errorf("read the tasks: %w", err)
			}
			w.drawings.saw(t)
			if pool.update(t) && w.pool != nil && !w.pool.IsLabelled(t.Task.ID) {
				labelled = append(labelled, t.Task.ID)
			}
			w.queue.scan.taskChanged(t)
		}
		w.pool = pool
		for _, t := range labelled {
			w.noteLabelled(t)
		}
		w.queue.scan.retain(func(t event.TaskID) bool { _, is := pool.Task(t); return is })
		w.remote.PoolReplaced(w.pool)
		return nil
	}
	if len(p.tasks) == 0 {
		return nil
	}
	tasks, err := w.s.o.Pool.Tasks(ctx, w.id, slices.Sorted(maps.Keys(p.tasks)))
	if err != nil {
		return fmt.Errorf("read %d changed tasks: %w", len(p.tasks), err)
	}
	for _, t := range tasks {
		w.drawings.saw(t)
		if w.pool.update(t) {
			w.noteLabelled(t.Task.ID)
		}
		w.queue.scan.taskChanged(t)
		w.remote.TaskChanged(t.Task.ID, t.Deleted)
	}
	return nil
}

// noteLabelled counts a task that was labelled by how the queue asked for it.
func (w *worker) noteLabelled(t event.TaskID) {
	of, asked := acquisitionOf(t, w.status.get())
	if asked {
		pick := "strategy"
		if of.Random {
			pick = "random"
		}
		w.s.metrics.asked.WithLabelValues(pick).Inc()
	}
	if w.acquired.drawn != nil {
		w.acquired.labelled(t, of, asked)
	}
}
