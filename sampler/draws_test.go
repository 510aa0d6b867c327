package sampler

import (
	"context"
	"maps"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/hone-ml/hone/event"
	"github.com/hone-ml/hone/sampler/strategy"
)

func drawnBy(t interface {
	Helper()
	Fatal(...any)
}, o Options, of Drawing, before Draws,
) Draws {
	t.Helper()
	r, err := NewRanker(o)
	if err != nil {
		t.Fatal(err)
	}
	d, err := r.Draw(context.Background(), project, of, before)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func drawnIDs(d Draws) (out []event.TaskID) {
	for _, x := range d.Each {
		out = append(out, x.Task)
	}
	return out
}

// Whatever the strategy, the labels and what was drawn: odds are probabilities over the tasks neither labelled nor
// drawn, nobody's is below its floor, and draws do not depend on what was computed before nor on the order of tasks.
func TestDrawsAreByKnownOdds(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		const tasks = 60
		b, g := newBrain(tasks), &groups{of: 5, lacking: map[event.TaskID]bool{}}
		b.ignorant = rapid.IntRange(0, 5).Draw(t, "ignorant") == 0
		o := covering(b, g)
		o.Strategy = rapid.SampledFrom([]string{strategy.NameCoverage, strategy.NameMargin, strategy.NameEntropy, strategy.NameRandom}).Draw(t, "strategy")
		o.RandomShare = rapid.SampledFrom([]float64{0, .1, 1}).Draw(t, "random")
		for _, id := range rapid.SliceOfDistinct(rapid.IntRange(1, tasks), rapid.ID[int]).Draw(t, "lacking") {
			g.lacking[event.TaskID(id)] = true
		}
		labelled, drawn, number := map[event.TaskID]uint64{}, map[event.TaskID]bool{}, uint64(0)
		var last Draws
		for range rapid.IntRange(1, 6).Draw(t, "steps") {
			var open []event.Task
			for _, task := range tasksOf(tasks) {
				if _, is := labelled[task.ID]; !is {
					open = append(open, task)
				}
			}
			of := Drawing{Tasks: open, Labelled: labelled, Drawn: drawn, Count: rapid.IntRange(1, 9).Draw(t, "count"), Number: number, DesignEffect: rapid.SampledFrom([]float64{1.1, 2, 5}).Draw(t, "effect")}
			last = drawnBy(t, o, of, last)
			rand.New(rand.NewPCG(1, number)).Shuffle(len(open), func(i, j int) { open[i], open[j] = open[j], open[i] })
			again := drawnBy(t, o, of, Draws{})
			left := len(open) - len(drawn)
			if !slices.Equal(drawnIDs(last), drawnIDs(again)) || len(last.Each) != min(of.Count, left) {
				t.Fatalf("%v, from nothing %v, of %d that are left", drawnIDs(last), drawnIDs(again), left)
			}
			for i, d := range last.Each {
				sum, n := 0.0, 0
				for j, p := range d.Odds {
					_, is := labelled[last.Tasks[j].ID]
					if gone := is || drawn[last.Tasks[j].ID]; gone && p != 0 || !gone && p < o.RandomShare/float64(left)-1e-12 {
						t.Fatalf("task %d has %g; labelled %v, drawn %v", last.Tasks[j].ID, p, is, drawn[last.Tasks[j].ID])
					} else if !gone {
						n++
					}
					if last.Tasks[j].ID == d.Task && p != d.Q {
						t.Fatalf("q is %g, the odds %g", d.Q, p)
					}
					sum += p
				}
				if math.Abs(sum-1) > 1e-9 || n != d.N || d.N != left || d.Q != again.Each[i].Q || d.Random != again.Each[i].Random {
					t.Fatalf("%+v: the odds sum to %g, of %d tasks", d, sum, n)
				}
				drawn[d.Task] = true
				left--
			}
			number += uint64(len(last.Each))
			// Some of what is drawn is answered, in any order.
			for id := range maps.Clone(drawn) {
				if rapid.Bool().Draw(t, "answered") {
					labelled[id] = 1
					delete(drawn, id)
				}
			}
		}
	})
}

// Draws of coverage are spread as its picks are: after one of a group the others of the group gain little.
func TestDrawnTasksCover(t *testing.T) {
	b, g := newBrain(100), &groups{of: 5}
	b.ignorant = true
	o := covering(b, g)
	d := drawnBy(t, o, Drawing{Tasks: tasksOf(100), Count: 2, DesignEffect: 2}, Draws{})
	require.Len(t, d.Each, 2)
	group := d.Each[0].Task % 5
	var near, others float64
	for i, p := range d.Each[1].Odds {
		if d.Tasks[i].ID%5 == group {
			near += p / 19
		} else {
			others += p / 80
		}
	}
	assert.Less(t, near, others/2)
	assert.Equal(t, strategy.NameCoverage, d.RankedBy)
}

func TestDrawsSayWhatStandsIn(t *testing.T) {
	b := newBrain(50)
	o := covering(b, nil)
	o.Vectors = nil
	d := drawnBy(t, o, Drawing{Tasks: tasksOf(50), Count: 3, DesignEffect: 2}, Draws{})
	assert.Equal(t, strategy.NameMargin, d.RankedBy)
	assert.False(t, d.Each[0].Random)
	b.ignorant = true
	d = drawnBy(t, o, Drawing{Tasks: tasksOf(50), Count: 3, DesignEffect: 2}, Draws{})
	assert.Equal(t, strategy.NameRandom, d.RankedBy)
	assert.True(t, d.Each[0].Random)
	assert.InDelta(t, 1.0/50, d.Each[0].Q, 1e-12)
}

// Of a large pool a sample may be drawn from, and the draws say which.
func TestDrawsOfALargePoolAreOfASample(t *testing.T) {
	b := newBrain(sampleSize + 500)
	o := covering(b, nil)
	o.Strategy, o.Vectors = strategy.NameMargin, nil
	d := drawnBy(t, o, Drawing{Tasks: tasksOf(sampleSize + 500), Count: 1, DesignEffect: 2}, Draws{})
	assert.Len(t, d.Tasks, sampleSize)
	assert.Equal(t, sampleSize, d.Each[0].N)
}

func TestAStrategyWithoutGainsCannotDraw(t *testing.T) {
	o := covering(newBrain(5), &groups{of: 2})
	o.Strategy = strategy.NameBadge
	r, err := NewRanker(o)
	require.NoError(t, err)
	_, err = r.Draw(t.Context(), project, Drawing{Tasks: tasksOf(5), Count: 1, DesignEffect: 2}, Draws{})
	require.ErrorContains(t, err, "badge does not say by how much a task gains")
}
