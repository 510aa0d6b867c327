package sampler

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/hone-ml/hone/event"
)

// rankChunk bounds the memory that distributions take at a time.
const rankChunk = 2048

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
		w.theirs = theirs{}
	}
	if n.relist || w.gone {
		// Somebody knows better now than when the pause began.
		w.retryAt, w.gone = time.Time{}, false
	}
	queue, version, err := w.rankPool(ctx)
	if err != nil {
		return err
	}
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
		w.theirs.refused = nil
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
			// Label Studio deletes a task's predictions with it.
			delete(w.theirs.rows, t.Task.ID)
		}
	}
	return nil
}

// rankPool scores every candidate with one snapshot and makes the queue. Where
// nothing has been learned all scores are alike, which makes the order random.
func (w *worker) rankPool(ctx context.Context) (queue []Item, version string, err error) {
	tasks := w.pool.candidates()
	// A new version may go live between two chunks; scores of two versions do not
	// compare, so start over, and take what comes if it happens again and again.
	for try := 0; ; try++ {
		all := make([]scored, 0, len(tasks))
		knows, mixed := false, false
		for from := 0; from < len(tasks) || from == 0; from += rankChunk {
			chunk := tasks[from:min(from+rankChunk, len(tasks))]
			dists, v, err := w.s.o.Scorer.Distributions(ctx, w.id, chunk)
			if err != nil {
				return nil, "", fmt.Errorf("score %d tasks: %w", len(chunk), err)
			}
			if len(dists) != len(chunk) {
				return nil, "", fmt.Errorf("score %d tasks: got %d distributions", len(chunk), len(dists))
			}
			mixed = mixed || from > 0 && v != version
			version = v
			for i, t := range chunk {
				score, ok := combine(w.s.score, dists[i])
				knows = knows || ok
				all = append(all, scored{task: t.ID, score: score, hash: order(w.s.o.Seed, t.ID)})
			}
		}
		if mixed && try < 3 {
			continue
		}
		var before []Item
		if version == w.version {
			before = w.queue
		}
		o := &w.s.o
		queue = arrange(all, before, shape{size: o.QueueSize, head: o.Head, share: o.RandomShare, labels: len(w.pool.labelled)})
		if !knows || w.s.o.Strategy == Random {
			for i := range queue {
				queue[i].Random = true
			}
		}
		return queue, version, nil
	}
}
