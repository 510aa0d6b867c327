package sampler

import (
	"context"
	"math"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/hone-ml/hone/event"
	"github.com/hone-ml/hone/sampler/strategy"
)

func scores(seed uint64, s ...float64) []scoredTask {
	var all []scoredTask
	for i, x := range s {
		id := event.TaskID(i + 1)
		all = append(all, scoredTask{task: id, score: x, hash: randomKey(seed, id)})
	}
	return all
}

func TestQueueIsTheLowestScoresWithoutRandomTasks(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		all := scores(1, rapid.SliceOf(rapid.Float64Range(0, 1)).Draw(t, "scores")...)
		size := rapid.IntRange(1, 12).Draw(t, "size")
		sorted := slices.SortedFunc(slices.Values(all), byScore)
		queue := buildQueue(slices.Clone(all), nil, queueSpec{size: size, front: 5, labels: 3})
		if len(queue) != min(size, len(all)) {
			t.Fatalf("%d of %d", len(queue), len(all))
		}
		for i, q := range queue {
			if q.Task != sorted[i].task || q.Score != sorted[i].score || q.Random {
				t.Fatalf("place %d is %+v, want %+v", i, q, sorted[i])
			}
		}
	})
}

// Whoever always takes the first task gets exactly the stated share of random
// ones, whatever the ranking does.
func TestRandomShareOfWhatIsAskedIsExact(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		share := rapid.SampledFrom([]float64{0, .05, .1, .25, 1. / 3, .5, 1}).Draw(t, "share")
		pool := map[event.TaskID]bool{}
		for id := event.TaskID(1); id <= 300; id++ {
			pool[id] = true
		}
		asked := 0
		var before []Item
		for label := range 200 {
			var all []scoredTask
			for id := range pool {
				// Every round another ranking.
				all = append(all, scoredTask{task: id, score: float64(randomKey(uint64(label), id)) / math.MaxUint64, hash: randomKey(9, id)})
			}
			queue := buildQueue(all, before, queueSpec{size: 10, front: 5, share: share, labels: label})
			if queue[0].Random {
				asked++
			}
			before = queue
			delete(pool, queue[0].Task)
		}
		if want := share * 200; math.Abs(float64(asked)-want) > 1 {
			t.Fatalf("%d random of 200, want %v", asked, want)
		}
	})
}

// A new ranking must leave the random picks alone: they would cost writes.
func TestRandomPicksDoNotDependOnTheScores(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 60).Draw(t, "n")
		labels := rapid.IntRange(0, 30).Draw(t, "labels")
		draw := func(name string) []Item {
			s := rapid.SliceOfN(rapid.Float64Range(0, 1), n, n).Draw(t, name)
			return buildQueue(scores(5, s...), nil, queueSpec{size: 30, front: 5, share: .1, labels: labels})
		}
		a, b := draw("a"), draw("b")
		seen := map[event.TaskID]bool{}
		for i := range a {
			if a[i].Random != b[i].Random || a[i].Random && a[i].Task != b[i].Task {
				t.Fatalf("place %d: %+v and %+v", i, a[i], b[i])
			}
			if seen[a[i].Task] {
				t.Fatalf("task %d is queued twice", a[i].Task)
			}
			seen[a[i].Task] = true
		}
	})
}

