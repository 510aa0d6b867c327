package app_test

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hone-ml/hone/api"
	"github.com/hone-ml/hone/event"
	"github.com/hone-ml/hone/internal/app/apptest"
)

// With odds=on people are asked what was drawn, in its order, also after a restart, and the shares follow from it. What was
// labelled before counts as known.
func TestSharesByKnownOdds(t *testing.T) {
	s := apptest.NewStudio(t)
	cfg := apptest.Settings(t.TempDir(), s)
	h := apptest.Start(t, cfg)
	const tasks = 80
	p := s.NewProject(tasks)
	h.Register(p)
	cfg.Listen = h.Addrs()[0].String()
	h.Await(p, "settled", func(p api.Project) bool { return p.Settled && p.Pool == tasks })
	none, err := h.Client.Shares(t.Context(), p)
	require.NoError(t, err)
	assert.Equal(t, api.Shares{Tasks: tasks, Controls: []api.ControlShares{}}, none)
	topics := map[event.TaskID]string{}
	label := func() event.TaskID {
		t.Helper()
		labels := len(topics)
		task, topic := s.Next(p)
		s.Annotate(task, topic)
		topics[task] = topic
		h.Await(p, "learned, and asked anew", func(p api.Project) bool { return p.Labels == labels+1 && p.Settled })
		return task
	}
	for range 4 {
		label()
	}
	_, err = h.Client.Configure(t.Context(), p, []api.Change{{Key: "odds", Value: new("on")}})
	require.NoError(t, err)
	drawn := func() []event.TaskID {
		t.Helper()
		got := h.Await(p, "the draws are first in Label Studio", func(p api.Project) bool { return p.Settled && p.Odds != nil && p.Odds.On && p.Odds.Open == 3 })
		return got.Queue.Tasks[:3]
	}
	first := drawn()
	for i := range 12 {
		want := drawn()[0]
		require.Equal(t, want, label(), "label %d", i)
		if i == 5 {
			before := drawn()
			h.Stop()
			h = apptest.Start(t, cfg)
			assert.Equal(t, before, drawn(), "after a restart")
		}
	}
	assert.NotContains(t, drawn(), first[0])
	got, err := h.Client.Shares(t.Context(), p)
	require.NoError(t, err)
	require.Len(t, got.Controls, 1)
	c := got.Controls[0]
	assert.Equal(t, []int{tasks, 12, 0, 3}, []int{got.Tasks, c.Draws, c.Missing, c.Waiting})
	sum := 0.0
	for _, l := range c.Shares {
		assert.True(t, l.Low <= l.Estimate && l.Estimate <= l.High, "%+v", l)
		least := 0.0
		for _, topic := range topics {
			if topic == l.Label {
				least += 1. / tasks
			}
		}
		assert.GreaterOrEqual(t, l.Low, least-1e-9, "%s: that many are labelled so", l.Label)
		sum += l.Estimate
	}
	assert.InDelta(t, 1, sum, .05)
	draws, err := h.Store.Draws(t.Context(), p)
	require.NoError(t, err)
	require.Len(t, draws, 15)
	assert.Len(t, draws[0].Known, 4)
	assert.False(t, slices.ContainsFunc(draws[1:], func(d event.Draw) bool { return len(d.Known) > 0 }))
	// Off again: nothing is drawn, and what is known of the shares stays.
	_, err = h.Client.Configure(t.Context(), p, []api.Change{{Key: "odds", Value: new("off")}})
	require.NoError(t, err)
	h.Await(p, "nothing is drawn", func(p api.Project) bool { return p.Settled && p.Odds == nil })
	after, err := h.Client.Shares(t.Context(), p)
	require.NoError(t, err)
	assert.Equal(t, c, after.Controls[0])
	_, err = h.Client.Configure(t.Context(), p, []api.Change{{Key: "odds", Value: new("maybe")}})
	assert.ErrorContains(t, err, "odds")
}
