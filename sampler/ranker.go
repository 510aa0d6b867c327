package sampler

import (
	"context"
	"errors"
	"fmt"
	"math/bits"

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
}

// Ranker makes queues. It keeps no state between two calls and is safe for concurrent use.
type Ranker struct {
	scorer      Scorer
	vectors     Vectors
	pool        Pool
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
		scorer: o.Scorer, vectors: o.Vectors, pool: o.Pool, name: o.Strategy, strategy: s, picker: pickers[o.Strategy], random: random,
		size: o.QueueSize, front: o.Front, share: o.RandomShare, seed: o.Seed,
	}, nil
}

// Rank scores tasks with one snapshot of a project and makes the queue. labelled
// is how many tasks of the project are labelled, which says where random ones
// are due; before is the queue before, whose tail stays where it can. Where
// nothing has been learned all scores are equal, which makes the order random.
// A strategy that looks at tasks together and cannot is stood in for by margin.
func (r *Ranker) Rank(ctx context.Context, p event.ProjectID, tasks []event.Task, labelled map[event.TaskID]uint64, before Queue) (Queue, error) {
	if r.picker.pick != nil {
		if q, ok, err := r.rankTogether(ctx, p, tasks, labelled, before); ok || err != nil {
			return q, err
		}
	}
	// A new version may go live between two chunks; scores of two versions do not
	// compare, so start over, and take what comes if it happens again and again.
	for try := 0; ; try++ {
		all := make([]scoredTask, 0, len(tasks))
		var version string
		knows, mixed := false, false
		confidence := newConfidenceSample(len(tasks))
		for from := 0; from < len(tasks) || from == 0; from += rankChunk {
			chunk := tasks[from:min(from+rankChunk, len(tasks))]
			asked := chunk
			if r.random {
				asked = nil // only the version is needed
			}
			estimates, v, err := r.scorer.Estimates(ctx, p, asked)
			if err != nil {
				return Queue{}, fmt.Errorf("score %d tasks: %w", len(asked), err)
			}
			if len(estimates) != len(asked) {
				return Queue{}, fmt.Errorf("score %d tasks: got %d estimates", len(asked), len(estimates))
			}
			mixed = mixed || from > 0 && v != version
			version = v
			for i, t := range chunk {
				s := scoredTask{task: t.ID, score: strategy.RandomScore, hash: randomKey(r.seed, t.ID)}
				if !r.random {
					// Ties go by another order than random draws: else a strategy with many of them would
					// take the very tasks that are to be drawn, and leave those that it does not ask for.
					s.tie = bits.Reverse64(s.hash)
					var ok bool
					s.score, ok = strategy.Combine(r.strategy, estimates[i])
					knows = knows || ok
					confidence.add(s.hash, estimates[i])
				}
				all = append(all, s)
			}
		}
		if mixed && try < 3 {
			continue
		}
		if version != before.Version {
			before.Items = nil
		}
		q := Queue{Version: version, RankedBy: r.name, Confidence: confidence.byControl(), Items: buildQueue(all, before.Items, queueSpec{size: r.size, front: r.front, share: r.share, labels: len(labelled)})}
		if r.picker.pick != nil {
			q.RankedBy = strategy.NameMargin // it stands in
		}
		if !knows || r.random {
			q.RankedBy = strategy.NameRandom
			for i := range q.Items {
				q.Items[i].Random = true
			}
		}
		return q, nil
	}
}
