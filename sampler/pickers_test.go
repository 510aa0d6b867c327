package sampler

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hone-ml/hone/event"
	"github.com/hone-ml/hone/sampler/coverage"
	"github.com/hone-ml/hone/sampler/strategy"
)

// saying is a scorer of which a test says every estimate.
type saying func(t event.TaskID) []event.Estimate

func (f saying) Estimates(_ context.Context, _ event.ProjectID, tasks []event.Task) ([][]event.Estimate, string, error) {
	out := make([][]event.Estimate, len(tasks))
	for i, t := range tasks {
		out[i] = f(t.ID)
	}
	return out, "hone-1", nil
}

// yesNo is an estimate of two labels.
func yesNo(p float64, counts ...int) []event.Estimate {
	return []event.Estimate{{Control: "c", Classes: &event.Distribution{Labels: []string{"yes", "no"}, P: []float64{p, 1 - p}, Exclusive: true, Labelled: counts}}}
}

// by are options of a strategy over eight groups of 25 tasks.
func by(name string, scorer Scorer) Options {
	o := covering(newBrain(200), &groups{of: 8})
	o.Strategy, o.Scorer = name, scorer
	return o
}

// groupsOf are the groups of the first n tasks of a queue, with how many of each.
func groupsOf(q Queue, n int) map[int]int {
	out := map[int]int{}
	for _, id := range idsOf(q)[:n] {
		out[int(id)%8]++
	}
	return out
}

// margin asks for near-copies of what it is least sure of; the strategies that look at tasks
// together do not.
func TestStrategiesThatLookAtTasksTogetherAreDiverse(t *testing.T) {
	unsure := saying(func(id event.TaskID) []event.Estimate {
		if id%8 == 3 {
			return yesNo(.501 + float64(id)/1e5)
		}
		return yesNo(.6 + float64(id)/1e4)
	})
	assert.Len(t, groupsOf(ranked(t, by(strategy.NameMargin, unsure), tasksOf(200), nil, Queue{}), 8), 1)
	for _, name := range []string{strategy.NameMarginKMeans, strategy.NameBadge, strategy.NameTypiclust} {
		o := by(name, unsure)
		o.QueueSize = 8
		assert.GreaterOrEqual(t, len(groupsOf(ranked(t, o, tasksOf(200), nil, Queue{}), 8)), 6, name)
	}
}

// Tasks of which the model is sure are not asked while it is unsure of others, but for typiclust,
// which does not look.
func TestDiverseStrategiesLookAtUncertainty(t *testing.T) {
	sure := func(id event.TaskID) bool { return id%8 != 3 && id%8 != 5 }
	scorer := saying(func(id event.TaskID) []event.Estimate {
		if sure(id) {
			return yesNo(1)
		}
		return yesNo(.55)
	})
	for _, name := range []string{strategy.NameMarginKMeans, strategy.NameBadge, strategy.NameCoverage} {
		o := by(name, scorer)
		o.QueueSize = 4
		labelled := map[event.TaskID]uint64{}
		for id := range event.TaskID(typicalStart) {
			labelled[id+1] = 1
		}
		for _, id := range idsOf(ranked(t, o, tasksOf(200)[typicalStart:], labelled, Queue{}))[:2] {
			assert.False(t, sure(id), "%s asks task %d", name, id)
		}
	}
	o := by(strategy.NameTypiclust, scorer)
	before := idsOf(ranked(t, o, tasksOf(200), nil, Queue{}))
	o.Scorer = saying(func(id event.TaskID) []event.Estimate { return yesNo(.5 + float64(id%9)/20) })
	assert.Equal(t, before, idsOf(ranked(t, o, tasksOf(200), nil, Queue{})))
}

// As labels come, typiclust goes on where there are the fewest.
func TestTypiclustFollowsTheLabels(t *testing.T) {
	o := by(strategy.NameTypiclust, saying(func(event.TaskID) []event.Estimate { return nil }))
	o.QueueSize = 1
	labelled, seen := map[event.TaskID]uint64{}, map[int]int{}
	open := tasksOf(200)
	var q Queue
	for range 16 {
		q = ranked(t, o, open, labelled, q)
		first := q.Items[0].Task
		labelled[first] = 1
		seen[int(first)%8]++
		for i := range open {
			if open[i].ID == first {
				open = append(open[:i:i], open[i+1:]...)
				break
			}
		}
	}
	assert.Len(t, seen, 8)
}

