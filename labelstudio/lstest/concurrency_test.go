package lstest_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hone-ml/hone/internal/secret"
	"github.com/hone-ml/hone/labelstudio"
	"github.com/hone-ml/hone/labelstudio/lstest/admin"
)

// Requests that read a row and requests that change it come at once, as from several
// annotators and from hone. The race detector is the judge; it found that changing a
// backend read the row while a listing wrote its state.
func TestReadersAndWritersAtOnce(t *testing.T) {
	hone := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, `{"status":"UP","model_version":"v","results":[]}`)
	}))
	defer hone.Close()
	s, c := start(t)
	p, ids := project(t, c)
	ctx := t.Context()
	b, err := c.AddBackend(ctx, labelstudio.BackendWrite{Project: p, URL: hone.URL, Title: "mine"})
	require.NoError(t, err)
	hooks, err := c.Webhooks(ctx, p)
	require.NoError(t, err)
	require.Len(t, hooks, 1)
	var all sync.WaitGroup
	for _, request := range []func() error{
		func() error { _, err := c.Backends(ctx, p); return err },
		func() error {
			_, err := c.PatchBackend(ctx, b.ID, labelstudio.BackendWrite{Project: p, URL: hone.URL, Title: "mine"})
			return err
		},
		func() error { _, err := c.Webhooks(ctx, p); return err },
		func() error {
			h := hooks[0]
			h.Headers = map[string]secret.Secret{"X": "y"}
			_, err := c.UpdateWebhook(ctx, h)
			return err
		},
		func() error { return admin.PatchTask(ctx, c, ids[0], map[string]string{"text": "c"}) },
		func() error { _, err := c.Task(ctx, ids[0]); return err },
		func() error { _, err := c.CreateAnnotation(ctx, ids[1], labelstudio.AnnotationWrite{}); return err },
		func() error {
			_, err := c.PatchProject(ctx, p, labelstudio.ProjectPatch{Title: new("other")})
			return err
		},
		func() error { s.SetWebhookTimeout(time.Minute); s.DropWebhooks(0); s.Backup(); return nil },
	} {
		for range 4 {
			all.Go(func() {
				for range 10 {
					assert.NoError(t, request())
				}
			})
		}
	}
	all.Wait()
}
