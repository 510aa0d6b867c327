package sampler

import (
	"cmp"
	"encoding/binary"
	"math"
	"slices"

	"github.com/cespare/xxhash/v2"

	"github.com/hone-ml/hone/event"
)

// Item is one place in the queue.
type Item struct {
	Task event.TaskID `json:"task"`
	// Score is the strategy's: 0 is least sure, 1 certain or unknown.
	Score float64 `json:"score"`
	// Random is true when the task was drawn without looking at the model. Such
	// tasks are a fair sample of the pool, so they measure what the strategy gains.
	Random bool `json:"random"`
	// Odds are the known odds with which the task was drawn; 0 when it was not.
	Odds float64 `json:"odds,omitempty"`
	// Confidence is the model's in its answer to the task, 0 to 1; nil when it abstains.
	Confidence *float64 `json:"confidence"`
	// Reason is why the task is in the queue.
	Reason Reason `json:"reason"`
}

// scoredTask is one task of the pool while it is ranked.
type scoredTask struct {
	task  event.TaskID
	score float64
	hash  uint64 // its place in the random order
	tie   uint64 // its place among tasks of the same score
	index int    // in the pool, where that is asked for
}

// randomKey gives a task its place in a random order that never changes: the same
// seed and id, the same place. Random picks therefore stay put from one ranking
// to the next and cost no writes.
func randomKey(seed uint64, t event.TaskID) uint64 {
	var b [16]byte
	binary.LittleEndian.PutUint64(b[:8], seed)
	binary.LittleEndian.PutUint64(b[8:], uint64(t))
	return xxhash.Sum64(b[:])
}

func byHash(a, b scoredTask) int {
	return cmp.Or(cmp.Compare(a.hash, b.hash), cmp.Compare(a.task, b.task))
}

func byScore(a, b scoredTask) int {
	return cmp.Or(cmp.Compare(a.score, b.score), cmp.Compare(a.tie, b.tie), byHash(a, b))
}

// randomSlot reports whether the n-th label of a project (from 0) is to be a
// random one. The slots follow the number of labels, not the place in the queue:
// people take tasks from the front, so a slot fixed further back would never be
// reached, and each slot here comes forward until it is.
func randomSlot(n int, share float64) bool {
	return math.Floor(float64(n+1)*share) > math.Floor(float64(n)*share)
}

// How far down the ranking a task may slip and still keep its place behind the
// front: some queue lengths, or a part of a large pool, whichever is more.
const (
	keepQueueLengths = 3
	keepPoolPart     = 20
)

// queueSpec holds the parameters of buildQueue.
type queueSpec struct {
	size, front int
	share       float64 // of random tasks
	labels      int     // tasks labelled so far
}

// buildQueue makes the queue of the scored tasks. It reorders all.
//
// The front is the ranking's, exactly. Behind it tasks of the queue before keep
// their order as long as they are still among the better ones: after each label
// nearly every place of a strict ranking changes, and rewriting 30 predictions a
// label would keep Label Studio busy for seconds, for places that people reach
// only after they have come to the front and been ranked again. Over the first 200
// labels of 1,000 tasks in 10 classes, 22 writes a label became 12.
func buildQueue(all []scoredTask, before []Item, q queueSpec) []Item {
	slots := randomSlots(min(q.size, len(all)), q)
	// Random tasks are drawn before the ranking gets to choose: drawn from what
	// it leaves over, they would be no fair sample.
	drawn := make(map[event.TaskID]bool, slots)
	random := topK(all, slots, byHash)
	for _, s := range random {
		drawn[s.task] = true
	}
	rest := slices.DeleteFunc(all, func(s scoredTask) bool { return drawn[s.task] })
	return fillQueue(random, topK(rest, max(keepQueueLengths*q.size, len(rest)/keepPoolPart), byScore), before, q)
}

// randomSlots returns how many of the first size places are random ones.
func randomSlots(size int, q queueSpec) (slots int) {
	for i := range size {
		if randomSlot(q.labels+i, q.share) {
			slots++
		}
	}
	return slots
}

// fillQueue makes a queue of random tasks, as many as have places in it, and of ranked ones.
func fillQueue(random, ranked []scoredTask, before []Item, q queueSpec) []Item {
	size := min(q.size, len(random)+len(ranked))
	front := 0
	for i := range min(size, q.front) {
		if !randomSlot(q.labels+i, q.share) {
			front++
		}
	}
	best := stabilizeTail(ranked, before, front, size-len(random))

	queue := make([]Item, 0, size)
	for i := range size {
		var s scoredTask
		isRandom := randomSlot(q.labels+i, q.share)
		if isRandom {
			s, random = random[0], random[1:]
		} else {
			s, best = best[0], best[1:]
		}
		queue = append(queue, Item{Task: s.task, Score: s.score, Random: isRandom})
	}
	return queue
}

// stabilizeTail picks n of the ranked tasks: the first front as they are, then those
// of the queue before in its order, then the next best.
func stabilizeTail(ranked []scoredTask, before []Item, front, n int) []scoredTask {
	out := slices.Clone(ranked[:front])
	at := make(map[event.TaskID]int, len(ranked))
	for i, s := range ranked[front:] {
		at[s.task] = front + i
	}
	for _, b := range before {
		if i, ok := at[b.Task]; ok && len(out) < n {
			out = append(out, ranked[i])
			delete(at, b.Task)
		}
	}
	for _, s := range ranked[front:] {
		if _, left := at[s.task]; left && len(out) < n {
			out = append(out, s)
		}
	}
	return out
}

// topK returns the n first of all in the order of compare, sorted, in a slice of its own.
func topK(all []scoredTask, n int, compare func(a, b scoredTask) int) []scoredTask {
	first := topTasks{most: n, compare: compare}
	for _, s := range all {
		first.add(s)
	}
	return first.sorted()
}

// topTasks keeps the first of the tasks that are added, in the order of compare, in a bounded heap:
// a pool of a million needs no list of all.
type topTasks struct {
	most    int
	compare func(a, b scoredTask) int
	heap    []scoredTask // largest at 0
}

func (f *topTasks) add(s scoredTask) {
	switch {
	case len(f.heap) < f.most:
		f.heap = append(f.heap, s)
		for i := len(f.heap) - 1; i > 0; {
			up := (i - 1) / 2
			if f.compare(f.heap[up], f.heap[i]) >= 0 {
				break
			}
			f.heap[up], f.heap[i] = f.heap[i], f.heap[up]
			i = up
		}
	case f.most > 0 && f.compare(s, f.heap[0]) < 0:
		f.heap[0] = s
		siftDown(f.heap, f.compare)
	}
}

// sorted returns them in order, and must be the last call.
func (f *topTasks) sorted() []scoredTask {
	slices.SortFunc(f.heap, f.compare)
	return f.heap
}

// siftDown restores the heap after its root has been replaced.
func siftDown(heap []scoredTask, compare func(a, b scoredTask) int) {
	for i := 0; ; {
		big := i
		for _, c := range [2]int{2*i + 1, 2*i + 2} {
			if c < len(heap) && compare(heap[c], heap[big]) > 0 {
				big = c
			}
		}
		if big == i {
			return
		}
		heap[i], heap[big] = heap[big], heap[i]
		i = big
	}
}
