package lstest_test

import (
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hone-ml/hone/labelstudio"
	"github.com/hone-ml/hone/labelstudio/lstest"
	"github.com/hone-ml/hone/labelstudio/lstest/admin"
)

func inMemory(t *testing.T, out http.Handler) (*lstest.Server, *labelstudio.Client) {
	t.Helper()
	s := lstest.NewInMemory("http://studio.example", lstest.Direct(out))
	t.Cleanup(s.Close)
	c, err := labelstudio.NewClient(labelstudio.Options{URL: s.URL, Token: lstest.Token, Transport: lstest.Direct(s.Handler()), Retries: -1})
	require.NoError(t, err)
	return s, c
}

// A restored database gives ids again, and tells nobody.
func TestRestore(t *testing.T) {
	s, c := inMemory(t, http.NotFoundHandler())
	p, tasks := project(t, c)
	b := s.Backup()
	lost, err := c.CreateAnnotation(t.Context(), tasks[0], labelstudio.AnnotationWrite{Result: []any{}})
	require.NoError(t, err)
	require.NoError(t, admin.DeleteTask(t.Context(), c, tasks[1]))

	s.Restore(b)
	page, err := c.TasksPage(t.Context(), p, labelstudio.TaskQuery{})
	require.NoError(t, err)
	require.Len(t, page.Tasks, 2)
	assert.Empty(t, page.Tasks[0].Annotations)
	again, err := c.CreateAnnotation(t.Context(), tasks[1], labelstudio.AnnotationWrite{Result: []any{}})
	require.NoError(t, err)
	assert.Equal(t, lost.ID, again.ID)

	s.Restore(b) // what was done since has not changed the backup
	page, err = c.TasksPage(t.Context(), p, labelstudio.TaskQuery{})
	require.NoError(t, err)
	assert.Empty(t, page.Tasks[1].Annotations)
}

func TestInMemoryOnAClockOfItsOwn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, c := inMemory(t, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }))
		p, tasks := project(t, c)
		_, err := c.CreateWebhook(t.Context(), labelstudio.Webhook{Project: p, URL: "http://hone.internal/webhook", Active: true, AllActions: true, SendPayload: true})
		require.NoError(t, err)
		began := time.Now()
		s.SetClock(time.Hour)
		a, err := c.CreateAnnotation(t.Context(), tasks[0], labelstudio.AnnotationWrite{Result: []any{}})
		require.NoError(t, err)
		assert.Equal(t, time.Second, time.Since(began), "the webhook was waited for, and given up")
		assert.WithinDuration(t, began.Add(time.Hour), a.UpdatedAt, time.Second)
		s.SetClock(0)
		page, err := c.TasksPage(t.Context(), p, labelstudio.TaskQuery{})
		require.NoError(t, err)
		assert.WithinDuration(t, time.Now(), page.ServerTime, time.Second)
		s.SetFault(func(*http.Request) lstest.Fault { return lstest.Fault{CutAfter: true} })
		_, err = c.CreateAnnotation(t.Context(), tasks[0], labelstudio.AnnotationWrite{Result: []any{}})
		require.ErrorIs(t, err, lstest.ErrCut)
	})
}
