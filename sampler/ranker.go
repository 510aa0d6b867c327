package sampler

import (
	"context"
	"errors"
	"fmt"
	"math/bits"
	"slices"

	"github.com/hone-ml/hone/event"
	"github.com/hone-ml/hone/sampler/strategy"
)

// rankChunk bounds the memory that distributions take at a time.
const rankChunk = 2048

// Queue holds the tasks to label next, best first.
type Queue struct {
	Items []Item
	// Version is the live version that ranked it, "" when nothing has been
	// learned.
	Version string
	// RankedBy is that of Status.
	RankedBy string
	// Confidence is that of Status.
	Confidence map[string]event.Confidence

	coverer *coverer // what the next ranking of tasks together goes on from; nil for none
	scan    *scan    // what the next ranking of a large pool goes on from; nil for none
}

// Ranker makes queues. It keeps no state between two calls and is safe for concurrent use.
type Ranker struct {
	scorer      Scorer
	vectors     Vectors
	pool        Pool
	sketcher    Sketcher
	whole       int // most tasks of a pool that are all scored
	name        string
	strategy    strategy.Strategy
	picker      picker // without pick, the strategy looks at each task by itself
	random      bool   // the strategy does not look at the model
	size, front int
	share       float64
	seed        uint64
}

// NewRanker reads Scorer, Strategy, QueueSize, Head, RandomShare and Seed of the
// options; the error names every fault in them.
func NewRanker(o Options) (*Ranker, error) {
	if err := errors.Join(o.validateRanking()...); err != nil {
		return nil, err
	}
	s, _ := strategy.Named(o.Strategy)
	_, random := s.(strategy.Random)
	return &Ranker{
		scorer: o.Scorer, vectors: o.Vectors, pool: o.Pool, sketcher: o.Sketcher, whole: o.rankWhole(), name: o.Strategy, strategy: s, picker: pickers[o.Strategy], random: random,
		size: o.QueueSize, front: o.Front, share: o.RandomShare, seed: o.Seed,
	}, nil
}

// Rank scores tasks with one snapshot of a project and makes the queue. Tasks without data are
// read from the pool. labelled
// is how many tasks of the project are labelled, which says where random ones
// are due; before is the queue before, whose tail stays where it can. Where
// nothing has been learned all scores are equal, which makes the order random.
// A strategy that looks at tasks together and cannot is stood in for by margin. Of a large pool
// not all tasks are scored at once, see scan.
func (r *Ranker) Rank(ctx context.Context, p event.ProjectID, tasks []event.Task, labelled map[event.TaskID]uint64, before Queue) (Queue, error) {
	var kept *coverer
	if r.picker.pick != nil {
		q, ok, err := r.rankTogether(ctx, p, tasks, labelled, before)
		if ok || err != nil {
			return q, err
		}
		kept = q.coverer
	}
	confidence := newConfidenceSample(len(tasks))
	var scored scoredTasks
	var err error
	s := r.scanOf(tasks, before.scan)
	if s == nil {
		scored, err = r.scoreAll(ctx, p, tasks, &confidence)
	} else if scored, err = s.rank(ctx, r, p, tasks, turnOptions{random: randomSlots(min(r.size, len(tasks)), r.spec(labelled)), confidence: &confidence, read: scanReadRanked}); err == nil {
		s.changed = false
	}
	if err != nil {
		return Queue{}, err
	}
	if scored.version != before.Version {
		before.Items = nil
	}
	q := Queue{Version: scored.version, RankedBy: r.name, Confidence: confidence.byControl(), Items: buildQueue(scored.all, before.Items, r.spec(labelled)), coverer: kept, scan: s}
	if r.picker.pick != nil {
		q.RankedBy = strategy.NameMargin // it stands in
	}
	if !scored.knows || r.random {
		q.RankedBy = strategy.NameRandom
		for i := range q.Items {
			q.Items[i].Random = true
		}
	}
	return q, nil
}

// spec returns the parameters of a queue.
func (r *Ranker) spec(labelled map[event.TaskID]uint64) queueSpec {
	return queueSpec{size: r.size, front: r.front, share: r.share, labels: len(labelled)}
}

// scoredTasks are some tasks with their scores.
type scoredTasks struct {
	all     []scoredTask
	version string
	knows   bool // the model has something to say of one of them
}

// scoreAll scores tasks, whose confidence it adds to a sample's, unless that is nil.
func (r *Ranker) scoreAll(ctx context.Context, p event.ProjectID, tasks []event.Task, confidence *confidenceSample) (scoredTasks, error) {
	// A new version may go live between two chunks; scores of two versions do not
	// compare, so start over, and take what comes if it happens again and again.
	for try := 0; ; try++ {
		out := scoredTasks{all: make([]scoredTask, 0, len(tasks))}
		mixed := false
		if confidence != nil {
			confidence.clear()
		}
		for from := 0; from < len(tasks) || from == 0; from += rankChunk {
			chunk := tasks[from:min(from+rankChunk, len(tasks))]
			asked := chunk[:0] // of random only the version is needed
			if !r.random {
				var err error
				if asked, err = r.load(ctx, p, chunk); err != nil {
					return scoredTasks{}, err
				}
			}
			estimates, v, err := r.scorer.Estimates(ctx, p, asked)
			if err != nil {
				return scoredTasks{}, fmt.Errorf("score %d tasks: %w", len(asked), err)
			}
			if len(estimates) != len(asked) {
				return scoredTasks{}, fmt.Errorf("score %d tasks: got %d estimates", len(asked), len(estimates))
			}
			mixed = mixed || from > 0 && v != out.version
			out.version = v
			for i, t := range chunk {
				s := r.unscored(t.ID)
				if !r.random {
					var ok bool
					s.score, ok = strategy.Combine(r.strategy, estimates[i])
					out.knows = out.knows || ok
					if confidence != nil {
						confidence.add(s.hash, estimates[i])
					}
				}
				out.all = append(out.all, s)
			}
		}
		if !mixed || try == 3 {
			return out, nil
		}
	}
}

// unscored returns a task before the model is asked.
func (r *Ranker) unscored(t event.TaskID) scoredTask {
	s := scoredTask{task: t, score: strategy.RandomScore, hash: randomKey(r.seed, t)}
	if !r.random {
		// Ties go by another order than random draws: else a strategy with many of them would
		// take the very tasks that are to be drawn, and leave those that it does not ask for.
		s.tie = bits.Reverse64(s.hash)
	}
	return s
}

// load returns tasks with their data: those that have none are read. One that is no more has none.
func (r *Ranker) load(ctx context.Context, p event.ProjectID, tasks []event.Task) ([]event.Task, error) {
	var lacking []event.TaskID
	for _, t := range tasks {
		if t.Data == nil {
			lacking = append(lacking, t.ID)
		}
	}
	if len(lacking) == 0 || r.pool == nil {
		return tasks, nil
	}
	states, err := r.pool.Tasks(ctx, p, lacking)
	if err != nil {
		return nil, fmt.Errorf("read %d tasks: %w", len(lacking), err)
	}
	out := slices.Clone(tasks)
	for i := range out {
		if out[i].Data == nil {
			out[i], states = states[0].Task, states[1:]
		}
	}
	return out, nil
}