// The head is always the ranking's; behind it tasks stay while they rank well.
func TestTheTailOfTheQueueStaysPutWhereItCan(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(0, 80).Draw(t, "n")
		draw := func(name string, before []Item) ([]Item, []scoredTask) {
			all := scores(5, rapid.SliceOfN(rapid.Float64Range(0, 1), n, n).Draw(t, name)...)
			ranked := slices.SortedFunc(slices.Values(all), byScore)
			return buildQueue(all, before, queueSpec{size: 10, front: 3}), ranked
		}
		before, _ := draw("before", nil)
		after, ranked := draw("after", before)
		place := map[event.TaskID]int{}
		for i, s := range ranked {
			place[s.task] = i
		}
		seen := map[event.TaskID]bool{}
		for i, q := range after {
			if i < 3 && q.Task != ranked[i].task {
				t.Fatalf("place %d is %d, the ranking has %d", i, q.Task, ranked[i].task)
			}
			if place[q.Task] >= 30 {
				t.Fatalf("place %d has the %dth of the ranking", i, place[q.Task])
			}
			if seen[q.Task] {
				t.Fatalf("task %d is queued twice", q.Task)
			}
			seen[q.Task] = true
		}
		if len(after) != min(10, n) {
			t.Fatalf("%d of %d", len(after), n)
		}
		// Nothing that still ranks well loses its place to a newcomer, and the order
		// of those that stay is the old one.
		last, newcomer := -1, false
		for _, q := range after[min(3, len(after)):] {
			i := slices.IndexFunc(before, func(b Item) bool { return b.Task == q.Task })
			newcomer = newcomer || i < 0
			if i >= 0 && (newcomer || i < last) {
				t.Fatalf("before %v, after %v", before, after)
			}
			last = max(last, i)
		}
		for _, b := range before {
			if place[b.Task] < 30 && !seen[b.Task] && newcomer {
				t.Fatalf("task %d lost its place to a newcomer: before %v, after %v", b.Task, before, after)
			}
		}
	})
}

func TestOrderChangesWithTheSeedOnly(t *testing.T) {
	assert.Equal(t, randomKey(1, 7), randomKey(1, 7))
	assert.NotEqual(t, randomKey(1, 7), randomKey(2, 7))
	assert.NotEqual(t, randomKey(1, 7), randomKey(1, 8))
}

func TestPoolHoldsWhatIsUnlabelled(t *testing.T) {
	type kind string
	state := func(id event.TaskID, k kind) event.TaskState {
		s := event.TaskState{Task: event.Task{ID: id, Data: []byte(`{"text":"` + k + `"}`)}}
		switch k {
		case "deleted":
			s = event.TaskState{Task: event.Task{ID: id}, Deleted: true}
		case "labelled":
			s.Annotations = []event.Annotation{{ID: 1, Task: id, Cancelled: true}, {ID: 2, Task: id}}
		case "skipped":
			s.Annotations = []event.Annotation{{ID: 1, Task: id, Cancelled: true}}
		}
		return s
	}
	rapid.Check(t, func(t *rapid.T) {
		lackOf := func(t event.Task) event.Lack {
			return []event.Lack{"", event.LackText, event.LackDifference}[t.ID%3]
		}
		p, model := newPool(1000, lackOf), map[event.TaskID]kind{}
		for range rapid.IntRange(0, 60).Draw(t, "steps") {
			id := event.TaskID(rapid.IntRange(1, 8).Draw(t, "id"))
			k := kind(rapid.SampledFrom([]string{"open", "skipped", "labelled", "deleted"}).Draw(t, "kind"))
			news := p.update(state(id, k))
			if want := k == "labelled" && model[id] != "labelled"; news != want {
				t.Fatalf("task %d from %s to %s: news %v", id, model[id], k, news)
			}
			model[id] = k
		}
		open, skipped := map[event.TaskID]bool{}, map[event.TaskID]bool{}
		lacks := map[event.Lack]int{}
		for id, k := range model {
			if k == "open" {
				lacks[lackOf(event.Task{ID: id})]++
			}
		}
		for _, lack := range []event.Lack{event.LackText, event.LackDifference} {
			if p.lacks[lack] != lacks[lack] {
				t.Fatalf("%d open tasks lack %s, want %d", p.lacks[lack], lack, lacks[lack])
			}
		}
		for id, k := range model {
			if p.IsLabelled(id) != (k == "labelled") {
				t.Fatalf("task %d is %s", id, k)
			}
			if k == "open" {
				open[id] = true
			} else if k == "skipped" {
				skipped[id] = true
			}
			if _, ok := p.Task(id); ok != (k == "open" || k == "skipped") {
				t.Fatalf("task %d is %s, found: %v", id, k, ok)
			}
		}
		want := open
		if len(open) == 0 {
			want = skipped
		}
		got := p.candidates()
		if len(got) != len(want) {
			t.Fatalf("candidates %v, want %v", got, want)
		}
		for _, c := range got {
			if !want[c.ID] {
				t.Fatalf("candidate %d, want %v", c.ID, want)
			}
		}
	})
}

