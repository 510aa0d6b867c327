package labelstudio_test

import (
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/hone-ml/hone/event"
	"github.com/hone-ml/hone/labelstudio"
	"github.com/hone-ml/hone/labelstudio/lstest"
	"github.com/hone-ml/hone/labelstudio/lstest/admin"
)

// Whatever is added, changed or deleted between two pages: a task that was there
// all the time is seen exactly once.
func TestPagingNeverSkips(t *testing.T) {
	s := lstest.New()
	t.Cleanup(s.Close)
	c, err := labelstudio.NewClient(labelstudio.Options{URL: s.URL, Token: lstest.Token})
	require.NoError(t, err)
	t.Cleanup(c.Close)
	rapid.Check(t, func(t *rapid.T) {
		ctx := t.Context()
		p, err := c.CreateProject(ctx, "paging", "<View/>")
		require.NoError(t, err)
		ids, err := c.Import(ctx, p.ID, make([]struct{}, rapid.IntRange(1, 9).Draw(t, "tasks")))
		require.NoError(t, err)
		var gone, seen []event.TaskID
		q := labelstudio.TaskQuery{PageSize: rapid.IntRange(1, 4).Draw(t, "page size")}
		for {
			page, err := c.TasksPage(ctx, p.ID, q)
			require.NoError(t, err)
			for _, x := range page.Tasks {
				seen = append(seen, x.ID)
			}
			if q.After = page.Next; q.After == 0 {
				break
			}
			for range rapid.IntRange(0, 3).Draw(t, "changes") {
				id := rapid.SampledFrom(ids).Draw(t, "task")
				switch rapid.SampledFrom([]string{"delete", "change", "annotate", "add"}).Draw(t, "change") {
				case "delete":
					gone = append(gone, id)
					require.NoError(t, admin.DeleteTask(ctx, c, id))
				case "change":
					if !slices.Contains(gone, id) {
						require.NoError(t, admin.PatchTask(ctx, c, id, struct{}{}))
					}
				case "annotate":
					if !slices.Contains(gone, id) {
						_, err := c.CreateAnnotation(ctx, id, labelstudio.AnnotationWrite{})
						require.NoError(t, err)
					}
				case "add":
					_, err := c.Import(ctx, p.ID, make([]struct{}, 1))
					require.NoError(t, err)
				}
			}
		}
		for _, id := range ids {
			n := 0
			for _, x := range seen {
				if x == id {
					n++
				}
			}
			if slices.Contains(gone, id) {
				require.LessOrEqual(t, n, 1)
			} else {
				require.Equal(t, 1, n, "task %d in %v", id, seen)
			}
		}
	})
}

type canned struct {
	body string
	kind string
}

func (c canned) RoundTrip(r *http.Request) (*http.Response, error) {
	return &http.Response{StatusCode: 200, Header: http.Header{"Content-Type": {c.kind}}, Body: io.NopCloser(strings.NewReader(c.body)), Request: r}, nil
}

// Whatever a server at that address answers, the client returns values or an
// error, and every task it returns has an id.
func FuzzAnswers(f *testing.F) {
	for _, s := range []string{
		`{"tasks":[{"id":1,"data":{"text":"a"},"updated_at":"2026-11-23T23:08:31.4Z","annotations":[{"id":2,"result":[],"completed_by":{"id":3}}],"annotations_ids":"2, 1"}],"total":2}`,
		`{"total":1,"tasks":[{"id":0}]}`, `[{"id":1,"task":2,"score":null,"model_version":"v"}]`, `{"tasks":[`, `[1]`, `null`, `"`, ``, `{"tasks":null}`, `{"tasks":[{"id":-1,"annotations_ids":"x"}]}`, `{"v1":2}`,
		`{"tasks":[{"id":1,"annotations":[]},{"id":2,"annotations":[]}],"total":9}`, `{"tasks":[{"id":2,"annotations":[]},{"id":1,"annotations":[]}],"total":2}`,
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, body string) {
		c, err := labelstudio.NewClient(labelstudio.Options{URL: "http://x", Token: lstest.Token, Retries: -1, Transport: canned{body, "application/json"}})
		require.NoError(t, err)
		ctx := t.Context()
		page, err := c.TasksPage(ctx, 1, labelstudio.TaskQuery{})
		if err == nil {
			for _, x := range page.Tasks {
				require.Positive(t, x.ID)
			}
		} else {
			require.NotContains(t, err.Error(), lstest.Token)
		}
		for range c.Predictions(ctx, 1) {
		}
		for range c.Tasks(ctx, 1, labelstudio.TaskQuery{}) {
		}
		known, err := c.KnownTasks(ctx, 1)
		if err == nil {
			for _, x := range known {
				require.Positive(t, x.Task)
			}
		}
		_, _ = c.Annotations(ctx, 1)
		_, _ = c.Task(ctx, 1)
		_, _ = c.Project(ctx, 1)
		_, _ = c.ModelVersions(ctx, 1)
		_, _ = c.Webhooks(ctx, 1)
		_, _ = c.Backends(ctx, 1)
	})
}

// An answer that leaves out what was asked for is an error, never "there are no
// annotations": that would forget what was learned.
func TestIncompleteAnswers(t *testing.T) {
	for body, want := range map[string]string{
		`{"tasks":[{"id":1}],"total":1}`:                                            "without its annotations",
		`{"tasks":[{"id":2,"annotations":[]},{"id":1,"annotations":[]}],"total":2}`: "tasks:id",
		`{"tasks":[{"id":1,"annotations":[]}],"total":1`:                            "unexpected EOF",
		`{"total":1}`: `no "tasks"`,
	} {
		c, err := labelstudio.NewClient(labelstudio.Options{URL: "http://x", Token: lstest.Token, Retries: -1, Transport: canned{body, "application/json"}})
		require.NoError(t, err)
		_, err = c.TasksPage(t.Context(), 1, labelstudio.TaskQuery{})
		require.ErrorContains(t, err, want)
	}
	// The column is empty, but the counters say that there is an annotation.
	asked := 0
	c, err := labelstudio.NewClient(labelstudio.Options{URL: "http://x", Token: lstest.Token, Transport: tripper(func(r *http.Request) (*http.Response, error) {
		if strings.HasSuffix(r.URL.Path, "/annotations/") {
			asked++
			return canned{`[{"id":9,"task":1,"result":[]},{"id":4,"task":1,"result":[]}]`, "application/json"}.RoundTrip(r)
		}
		return canned{`{"tasks":[{"id":1,"annotations_ids":"","total_annotations":1,"cancelled_annotations":1},{"id":2,"annotations_ids":"3, 2","total_annotations":2}],"total":2}`, "application/json"}.RoundTrip(r)
	})})
	require.NoError(t, err)
	known, err := c.KnownTasks(t.Context(), 1)
	require.NoError(t, err)
	require.Equal(t, 1, asked)
	require.Equal(t, []event.AnnotationID{4, 9}, known[0].Annotations)
	require.Equal(t, []event.AnnotationID{2, 3}, known[1].Annotations)
}

type tripper func(*http.Request) (*http.Response, error)

func (f tripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }
