package sampler

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"github.com/hone-ml/hone/event"
	"github.com/hone-ml/hone/sampler/strategy"
)

const (
	// sampleSize is how many tasks of a pool a strategy that looks at tasks together looks at.
	sampleSize = 2000
	// labelledSample is how many labelled tasks it looks at, at most.
	labelledSample = 2000
)

// sampleOrder is the place of a task in the order by which samples are drawn. In large pools adapted
// vectors are made of the first tasks in this order too (ADR 31).
func sampleOrder(t event.TaskID) uint64 { return t.Hash() }

// rankTogether makes the queue of a strategy that looks at tasks together. ok is false when it
// cannot pick: when it needs vectors, and fewer than half of the sampled tasks have one, or when
// nothing is known that it could balance. Then the queue has what the next ranking goes on from alone.
func (r *Ranker) rankTogether(ctx context.Context, p event.ProjectID, tasks []event.Task, labelled map[event.TaskID]uint64, before Queue) (_ Queue, ok bool, _ error) {
	if r.picker.vectors && (r.vectors == nil || r.pool == nil) {
		return Queue{}, false, nil
	}
	spec := r.spec(labelled)
	random := sampleTasks(tasks, randomSlots(min(r.size, len(tasks)), spec), func(t event.TaskID) uint64 { return randomKey(r.seed, t) })
	drawn := make(map[event.TaskID]bool, len(random))
	for _, t := range random {
		drawn[t.ID] = true
	}
	// The random ones first: they will be labelled too, and cover.
	sample := slices.DeleteFunc(sampleTasks(tasks, max(sampleSize, keepQueueLengths*r.size), sampleOrder), func(t event.Task) bool { return drawn[t.ID] })
	sample, err := r.load(ctx, p, slices.Concat(random, sample))
	if err != nil {
		return Queue{}, false, err
	}
	sel := &selection{r: r, random: sample[:len(random)], sample: sample}
	if r.picker.vectors {
		if sel.coverer = before.coverer; sel.coverer == nil {
			sel.coverer = &coverer{}
		}
		seen := sample[:min(len(sample), sampleSize)]
		if err := sel.update(ctx, r, p, seen, r.covering(labelled)); err != nil {
			return Queue{}, false, err
		}
		if sel.space.Len() == 0 || 2*sel.space.Len() < len(seen) {
			return Queue{coverer: sel.coverer}, false, nil
		}
	}
	q, err := sel.score(ctx, p)
	if err != nil {
		return Queue{}, false, err
	}
	picks, ok, err := r.picker.pick(ctx, sel)
	if err != nil || !ok {
		return Queue{}, false, err
	}
	if q.Version == before.Version {
		q.Items = before.Items
	}
	ranked := sel.ranked(picks)
	q.Items = fillQueue(sel.scored(sel.random), ranked[:min(len(ranked), keepQueueLengths*r.size)], q.Items, spec)
	reasons := make(map[event.TaskID]Reason, len(picks))
	for _, k := range picks {
		reasons[k.task] = k.reason
	}
	for i := range q.Items {
		if !q.Items[i].Random {
			q.Items[i].Reason = reasons[q.Items[i].Task]
		}
	}
	q.coverer = sel.coverer
	return q, true, nil
}

// selection is what a strategy that looks at tasks together picks from.
type selection struct {
	*coverer  // nil for one that needs no vectors
	r         *Ranker
	random    []event.Task // of the sample, asked anyway
	sample    []event.Task // the random ones first
	estimates [][]event.Estimate
	scores    map[event.TaskID]float64
	knows     bool               // the model has something to say of one of them
	picked    func(event.TaskID) // told of each task that is drawn; nil for nobody
}

// picked is a task that a strategy picked.
type picked struct {
	task   event.TaskID
	reason Reason
}

// score scores the sample with one snapshot. The queue has all but its places.
func (s *selection) score(ctx context.Context, p event.ProjectID) (Queue, error) {
	estimates, version, err := s.r.scorer.Estimates(ctx, p, s.sample)
	if err != nil {
		return Queue{}, fmt.Errorf("score %d tasks: %w", len(s.sample), err)
	}
	if len(estimates) != len(s.sample) {
		return Queue{}, fmt.Errorf("score %d tasks: got %d estimates", len(s.sample), len(estimates))
	}
	s.estimates, s.scores = estimates, make(map[event.TaskID]float64, len(s.sample))
	confidence := newConfidenceSample(0) // the tasks are a sample
	for i, t := range s.sample {
		score, ok := strategy.Combine(s.r.strategy, estimates[i])
		s.scores[t.ID], s.knows = score, s.knows || ok
		confidence.add(0, estimates[i])
	}
	return Queue{Version: version, Confidence: confidence.byControl(), RankedBy: s.r.name}, nil
}

// scored returns tasks of the sample with their scores, in the order of the sample.
func (s *selection) scored(tasks []event.Task) []scoredTask {
	out := make([]scoredTask, len(tasks))
	for i, t := range tasks {
		out[i] = scoredTask{task: t.ID, score: s.scores[t.ID], hash: sampleOrder(t.ID)}
	}
	return out
}

// ranked returns the tasks that are not random: those that were picked, and then the rest, those
// in the space first, the least sure before others.
func (s *selection) ranked(picks []picked) []scoredTask {
	seen := make(map[event.TaskID]bool, len(s.sample))
	for _, t := range s.random {
		seen[t.ID] = true
	}
	out := make([]scoredTask, 0, len(s.sample))
	for _, k := range picks {
		if !seen[k.task] {
			seen[k.task] = true
			out = append(out, scoredTask{task: k.task, score: s.scores[k.task]})
		}
	}
	rest := slices.DeleteFunc(s.scored(s.sample), func(t scoredTask) bool { return seen[t.task] })
	outside := func(t scoredTask) int {
		if s.coverer == nil || s.space.Has(int64(t.task)) {
			return 0
		}
		return 1
	}
	slices.SortFunc(rest, func(a, b scoredTask) int { return cmp.Or(cmp.Compare(outside(a), outside(b)), byScore(a, b)) })
	return append(out, rest...)
}

// uncertainty is how unsure the model is of a task, 0 to 1; as long as it knows nothing it is 1
// of all.
func (s *selection) uncertainty(id int64) float64 {
	if !s.knows {
		return 1
	}
	return 1 - s.scores[event.TaskID(id)]
}

// order is the order of the sample.
func (s *selection) order(id int64) uint64 { return sampleOrder(event.TaskID(id)) }

// asked returns the tasks that are asked at random.
func (s *selection) asked() []int64 {
	var out []int64
	for _, t := range s.random {
		out = append(out, int64(t.ID))
	}
	return out
}

// covering returns the labelled tasks that are looked at: all, or a sample of many.
func (r *Ranker) covering(labelled map[event.TaskID]uint64) map[event.TaskID]uint64 {
	if len(labelled) <= labelledSample {
		return labelled
	}
	all := make([]scoredTask, 0, len(labelled))
	for t := range labelled {
		all = append(all, scoredTask{task: t, hash: sampleOrder(t)})
	}
	out := make(map[event.TaskID]uint64, labelledSample)
	for _, s := range topK(all, labelledSample, byHash) {
		out[s.task] = labelled[s.task]
	}
	return out
}

// sampleTasks returns the n tasks that come first in an order, sorted.
func sampleTasks(tasks []event.Task, n int, order func(event.TaskID) uint64) []event.Task {
	first := topTasks{most: n, compare: byHash}
	for i, t := range tasks {
		first.add(scoredTask{task: t.ID, hash: order(t.ID), index: i})
	}
	out := make([]event.Task, 0, min(n, len(tasks)))
	for _, s := range first.sorted() {
		out = append(out, tasks[s.index])
	}
	return out
}
