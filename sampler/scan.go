package sampler

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/hone-ml/hone/event"
	"github.com/hone-ml/hone/sampler/strategy"
)

const (
	// scanTurns is the number of rankings, or turns between two, in which each task of a large
	// pool is considered once.
	scanTurns = 20
	// scanBest is how many of the least sure tasks are kept, at the least.
	scanBest = 1000
	// scanRough is how many tasks of a turn are scored by their data: the least sure ones by
	// their sketches.
	scanRough = 256
	// scanRead is how many tasks without a sketch, or with one that will change, are read in a
	// turn, and scanReadRanked how many of them in a ranking, for which somebody waits.
	scanRead       = 1024
	scanReadRanked = 256
)

// errNews ends a turn between two rankings.
var errNews = errors.New("there is news")

// scan ranks a large pool a turn at a time, in two stages. Each ranking scores the least sure
// tasks so far, the ones that are due at random, and those that the confidence of the pool is
// taken from. A twentieth of the others is ranked by their sketches, and the first of them are
// scored too. So each task is considered in scanTurns rankings, once it has a sketch. One
// goroutine uses it.
type scan struct {
	space    string // of the sketches
	sketches map[event.TaskID]sketch
	best     []event.TaskID // the least sure first, as they were scored last
	turn     int
	left     int  // turns until all tasks were considered since the last news
	changed  bool // best begins with other tasks than when the pool was ranked last
}

// sketch is that of a task. It is empty when the task has none.
type sketch struct {
	bytes []byte
	data  uint64 // fingerprint of the task
	whole bool   // it will not be another one
}

// scanOf returns the scan by which a pool is to be ranked, nil if all of it is scored.
func (r *Ranker) scanOf(tasks []event.Task, before *scan) *scan {
	switch {
	case r.random || len(tasks) <= r.whole:
		return nil
	case before == nil:
		return &scan{sketches: map[event.TaskID]sketch{}}
	}
	return before
}

// restart has all tasks considered again: the model has changed.
func (s *scan) restart() {
	if s != nil {
		s.left = max(s.left, scanTurns-1)
	}
}

// taskChanged forgets the sketch of a task that is no longer in the pool, or has other data.
func (s *scan) taskChanged(t event.TaskState) {
	if s == nil {
		return
	}
	if was, is := s.sketches[t.Task.ID]; is && (t.Deleted || t.Labelled() || was.data != fingerprint(t.Task)) {
		delete(s.sketches, t.Task.ID)
	}
}

// retain forgets the sketches of all other tasks than those of has.
func (s *scan) retain(has func(event.TaskID) bool) {
	if s != nil {
		maps.DeleteFunc(s.sketches, func(t event.TaskID, _ sketch) bool { return !has(t) })
	}
}

// turnOptions are those of one turn.
type turnOptions struct {
	random     int               // most random tasks that may be queued
	confidence *confidenceSample // is scored too, unless nil
	read       int               // most tasks without a sketch that are read
	// news ends the turn early, with errNews; nil never does.
	news func() bool
}

// interrupted returns errNews if there is news.
func (o turnOptions) interrupted() error {
	if o.news != nil && o.news() {
		return errNews
	}
	return nil
}

// rank takes a turn and returns the scores of all tasks that may be queued.
func (s *scan) rank(ctx context.Context, r *Ranker, p event.ProjectID, tasks []event.Task, o turnOptions) (scoredTasks, error) {
	best := make(map[event.TaskID]bool, len(s.best))
	mayBeBest := make([]bool, 1<<16) // by the hash: it saves most tasks the map
	for _, t := range s.best {
		best[t] = true
		mayBeBest[uint16(randomKey(r.seed, t))] = true
	}
	drawn := topTasks{most: o.random, compare: byHash}
	var picks, members []int
	for i, t := range tasks {
		hash := randomKey(r.seed, t.ID)
		if drawn.most > 0 && (len(drawn.heap) < drawn.most || hash <= drawn.heap[0].hash) {
			u := r.unscored(t.ID)
			u.index = i
			drawn.add(u)
		}
		switch {
		case mayBeBest[uint16(hash)] && best[t.ID] || o.confidence != nil && o.confidence.has(hash):
			picks = append(picks, i)
		case int(hash>>32%scanTurns) == s.turn%scanTurns:
			members = append(members, i)
		}
	}
	for _, u := range drawn.sorted() {
		picks = append(picks, u.index)
	}
	found, unread, err := s.rankRoughly(ctx, r, p, tasks, members, o)
	if err != nil {
		return scoredTasks{}, err
	}
	picks = slices.Concat(picks, found, unread)
	slices.Sort(picks)
	picks = slices.Compact(picks)
	asked := make([]event.Task, len(picks))
	for i, at := range picks {
		asked[i] = tasks[at]
	}
	if asked, err = r.load(ctx, p, asked); err != nil {
		return scoredTasks{}, err
	}
	if err := o.interrupted(); err != nil {
		return scoredTasks{}, err
	}
	out, err := r.scoreAll(ctx, p, asked, o.confidence)
	if err != nil {
		return scoredTasks{}, err
	}
	without := make([]event.Task, len(unread))
	for i, at := range unread {
		n, _ := slices.BinarySearch(picks, at)
		without[i] = asked[n]
	}
	if err := s.read(ctx, r, p, without); err != nil {
		return scoredTasks{}, err
	}
	s.keep(out.all, r.size)
	s.turn++
	s.left--
	return out, nil
}

