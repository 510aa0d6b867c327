package sampler

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/hone-ml/hone/event"
	"github.com/hone-ml/hone/sampler/strategy"
	"github.com/hone-ml/hone/settings"
)

// groupNoise is in how many dimensions the tasks of a group differ, so that they are not near-duplicates.
const groupNoise = 12

// groups gives tasks vectors in groups: task n is of group n%of, all of a group lie close.
type groups struct {
	mu      sync.Mutex
	of      int
	lacking map[event.TaskID]bool
	space   string
	same    bool // all tasks have one vector
	asked   int  // for so many vectors
}

func (g *groups) Vectors(_ context.Context, _ event.ProjectID, tasks []event.Task) ([][]float32, string, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.asked += len(tasks)
	out := make([][]float32, len(tasks))
	for i, t := range tasks {
		if g.lacking[t.ID] {
			continue
		}
		out[i] = make([]float32, g.of+groupNoise)
		if g.same {
			out[i][0] = 1
			continue
		}
		out[i][int(t.ID)%g.of] = 1
		for j := range groupNoise {
			out[i][g.of+j] = float32(randomKey(uint64(j)+uint64(len(g.space)), t.ID)%1000) / 3000
		}
	}
	return out, g.space, nil
}

func covering(b *brain, g *groups) Options {
	o := Defaults()
	o.Pool, o.Scorer, o.Vectors, o.Strategy, o.RandomShare = b, b, g, strategy.NameCoverage, 0
	return o
}

func ranked(t interface {
	Helper()
	Fatal(...any)
}, o Options, tasks []event.Task, labelled map[event.TaskID]uint64, before Queue,
) Queue {
	t.Helper()
	r, err := NewRanker(o)
	if err != nil {
		t.Fatal(err)
	}
	q, err := r.Rank(context.Background(), project, tasks, labelled, before)
	if err != nil {
		t.Fatal(err)
	}
	return q
}

func idsOf(q Queue) (out []event.TaskID) {
	for _, i := range q.Items {
		out = append(out, i.Task)
	}
	return out
}

// The first tasks asked are one of each group, at the start and where nothing is labelled.
func TestCoverageAsksWhereNothingIsLabelled(t *testing.T) {
	b, g := newBrain(200), &groups{of: 8}
	b.ignorant = true
	o := covering(b, g)
	seen := map[int]int{}
	for _, id := range idsOf(ranked(t, o, tasksOf(200), nil, Queue{}))[:8] {
		seen[int(id)%8]++
	}
	assert.Len(t, seen, 8, "one of each group")

	// All groups but the one have labels.
	b.ignorant = false
	labelled := map[event.TaskID]uint64{}
	var open []event.Task
	for _, task := range tasksOf(200) {
		if task.ID <= 24 && task.ID%8 != 3 {
			labelled[task.ID] = fingerprint(task)
		} else {
			open = append(open, task)
		}
	}
	q := ranked(t, o, open, labelled, Queue{})
	assert.EqualValues(t, 3, q.Items[0].Task%8)
	assert.Equal(t, "hone-1", q.Version)
	assert.Len(t, q.Items, o.QueueSize)
	assert.NotEmpty(t, q.Confidence)
	for _, i := range q.Items {
		assert.NotContains(t, labelled, i.Task)
		assert.False(t, i.Random)
	}
}

// together are the strategies that look at tasks together.
func together() []string { return slices.Sorted(maps.Keys(pickers)) }