func TestClassBalancedAsksForWhatIsLacking(t *testing.T) {
	scorer := func(counts ...int) saying {
		return func(id event.TaskID) []event.Estimate {
			if id%8 == 3 {
				return yesNo(.8, counts...) // likely yes
			}
			return yesNo(.2, counts...)
		}
	}
	o := by(strategy.NameClassBalanced, scorer(2, 40))
	o.Vectors = nil // it needs none
	q := ranked(t, o, tasksOf(200), nil, Queue{})
	assert.Equal(t, map[int]int{3: 20}, groupsOf(q, 20), "yes is lacking")
	assert.Equal(t, ReasonBalance, q.Items[0].Reason.Kind)
	assert.Equal(t, []LabelProbability{{"yes", .8}}, q.Items[0].Reason.Between)
	assert.Equal(t, 2, q.Items[0].Reason.Labelled)
	o.Scorer = scorer(40, 2)
	assert.NotContains(t, groupsOf(ranked(t, o, tasksOf(200), nil, Queue{}), 20), 3, "no is lacking")
	// What is asked counts before it is labelled: the picks are balanced themselves.
	o.Scorer = scorer(10, 10)
	got := groupsOf(ranked(t, o, tasksOf(200), nil, Queue{}), 20)
	assert.InDelta(t, 10, got[3], 2, "%v", got)
	assert.NotEqual(t, ReasonBalance, ranked(t, o, tasksOf(200), nil, Queue{}).Items[0].Reason.Kind, "nothing is lacking")
	// Of equal predictions the less sure one is asked.
	o.Scorer = saying(func(id event.TaskID) []event.Estimate {
		labels := []string{"a", "b", "c"}
		p := []float64{.6, .4, 0}
		if id == 77 {
			p = []float64{.5, .5, 0}
		}
		return []event.Estimate{{Control: "c", Classes: &event.Distribution{Labels: labels, P: p, Exclusive: true, Labelled: []int{1, 1, 1}}}}
	})
	assert.EqualValues(t, 77, ranked(t, o, tasksOf(200), nil, Queue{}).Items[0].Task)
	// With fewer labelled tasks than labels one that nobody has given is worth finding.
	o.Scorer = saying(func(id event.TaskID) []event.Estimate {
		p, counts, labels := make([]float64, 30), make([]int, 30), make([]string, 30)
		counts[0], counts[1] = 4, 4
		p[0], p[1] = .55, .45
		if id == 50 {
			p[0], p[1], p[7] = .2, .1, .7
		}
		return []event.Estimate{{Control: "c", Classes: &event.Distribution{Labels: labels, P: p, Exclusive: true, Labelled: counts}}}
	})
	assert.EqualValues(t, 50, ranked(t, o, tasksOf(200), nil, Queue{}).Items[0].Task)
}

func TestGradientOfEstimates(t *testing.T) {
	values := func(e ...event.Estimate) (out []int32) {
		for _, c := range gradient(e) {
			out = append(out, c.Value)
		}
		return out
	}
	const one = coverage.GradientStep
	assert.ElementsMatch(t, []int32{-one / 2, one / 4, one / 4}, values(estimate(true, .5, .25, .25)))
	assert.ElementsMatch(t, []int32{-one / 2, one / 4, one / 4}, values(estimate(true, 2, 1, 1)), "scaled to sum to 1")
	assert.ElementsMatch(t, []int32{-one / 4, one / 4}, values(estimate(false, .75, .25)))
	assert.ElementsMatch(t, []int32{-one / 4, one / 4}, values(event.Estimate{Control: "n", Certainty: .5}))
	rated := estimate(true, .25, .5, .25)
	rated.Classes.Ordered = true
	assert.ElementsMatch(t, []int32{-one / 4, one / 4}, values(rated), "a question a step, of two")
	assert.Empty(t, values(estimate(true, 1, 0)), "it is certain")
	assert.Empty(t, values(event.Estimate{Control: "n", Certainty: -1}), "it says nothing")
	// Heads do not share classes, and classes are in order.
	a, b := estimate(true, .5, .5), estimate(true, .5, .5)
	b.Control = "d"
	all := gradient([]event.Estimate{a, b})
	require.Len(t, all, 4)
	for i := range all[1:] {
		assert.Less(t, all[i].Class, all[i+1].Class)
	}
	// Of many labels the largest are kept, and lose little.
	p := make([]float64, 100)
	for i := range p {
		p[i] = .4 / 100
	}
	p[41] += .6
	many := gradient([]event.Estimate{estimate(true, p...)})
	require.Len(t, many, gradientClasses)
	kept, whole := 0.0, .396*.396+99*.004*.004
	for _, c := range many {
		kept += float64(c.Value) * float64(c.Value) / one / one
	}
	assert.InDelta(t, whole, kept, .01)
}

// As long as no task has a vector, a project says that margin ranks it.
func TestStatusSaysWhichStrategyRanked(t *testing.T) {
	g := &groups{of: 6, lacking: map[event.TaskID]bool{}}
	for id := range event.TaskID(101) {
		g.lacking[id] = true
	}
	run(t, 100, func(o *Options, _ *bench) { o.Vectors, o.Strategy = g, strategy.NameBadge }, func(b *bench) {
		b.s.Refresh(project)
		b.after(time.Minute)
		st, _ := b.s.Status(project)
		assert.Equal(t, strategy.NameBadge, st.Strategy)
		assert.Equal(t, strategy.NameMargin, st.RankedBy)
		g.mu.Lock()
		clear(g.lacking)
		g.mu.Unlock()
		b.s.Refresh(project)
		b.after(time.Minute)
		st, _ = b.s.Status(project)
		assert.Equal(t, strategy.NameBadge, st.RankedBy)
	})
}
