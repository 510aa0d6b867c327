package sampler

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hone-ml/hone/event"
	"github.com/hone-ml/hone/sampler/strategy"
)

func explained(t *testing.T, o Options, tasks []event.Task, labelled map[event.TaskID]uint64) []Item {
	t.Helper()
	r, err := NewRanker(o)
	require.NoError(t, err)
	q := ranked(t, o, tasks, labelled, Queue{})
	of := make([]event.Task, len(q.Items))
	for i, item := range q.Items {
		of[i].ID = item.Task
	}
	require.NoError(t, r.explain(t.Context(), project, of, q.Items))
	return q.Items
}

func TestReasonOfAnUncertainTask(t *testing.T) {
	dist := func(d event.Distribution) event.Estimate { return event.Estimate{Control: "topic", Classes: &d} }
	abc := []string{"a", "b", "c"}
	for _, c := range []struct {
		of   []event.Estimate
		want Reason
	}{
		{
			[]event.Estimate{dist(event.Distribution{Labels: abc, P: []float64{.1, .41234, .48766}, Exclusive: true})},
			Reason{Kind: ReasonUncertain, Control: "topic", Between: []LabelProbability{{"c", .488}, {"b", .412}}, Text: "unsure between c (0.49) and b (0.41)"},
		},
		{
			[]event.Estimate{dist(event.Distribution{Labels: abc, P: []float64{.1, .45, .9}})},
			Reason{Kind: ReasonUncertain, Control: "topic", Between: []LabelProbability{{"b", .45}}, Text: "unsure whether b (0.45)"},
		},
		{
			[]event.Estimate{dist(event.Distribution{Labels: []string{"1", "2", "3"}, P: []float64{.5, .1, .4}, Exclusive: true, Ordered: true})},
			Reason{
				Kind: ReasonUncertain, Control: "topic", Between: []LabelProbability{{"1", .5}, {"2", .5}}, Levels: true,
				Text: "unsure between up to 1 (0.50) and from 2 (0.50)",
			},
		},
		{
			[]event.Estimate{dist(event.Distribution{Labels: abc, P: []float64{.9, .1, 0}, Exclusive: true}), {Control: "price", Certainty: .31}},
			Reason{Kind: ReasonUncertain, Control: "price", Certainty: new(.31), Text: "unsure of its answer, certainty 0.31 (price)"},
		},
		{nil, Reason{Kind: ReasonUnknown, Text: "nothing is known of it"}},
	} {
		o := by(strategy.NameMargin, saying(func(id event.TaskID) []event.Estimate {
			if id == 5 {
				return c.of
			}
			return yesNo(1) // so that something is known
		}))
		o.QueueSize = 200
		for _, item := range explained(t, o, tasksOf(200), nil) {
			if item.Task == 5 {
				assert.Equal(t, c.want, item.Reason)
			}
		}
	}
}

func TestReasonsOfRandomTasks(t *testing.T) {
	o := by(strategy.NameMargin, saying(func(event.TaskID) []event.Estimate { return yesNo(.6) }))
	o.RandomShare = .5
	for _, item := range explained(t, o, tasksOf(200), nil) {
		assert.Equal(t, item.Random, item.Reason.Kind == ReasonRandom && item.Reason.Text == "random control", "%+v", item)
	}
	o.Strategy = strategy.NameRandom
	for _, item := range explained(t, o, tasksOf(200), nil) {
		assert.Equal(t, ReasonRandom, item.Reason.Kind)
	}
}

// The first tasks of coverage are typical ones; then one that is far from what is labelled is
// novel unless it was taken for its uncertainty, and one that is near covers others.
func TestReasonsOfCoverage(t *testing.T) {
	o := by(strategy.NameCoverage, saying(func(event.TaskID) []event.Estimate { return nil }))
	for _, item := range explained(t, o, tasksOf(200), nil)[:8] {
		assert.Equal(t, Reason{Kind: ReasonTypical, Text: "typical of a group without labels"}, item.Reason)
	}
	labelled := map[event.TaskID]uint64{}
	var open []event.Task
	for _, task := range tasksOf(200) {
		if task.ID%8 != 3 && task.ID%8 != 5 && task.ID <= 40 {
			labelled[task.ID] = 1
		} else {
			open = append(open, task)
		}
	}
	require.Greater(t, len(labelled), typicalStart)
	o.Scorer = saying(func(id event.TaskID) []event.Estimate {
		switch id % 8 {
		case 3: // unlike anything labelled, and surer than of most
			return yesNo(.9)
		case 5:
			return yesNo(.5)
		}
		return yesNo(.7)
	})
	kinds := map[event.TaskID]ReasonKind{}
	for _, item := range explained(t, o, open, labelled)[:4] {
		kinds[item.Task%8] = item.Reason.Kind
	}
	assert.Equal(t, ReasonUncertain, kinds[5], "%v", kinds)
	assert.Equal(t, ReasonNovel, kinds[3], "%v", kinds)
	// Of a pool with one group, which has labels, none is novel.
	near := tasksOf(200)[:0]
	for _, task := range open {
		if task.ID%8 == 1 {
			near = append(near, task)
		}
	}
	for _, item := range explained(t, o, near, labelled) {
		assert.NotEqual(t, ReasonNovel, item.Reason.Kind)
	}
}

func TestReasonsSayHowManyLabelsAGroupHas(t *testing.T) {
	o := by(strategy.NameTypiclust, saying(func(event.TaskID) []event.Estimate { return nil }))
	o.QueueSize = 30
	texts := map[string]bool{}
	for _, item := range explained(t, o, tasksOf(200), nil) {
		texts[item.Reason.Text] = true
	}
	assert.Contains(t, texts, "typical of a group without labels")
	assert.Contains(t, texts, "typical of a group with 1 label")
}

// What strangers name is short in a reason.
func TestReasonsAreShort(t *testing.T) {
	long := strings.Repeat("é", 10_000)
	for _, d := range []event.Distribution{
		{Labels: []string{long, long}, P: []float64{.5, .5}, Exclusive: true},
		{Labels: []string{long, long}, P: []float64{.5, .5}},
		{Labels: []string{long, long}, P: []float64{.5, .5}, Exclusive: true, Ordered: true},
		{Labels: []string{long, long}, P: []float64{.5, .5}, Exclusive: true, Labelled: []int{1, 9}},
	} {
		for _, name := range []string{strategy.NameMargin, strategy.NameClassBalanced} {
			o := by(name, saying(func(event.TaskID) []event.Estimate {
				return []event.Estimate{{Control: long, Classes: &d}, {Control: "other", Certainty: 1}}
			}))
			reason := explained(t, o, tasksOf(200), nil)[0].Reason
			assert.Less(t, len([]rune(reason.Text)), 200)
			assert.Less(t, len([]rune(reason.Control)), 50)
			for _, b := range reason.Between {
				assert.Less(t, len([]rune(b.Label)), 50)
			}
		}
	}
}

func TestStatusHasReasons(t *testing.T) {
	run(t, 100, nil, func(b *bench) {
		b.s.Refresh(project)
		b.after(time.Minute)
		st, _ := b.s.Status(project)
		require.NotEmpty(t, st.Queue)
		for _, item := range st.Queue {
			assert.NotEmpty(t, item.Reason.Text)
			assert.Equal(t, item.Random, item.Reason.Kind == ReasonRandom)
		}
	})
}