// What is kept from ranking to ranking changes no queue, nor does the order of the pool. No queue
// has a labelled task, or one twice, whatever vectors there are and however many are equal.
func TestAQueueDoesNotDependOnTheOnesBefore(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		b, g := newBrain(120), &groups{of: 7, lacking: map[event.TaskID]bool{}, same: rapid.Bool().Draw(t, "same")}
		b.counts = []int{5, 2}
		b.ignorant = rapid.IntRange(0, 5).Draw(t, "ignorant") == 0
		o := covering(b, g)
		o.Strategy = rapid.SampledFrom(together()).Draw(t, "strategy")
		o.QueueSize, o.Front, o.RandomShare = 6, 6, rapid.SampledFrom([]float64{0, .1, .5}).Draw(t, "random")
		for _, id := range rapid.SliceOfDistinct(rapid.IntRange(1, 120), rapid.ID[int]).Draw(t, "lacking") {
			g.lacking[event.TaskID(id)] = true
		}
		labelled := map[event.TaskID]uint64{}
		var q Queue
		for step := range rapid.IntRange(1, 8).Draw(t, "steps") {
			switch id := event.TaskID(rapid.IntRange(1, 120).Draw(t, "task")); rapid.IntRange(0, 5).Draw(t, "what") {
			case 0:
				delete(labelled, id)
			case 1:
				maps.DeleteFunc(g.lacking, func(t event.TaskID, _ bool) bool { return t < id })
			case 2:
				g.space += "x"
			default:
				for range 5 {
					id = id%120 + 1
					labelled[id] = uint64(step)
				}
			}
			var open []event.Task
			for _, task := range tasksOf(120) {
				if _, is := labelled[task.ID]; !is {
					open = append(open, task)
				}
			}
			q = ranked(t, o, open, labelled, q)
			shuffled := slices.Clone(open)
			rand.New(rand.NewPCG(1, uint64(step))).Shuffle(len(open), func(i, j int) { shuffled[i], shuffled[j] = shuffled[j], shuffled[i] })
			fresh := ranked(t, o, shuffled, maps.Clone(labelled), Queue{Version: q.Version})
			if !slices.Equal(idsOf(q), idsOf(fresh)) || q.RankedBy != fresh.RankedBy {
				t.Fatalf("step %d: %v, from nothing %v", step, idsOf(q), idsOf(fresh))
			}
			for i, item := range q.Items {
				if _, is := labelled[item.Task]; is {
					t.Fatalf("%v has the labelled task %d", idsOf(q), item.Task)
				}
				if item.Score != fresh.Items[i].Score || item.Random != fresh.Items[i].Random || item.Reason.Kind != fresh.Items[i].Reason.Kind {
					t.Fatalf("step %d: %+v, from nothing %+v", step, item, fresh.Items[i])
				}
			}
			if distinct := slices.Compact(slices.Sorted(slices.Values(idsOf(q)))); len(distinct) != 6 {
				t.Fatalf("%v are not six tasks", idsOf(q))
			}
		}
	})
}

func TestCoverageAsksForNewVectorsOnly(t *testing.T) {
	b, g := newBrain(5000), &groups{of: 5}
	o := covering(b, g)
	tasks := tasksOf(5000)
	q := ranked(t, o, tasks, nil, Queue{})
	assert.Equal(t, sampleSize, g.asked)
	labelled := map[event.TaskID]uint64{q.Items[0].Task: 1}
	tasks = slices.DeleteFunc(tasks, func(task event.Task) bool { return task.ID == q.Items[0].Task })
	ranked(t, o, tasks, labelled, q)
	assert.Equal(t, sampleSize+2, g.asked, "the one that covers, and the one in its place")
}

// Without vectors margin stands in, and the queue says so.
func TestWithoutVectorsMarginStandsIn(t *testing.T) {
	for _, name := range together() {
		b, g := newBrain(100), &groups{of: 5, lacking: map[event.TaskID]bool{}}
		o := covering(b, g)
		o.Strategy = strategy.NameMargin
		margin := ranked(t, o, tasksOf(100), nil, Queue{})
		assert.Equal(t, strategy.NameMargin, margin.RankedBy)
		o.Strategy = name
		assert.Equal(t, pickers[name].vectors, ranked(t, o, tasksOf(100), nil, Queue{}).RankedBy == name, name)
		for id := range event.TaskID(60) {
			g.lacking[id] = true
		}
		few := ranked(t, o, tasksOf(100), nil, Queue{})
		o.Vectors = nil
		none := ranked(t, o, tasksOf(100), nil, Queue{})
		for _, q := range []Queue{few, none} {
			assert.Equal(t, idsOf(margin), idsOf(q), name)
			assert.Equal(t, strategy.NameMargin, q.RankedBy, name)
		}
		b.ignorant = true
		assert.Equal(t, strategy.NameRandom, ranked(t, o, tasksOf(100), nil, Queue{}).RankedBy, "nothing is known, so the order is random")
		b.ignorant = false
		if !pickers[name].vectors {
			b.counts = []int{3, 4}
			assert.Equal(t, name, ranked(t, o, tasksOf(100), nil, Queue{}).RankedBy)
			continue
		}
		// Once half of them have some, what has none comes last.
		o.Vectors = g
		for id := range event.TaskID(50) {
			g.lacking[id] = false
		}
		o.QueueSize = 100
		q := ranked(t, o, tasksOf(100), nil, Queue{})
		assert.Equal(t, name, q.RankedBy)
		all := idsOf(q)
		require.Len(t, all, 100)
		for _, id := range all[90:] {
			assert.True(t, g.lacking[id], "task %d has a vector", id)
		}
	}
}

