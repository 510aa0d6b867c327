package app_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hone-ml/hone/api"
	"github.com/hone-ml/hone/internal/app/apptest"
	"github.com/hone-ml/hone/labelstudio/lstest/admin"
)

// Label Studio forgets the prediction that an annotation was made from when it is deleted.
// hone does not, and learns nothing from itself, whatever it compares.
func TestNothingIsLearnedFromPredictionsThatAreGone(t *testing.T) {
	const tasks, labels = 40, 12
	s := apptest.NewStudio(t)
	h := apptest.Start(t, apptest.Settings(t.TempDir(), s))
	p := s.NewProject(tasks)
	h.Register(p)
	for range labels {
		task, topic := s.Next(p)
		s.Annotate(task, topic)
	}
	h.Await(p, "the labels are learned and the queue stands", func(p api.Project) bool {
		return p.Labels == labels && p.Settled && p.Queue.Labels == labels && p.Queue.Pushed >= 5
	})
	bulk := h.Status(p).Queue.Tasks[:5]
	require.NoError(t, admin.AnnotateFromPredictions(t.Context(), s.Client, p, bulk...))
	h.Await(p, "they left the pool and the queue", func(p api.Project) bool {
		return p.Pool == tasks-labels-len(bulk) && p.Queue.Pushed == len(p.Queue.Tasks)
	})
	for row, err := range s.Predictions(t.Context(), p) { // as with those of a replaced version
		require.NoError(t, err)
		require.NoError(t, s.DeletePrediction(t.Context(), row.ID))
	}
	before := h.Status(p).Reconcile
	_, err := h.Reconcile(t.Context(), p)
	require.NoError(t, err)
	got := h.Await(p, "everything is compared", func(p api.Project) bool {
		return p.Reconcile.LastContents != nil && (before.LastContents == nil || p.Reconcile.LastContents.After(*before.LastContents)) && !p.Reconcile.Running && p.Backlog == 0
	})
	assert.Equal(t, labels, got.Labels, "made by hone, not by people")
	assert.Zero(t, got.MissedFound, "what Label Studio forgot is no change")
}