// keep makes best that of tasks that were scored.
func (s *scan) keep(all []scoredTask, size int) {
	front := s.best[:min(size, len(s.best))]
	var best []event.TaskID
	for i, t := range topK(all, max(scanBest, keepQueueLengths*size), byScore) {
		best = append(best, t.task)
		s.changed = s.changed || i < size && !slices.Contains(front, t.task)
	}
	s.best = best
}

// rankRoughly returns the least sure of tasks by their sketches, and some of those that lack one:
// indices in tasks, as members are.
func (s *scan) rankRoughly(ctx context.Context, r *Ranker, p event.ProjectID, tasks []event.Task, members []int, o turnOptions) (found, unread []int, _ error) {
	first := topTasks{most: scanRough, compare: byScore}
	lacking := topTasks{most: o.read, compare: byScore} // those without one first, in another order each time round
	for chunk := range slices.Chunk(members, rankChunk) {
		if err := o.interrupted(); err != nil {
			return nil, nil, err
		}
		var with []scoredTask
		var sketches [][]byte
		for _, i := range chunk {
			u := r.unscored(tasks[i].ID)
			u.index = i
			k, is := s.sketches[u.task]
			if is && len(k.bytes) > 0 {
				with, sketches = append(with, u), append(sketches, k.bytes)
			}
			if !k.whole {
				u.score, u.tie = 0, randomKey(uint64(s.turn/scanTurns), u.task)
				if is {
					u.score = 1
				}
				lacking.add(u)
			}
		}
		if len(with) == 0 {
			continue
		}
		estimates, _, same, err := r.sketcher.EstimateSketches(ctx, p, s.space, sketches)
		if err != nil {
			return nil, nil, fmt.Errorf("score %d sketches: %w", len(sketches), err)
		}
		if !same {
			clear(s.sketches)
			return s.rankRoughly(ctx, r, p, tasks, members, o)
		}
		for i, u := range with {
			u.score, _ = strategy.Combine(r.strategy, estimates[i])
			first.add(u)
		}
	}
	for _, u := range first.sorted() {
		found = append(found, u.index)
	}
	for _, u := range lacking.sorted() {
		unread = append(unread, u.index)
	}
	return found, unread, nil
}

// read makes sketches of tasks. While there are some that had none, turns go on.
func (s *scan) read(ctx context.Context, r *Ranker, p event.ProjectID, tasks []event.Task) error {
	if r.sketcher == nil || len(tasks) == 0 {
		return nil
	}
	sketches, whole, space, err := r.sketcher.Sketches(ctx, p, tasks)
	if err != nil {
		return fmt.Errorf("sketch %d tasks: %w", len(tasks), err)
	}
	if space != s.space {
		s.space = space
		clear(s.sketches)
	}
	if space == "" {
		return nil
	}
	for i, t := range tasks {
		if _, is := s.sketches[t.ID]; !is {
			s.left = max(s.left, scanTurns+1)
		}
		s.sketches[t.ID] = sketch{bytes: sketches[i], data: fingerprint(t), whole: whole[i]}
	}
	return nil
}

// scanDue reports whether a turn is due between two rankings.
func (w *worker) scanDue() bool { return w.queue.scan != nil && w.queue.scan.left > 0 }

// scanTurn takes a turn between two rankings. When it has found tasks for the queue, the pool is
// to be ranked again, but not more often than once in scanTurns.
func (w *worker) scanTurn(ctx context.Context) {
	s := w.queue.scan
	tasks := w.pool.candidates()
	ranker, err := NewRanker(w.s.o.of(w.id))
	if err == nil {
		_, err = s.rank(ctx, ranker, w.id, tasks, turnOptions{read: scanRead, news: w.inbox.Pending})
	}
	if errors.Is(err, errNews) {
		return // a ranking takes the turn
	}
	if err != nil {
		s.left = 0
		if ctx.Err() == nil {
			w.failed("rank", fmt.Errorf("go through the pool: %w", err))
		}
		return
	}
	if s.changed && (s.left <= 0 || s.turn%scanTurns == 0) {
		w.inbox.enqueue(pending{})
	}
}

// quietScan is the inbox for a push. While that waits, the worker goes through a large pool.
type quietScan struct{ *worker }

// Pending implements push.Interrupt.
func (q quietScan) Pending() bool { return q.inbox.Pending() }

// LeftAlone implements push.Interrupt.
func (q quietScan) LeftAlone() bool { return q.whyLeftAlone() != nil }

// WaitQuiet implements push.Interrupt. The worker's goroutine calls it.
func (q quietScan) WaitQuiet(ctx context.Context, d time.Duration) error {
	for end := time.Now().Add(d); q.scanDue() && !q.inbox.Pending() && ctx.Err() == nil && d > 0; d = time.Until(end) {
		q.scanTurn(ctx)
	}
	return q.inbox.WaitQuiet(ctx, max(0, d))
}
