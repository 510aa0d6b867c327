package sampler

import (
	"context"
	"fmt"
	"slices"

	"github.com/hone-ml/hone/event"
	"github.com/hone-ml/hone/sampler/strategy"
)

const (
	// coverSample is how many tasks of a pool are covered, and may be asked next.
	coverSample = 2000
	// coverLabelled is how many labelled tasks cover, at most.
	coverLabelled = 2000
	// coverStart is how many tasks are labelled before where the model is unsure matters.
	coverStart = 10
)

// coverOrder is the place of a task in the order by which samples are drawn. In large pools adapted
// vectors are made of the first tasks in this order too (ADR 31).
func coverOrder(t event.TaskID) uint64 { return t.Hash() }

// rankByCoverage makes the queue of the strategy coverage. ok is false when fewer than half of
// the sampled tasks have vectors.
func (r *Ranker) rankByCoverage(ctx context.Context, p event.ProjectID, tasks []event.Task, labelled map[event.TaskID]uint64, before Queue) (_ Queue, ok bool, _ error) {
	if r.vectors == nil || r.pool == nil {
		return Queue{}, false, nil
	}
	spec := queueSpec{size: r.size, front: r.front, share: r.share, labels: len(labelled)}
	random := sampleTasks(tasks, randomSlots(min(r.size, len(tasks)), spec), func(t event.TaskID) uint64 { return randomKey(r.seed, t) })
	drawn := make(map[event.TaskID]bool, len(random))
	for _, t := range random {
		drawn[t.ID] = true
	}
	// The random ones first: they will be labelled too, and cover.
	sample := slices.DeleteFunc(sampleTasks(tasks, max(coverSample, keepQueueLengths*r.size), coverOrder), func(t event.Task) bool { return drawn[t.ID] })
	sample = slices.Concat(random, sample)
	c := before.coverer
	if c == nil {
		c = &coverer{}
	}
	covered := sample[:min(len(sample), coverSample)]
	if err := c.update(ctx, r, p, covered, r.covering(labelled)); err != nil {
		return Queue{}, false, err
	}
	if c.space.Len() == 0 || 2*c.space.Len() < len(covered) {
		return Queue{}, false, nil
	}
	scores, q, err := r.score(ctx, p, sample)
	if err != nil {
		return Queue{}, false, err
	}
	ranked, err := r.pickCovering(ctx, c, sample[:len(random)], scores)
	if err != nil {
		return Queue{}, false, err
	}
	for _, t := range sample[len(random):] { // those that were not picked, and those without a vector
		ranked = append(ranked, t.ID)
	}
	seen := drawn
	var best, chance []scoredTask
	for _, t := range random {
		chance = append(chance, scoredTask{task: t.ID, score: scores.of[t.ID]})
	}
	for _, id := range ranked {
		if !seen[id] {
			seen[id] = true
			best = append(best, scoredTask{task: id, score: scores.of[id]})
		}
	}
	if q.Version == before.Version {
		q.Items = before.Items
	}
	q.Items = fillQueue(chance, best[:min(len(best), keepQueueLengths*r.size)], q.Items, spec)
	q.coverer = c
	return q, true, nil
}

// sampledScores are the scores of some tasks.
type sampledScores struct {
	of    map[event.TaskID]float64
	knows bool // the model has something to say of one of them
}

// score scores tasks with one snapshot. The queue has all but its places.
func (r *Ranker) score(ctx context.Context, p event.ProjectID, tasks []event.Task) (sampledScores, Queue, error) {
	estimates, version, err := r.scorer.Estimates(ctx, p, tasks)
	if err != nil {
		return sampledScores{}, Queue{}, fmt.Errorf("score %d tasks: %w", len(tasks), err)
	}
	if len(estimates) != len(tasks) {
		return sampledScores{}, Queue{}, fmt.Errorf("score %d tasks: got %d estimates", len(tasks), len(estimates))
	}
	s := sampledScores{of: make(map[event.TaskID]float64, len(tasks))}
	confidence := newConfidenceSample(0) // the tasks are a sample
	for i, t := range tasks {
		score, ok := strategy.Combine(r.strategy, estimates[i])
		s.of[t.ID], s.knows = score, s.knows || ok
		confidence.add(0, estimates[i])
	}
	return s, Queue{Version: version, Confidence: confidence.byControl()}, nil
}

// pickCovering returns the tasks of the space to ask about, best first; random ones are asked
// anyway.
func (r *Ranker) pickCovering(ctx context.Context, c *coverer, random []event.Task, scores sampledScores) (out []event.TaskID, _ error) {
	order := func(id int64) uint64 { return coverOrder(event.TaskID(id)) }
	var asked []int64
	for _, t := range random {
		asked = append(asked, int64(t.ID))
	}
	first, err := c.space.Typical(ctx, coverStart, asked, order)
	if err != nil {
		return nil, err
	}
	next, err := c.space.Greedy(ctx, keepQueueLengths*r.size, slices.Concat(asked, first), func(id int64) float64 {
		if !scores.knows {
			return 1
		}
		return 1 - scores.of[event.TaskID(id)]
	}, order)
	for _, id := range slices.Concat(first, next) {
		out = append(out, event.TaskID(id))
	}
	return out, err
}

// covering returns the labelled tasks that cover: all, or a sample of many.
func (r *Ranker) covering(labelled map[event.TaskID]uint64) map[event.TaskID]uint64 {
	if len(labelled) <= coverLabelled {
		return labelled
	}
	all := make([]scoredTask, 0, len(labelled))
	for t := range labelled {
		all = append(all, scoredTask{task: t, hash: coverOrder(t)})
	}
	out := make(map[event.TaskID]uint64, coverLabelled)
	for _, s := range topK(all, coverLabelled, byHash) {
		out[s.task] = labelled[s.task]
	}
	return out
}

// sampleTasks returns the n tasks that come first in an order, sorted.
func sampleTasks(tasks []event.Task, n int, order func(event.TaskID) uint64) []event.Task {
	all := make([]scoredTask, len(tasks))
	for i, t := range tasks {
		all[i] = scoredTask{task: t.ID, hash: order(t.ID)}
	}
	place := make(map[event.TaskID]int, n)
	for i, s := range topK(all, n, byHash) {
		place[s.task] = i
	}
	out := make([]event.Task, len(place))
	for _, t := range tasks {
		if i, is := place[t.ID]; is {
			out[i] = t
		}
	}
	return out
}