// While vectors come in, those that are there are asked for once.
func TestVectorsThatAreThereAreAskedForOnce(t *testing.T) {
	g := &groups{of: 5, lacking: map[event.TaskID]bool{}}
	for id := range event.TaskID(60) {
		g.lacking[id+1] = true
	}
	o := covering(newBrain(100), g)
	q := ranked(t, o, tasksOf(100), nil, Queue{})
	require.Equal(t, strategy.NameMargin, q.RankedBy)
	require.Equal(t, 100, g.asked)
	for range 3 {
		q = ranked(t, o, tasksOf(100), nil, q)
	}
	assert.Equal(t, 100+3*60, g.asked, "only those that lack are asked for again")
}

type rankingOf settings.Ranking

func (r rankingOf) Ranking(event.ProjectID) settings.Ranking { return settings.Ranking(r) }

// Each label is asked where there was none.
func TestAProjectIsRankedByCoverage(t *testing.T) {
	g := &groups{of: 6}
	run(t, 300, func(o *Options, _ *bench) {
		o.Vectors, o.RandomShare = g, 0
		o.Settings = rankingOf{Strategy: strategy.NameCoverage, Queue: 12}
	}, func(b *bench) {
		b.s.Refresh(project)
		b.after(time.Minute)
		b.inStep()
		st, _ := b.s.Status(project)
		assert.Equal(t, strategy.NameCoverage, st.Strategy)
		assert.Equal(t, strategy.NameCoverage, st.RankedBy)
		seen := map[event.TaskID]bool{}
		for range 12 {
			first := b.next()[0]
			seen[first%6] = true
			b.label(first)
			b.after(30 * time.Second)
			b.inStep()
		}
		assert.Len(t, seen, 6, "of each group a task")
	})
}

// BenchmarkRankTogether is BenchmarkRank for strategies that look at tasks together, with vectors of
// 384 numbers: a task is labelled and the rest ranked.
func BenchmarkRankTogether(b *testing.B) {
	for _, name := range together() {
		for _, n := range []int{10_000, 100_000} {
			b.Run(fmt.Sprintf("%s/pool=%d", name, n), func(b *testing.B) {
				brain, g := newBrain(n), &groups{of: 380}
				o := covering(brain, g)
				ready := readyMade{brain: brain, estimates: make([][]event.Estimate, 3*sampleSize)}
				for i := range ready.estimates {
					p := .4 + .5*float64(i%100)/100
					ready.estimates[i] = []event.Estimate{estimate(true, p, 1-p)}
					ready.estimates[i][0].Classes.Labelled = []int{20, 10}
				}
				o.Scorer, o.Strategy = ready, name
				tasks, labelled := tasksOf(n), map[event.TaskID]uint64{}
				for _, t := range tasks[:typicalStart] {
					labelled[t.ID] = 1
				}
				tasks = tasks[typicalStart:]
				q := ranked(b, o, tasks, labelled, Queue{})
				b.ReportAllocs()
				for b.Loop() {
					first := q.Items[0].Task
					labelled[first] = 1
					i := slices.IndexFunc(tasks, func(t event.Task) bool { return t.ID == first })
					tasks = slices.Delete(tasks, i, i+1)
					q = ranked(b, o, tasks, labelled, q)
				}
			})
		}
	}
}
