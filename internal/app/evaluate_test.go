package app_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hone-ml/hone/api"
	"github.com/hone-ml/hone/internal/app/apptest"
)

// The accuracy over all tasks is estimated from the labels that were drawn at random, whoever
// asks; before the first label there is none; and it and its history outlive a restart.
func TestAccuracyOverAllTasks(t *testing.T) {
	s := apptest.NewStudio(t)
	cfg := apptest.Settings(t.TempDir(), s)
	cfg.Sampler.RandomShare = 0.5
	h := apptest.Start(t, cfg)
	p := s.NewProject(60)
	h.Register(p)
	got := h.Await(p, "settled", func(p api.Project) bool { return p.Settled && p.Pool == 60 })
	require.Len(t, got.Heads, 1)
	assert.Nil(t, got.Heads[0].PoolAccuracy)
	history, err := h.Client.Accuracy(t.Context(), p)
	require.NoError(t, err)
	assert.Empty(t, history.Points)
	const labels = 16
	for i := range labels {
		task, topic := s.Next(p)
		s.Annotate(task, topic)
		h.Await(p, "learned, and asked anew", func(p api.Project) bool { return p.Labels == i+1 && p.Settled })
	}
	estimated := func(p api.Project) bool {
		a := p.Heads[0].PoolAccuracy
		return a != nil && a.Labels == labels
	}
	a := *h.Await(p, "estimated", estimated).Heads[0].PoolAccuracy
	require.NotNil(t, a.Estimate)
	assert.GreaterOrEqual(t, a.Random, labels/2-1)
	assert.LessOrEqual(t, a.Random, labels/2+3, "the first tasks are drawn at random too: nothing is known")
	assert.True(t, *a.Low <= *a.Estimate && *a.Estimate <= *a.High)
	acquired, err := h.Store.Acquisitions(t.Context(), p)
	require.NoError(t, err)
	asked := 0
	for _, q := range acquired {
		if q.Strategy == "coverage" && q.Place > 0 && !q.Random {
			asked++
		}
	}
	assert.Positive(t, asked)
	h.Stop()

	h = apptest.Start(t, cfg)
	again := *h.Await(p, "estimated, after a restart", estimated).Heads[0].PoolAccuracy
	assert.Equal(t, a.Random, again.Random)
	history, err = h.Client.Accuracy(t.Context(), p)
	require.NoError(t, err)
	require.NotEmpty(t, history.Points)
	last := history.Points[len(history.Points)-1]
	assert.Equal(t, labels, last.Labels)
	assert.Equal(t, a.Random, last.Pool["topic"].Random)
	assert.Contains(t, last.Asked, "topic")
	assert.Less(t, history.Points[0].Labels, labels)
}
