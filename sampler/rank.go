package sampler

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/hone-ml/hone/event"
	"github.com/hone-ml/hone/internal/fault"
)

// update brings the pool up to date with the news and ranks it. On an error it
// has changed nothing that matters, and the same news can be given to it again.
func (w *worker) update(ctx context.Context, n news) error {
	if err := w.readPool(ctx, n); err != nil {
		return err
	}
	if n.version != "" {
		w.announced = n.version
	}
	if n.relist {
		w.theirs.known, w.theirs.refused, w.theirs.imported = false, nil, false
	}
	if n.relist || w.gone {
		// Somebody knows better now than when the pause began.
		w.retryAt, w.gone = time.Time{}, false
	}
	if fault.On(fault.OldSnapshot) && w.rank > 0 && !n.all && len(n.tasks) == 0 {
		return nil
	}
	ranked, err := w.s.ranker.Rank(ctx, w.id, w.pool.candidates(), len(w.pool.labelled), Queue{w.queue, w.version})
	if err != nil {
		return err
	}
	queue, version := ranked.Items, ranked.Version
	if version == "" {
		version = w.announced
	}
	w.queue, w.version = queue, version
	w.rank++
	now := time.Now()
	ready := n.after(w.newest)
	if since := n.after(w.seen); !since.IsZero() && (w.since.IsZero() || since.Before(w.since)) {
		w.since = since
	}
	if n.newest.After(w.newest) {
		w.newest = n.newest
	}
	w.note(func(st *Status) {
		st.Queue, st.Version, st.Rank, st.LastRank = slices.Clone(queue), version, w.rank, now
		if n.version != "" {
			st.Labels = n.labels
		}
		st.Pool, st.Skipped, st.Pushed = len(w.pool.open.tasks), len(w.pool.skipped.tasks), 0
		if !ready.IsZero() {
			st.ReadyLag = now.Sub(ready)
		}
	})
	if !ready.IsZero() {
		w.s.metrics.ready.Observe(now.Sub(ready).Seconds())
	}
	w.observe(Ranked, nil)
	return nil
}

func (w *worker) readPool(ctx context.Context, n news) error {
	if w.pool == nil || n.all {
		tasks, err := w.s.o.Pool.Tasks(ctx, w.id, nil)
		if err != nil {
			return fmt.Errorf("read the tasks: %w", err)
		}
		fresh := newPool()
		for _, t := range tasks {
			fresh.put(t)
		}
		w.pool = fresh
		w.theirs.refused, w.theirs.departed = nil, nil
		for t := range w.theirs.held {
			if !w.pool.has(t) {
				w.theirs.depart(t)
			}
		}
		return nil
	}
	if len(n.tasks) == 0 {
		return nil
	}
	tasks, err := w.s.o.Pool.Tasks(ctx, w.id, slices.Sorted(maps.Keys(n.tasks)))
	if err != nil {
		return fmt.Errorf("read %d changed tasks: %w", len(n.tasks), err)
	}
	picked := make(map[event.TaskID]bool, len(w.queue))
	for _, i := range w.queue {
		picked[i.Task] = i.Random
	}
	for _, t := range tasks {
		if w.pool.put(t) {
			if random, queued := picked[t.Task.ID]; queued {
				pick := "strategy"
				if random {
					pick = "random"
				}
				w.s.metrics.asked.WithLabelValues(pick).Inc()
			}
		}
		if t.Deleted {
			w.theirs.depart(t.Task.ID)
		} else {
			delete(w.theirs.departed, t.Task.ID)
		}
	}
	return nil
}