// oneVersion is a scorer that is less sure of a task the higher its id.
type oneVersion struct{ asked int }

func (o *oneVersion) Estimates(_ context.Context, _ event.ProjectID, tasks []event.Task) ([][]event.Estimate, string, error) {
	o.asked += len(tasks)
	out := make([][]event.Estimate, len(tasks))
	for i, t := range tasks {
		p := 0.5 + 0.4/float64(t.ID)
		out[i] = []event.Estimate{estimate(true, p, 1-p)}
	}
	return out, "v1", nil
}

func TestRankerRanksWithoutASampler(t *testing.T) {
	tasks := make([]event.Task, 3*rankChunk)
	for i := range tasks {
		tasks[i].ID = event.TaskID(i + 1)
	}
	s := new(oneVersion)
	o := Defaults()
	o.Scorer, o.RandomShare = s, 0
	rank := func() Queue {
		r, err := NewRanker(o)
		require.NoError(t, err)
		q, err := r.Rank(t.Context(), 1, tasks, nil, Queue{})
		require.NoError(t, err)
		require.Equal(t, "v1", q.Version)
		require.Len(t, q.Items, o.QueueSize)
		return q
	}
	q := rank()
	for i, it := range q.Items {
		assert.Equal(t, event.TaskID(len(tasks)-i), it.Task)
		assert.False(t, it.Random)
	}
	s.asked, o.Strategy, o.Seed = 0, strategy.NameRandom, 1
	q = rank()
	assert.Zero(t, s.asked, "random order needs no scores")
	assert.True(t, q.Items[0].Random)
	assert.Equal(t, q, rank(), "the same seed, the same order")
	o.Seed = 2
	assert.NotEqual(t, q.Items[0].Task, rank().Items[0].Task)
	_, err := NewRanker(Options{Strategy: "best"})
	assert.ErrorContains(t, err, "Scorer is missing")
	assert.ErrorContains(t, err, "unknown sampling strategy")
}

// However many tasks a strategy cannot tell apart, the random ones are a fair sample of the pool: ties go by
// another order than draws.
func TestTiesDoNotBiasRandomDraws(t *testing.T) {
	const n, labels = 2000, 600
	o := Defaults()
	o.Scorer = twoScores{}
	o.Strategy, o.RandomShare = strategy.NameMargin, 0.2
	var tasks []event.Task
	for i := range n {
		tasks = append(tasks, event.Task{ID: event.TaskID(i + 1)})
	}
	labelled := map[event.TaskID]uint64{}
	var before Queue
	random, odd := 0, 0
	for len(labelled) < labels {
		before = ranked(t, o, tasks, labelled, before)
		for _, item := range before.Items[:10] {
			labelled[item.Task] = 0
			if item.Random {
				random++
				odd += int(item.Task % 2)
			} else {
				assert.Zero(t, item.Task%2, "those come first")
			}
		}
		tasks = slices.DeleteFunc(tasks, func(t event.Task) bool { _, is := labelled[t.ID]; return is })
	}
	// A half of the pool is odd at first, and two thirds in the end.
	assert.Equal(t, labels/5, random)
	assert.InDelta(t, 0.57, float64(odd)/float64(random), 0.12)
}

// twoScores is sure of odd tasks, and equally unsure of all even ones.
type twoScores struct{}

func (twoScores) Estimates(_ context.Context, _ event.ProjectID, tasks []event.Task) ([][]event.Estimate, string, error) {
	out := make([][]event.Estimate, len(tasks))
	for i, t := range tasks {
		p := 0.5 + 0.4*float64(t.ID%2)
		out[i] = []event.Estimate{{Classes: &event.Distribution{Labels: []string{"a", "b"}, P: []float64{p, 1 - p}, Exclusive: true}}}
	}
	return out, "hone-1", nil
}
