package labelstudio_test

import (
	"context"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/hone-ml/hone/event"
	"github.com/hone-ml/hone/internal/secret"
	"github.com/hone-ml/hone/labelstudio"
	"github.com/hone-ml/hone/labelstudio/lstest"
	"github.com/hone-ml/hone/labelstudio/lstest/admin"
)

const choices = `<View><Text name="text" value="$text"/><Choices name="c" toName="text"><Choice value="a"/><Choice value="b"/></Choices></View>`

func region(label string) []any {
	return []any{map[string]any{"id": "r1", "from_name": "c", "to_name": "text", "type": "choices", "value": map[string]any{"choices": []string{label}}}}
}

// The stand-in must behave as the real server does: the same suite runs against
// both. The real one is in conformance_e2e_test.go.
func TestStandInConforms(t *testing.T) {
	s := lstest.New()
	t.Cleanup(s.Close)
	conform(t, s.URL, lstest.Token)
}

type suite struct {
	c   *labelstudio.Client
	url string
	// token is for what the client does not do.
	token string
}

func conform(t *testing.T, url, token string) {
	c, err := labelstudio.NewClient(labelstudio.Options{URL: url, Token: secret.Secret(token)})
	require.NoError(t, err)
	t.Cleanup(c.Close)
	s := suite{c, url, token}
	t.Run("account", s.account)
	t.Run("projects", s.projects)
	t.Run("pages of tasks", s.pages)
	t.Run("tasks updated since", s.updatedSince)
	t.Run("known tasks", s.known)
	t.Run("what a poll sees", s.polls)
	t.Run("next task", s.next)
	t.Run("predictions", s.predictions)
	t.Run("annotations made from predictions", s.madeFromPredictions)
	t.Run("webhooks", s.webhooks)
	t.Run("slow webhook", s.slowWebhook)
	t.Run("ML backend", s.backend)
	t.Run("unreachable ML backend", s.deadBackend)
	t.Run("hosts of webhooks", s.hookHosts)
	t.Run("webhooks of all projects", s.allWebhooks)
	t.Run("webhooks made by themselves", s.autoHooks)
	t.Run("another address for an ML backend", s.movedBackend)
	t.Run("credentials in addresses", s.userInfo)
	t.Run("ML backends that answer errors", s.failingBackend)
}

func (s suite) project(t *testing.T, texts ...string) (event.ProjectID, []event.TaskID) {
	t.Helper()
	p, err := s.c.CreateProject(t.Context(), "conformance "+t.Name()[max(0, len(t.Name())-20):], choices)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.c.DeleteProject(context.WithoutCancel(t.Context()), p.ID)) })
	if len(texts) == 0 {
		return p.ID, nil
	}
	var items []map[string]string
	for _, x := range texts {
		items = append(items, map[string]string{"text": x})
	}
	ids, err := s.c.Import(t.Context(), p.ID, items)
	require.NoError(t, err)
	require.Len(t, ids, len(texts))
	require.True(t, slices.IsSorted(ids))
	return p.ID, ids
}

func (s suite) annotate(t *testing.T, task event.TaskID, label string) event.Annotation {
	t.Helper()
	a, err := s.c.CreateAnnotation(t.Context(), task, labelstudio.AnnotationWrite{Result: region(label), LeadTime: new(1.5)})
	require.NoError(t, err)
	return a
}

// requireOnly requires a list of one annotation. PostgreSQL orders a result's keys anew.
func requireOnly(t *testing.T, want event.Annotation, got []event.Annotation) {
	t.Helper()
	require.Len(t, got, 1)
	require.JSONEq(t, string(want.Result), string(got[0].Result))
	one := got[0]
	one.Result = want.Result
	require.Equal(t, want, one)
}

// pinnedRelease is the release of Label Studio that hone is made for.
const pinnedRelease = "1.23.2"

// olderRelease is another release that the real server may be of, "" if none. What differs is
// in docs/RELEASES.md.
func olderRelease() string { return os.Getenv("HONE_LS_VERSION") }

func (s suite) account(t *testing.T) {
	v, err := s.c.Version(t.Context())
	require.NoError(t, err)
	require.NotEmpty(t, v)
	require.Contains(t, []string{pinnedRelease, olderRelease()}, v)
	me, err := s.c.WhoAmI(t.Context())
	require.NoError(t, err)
	require.Contains(t, me.Email, "@")
	_, err = s.c.TokenSettings(t.Context())
	require.NoError(t, err)

	pat, err := admin.CreatePersonalAccessToken(t.Context(), s.c)
	require.NoError(t, err)
	require.Equal(t, labelstudio.PersonalAccessToken, labelstudio.KindOf(pat))
	_, err = admin.CreatePersonalAccessToken(t.Context(), s.c)
	require.ErrorContains(t, err, "409")
	jwt, err := labelstudio.NewClient(labelstudio.Options{URL: s.url, Token: pat})
	require.NoError(t, err)
	defer jwt.Close()
	again, err := jwt.WhoAmI(t.Context())
	require.NoError(t, err)
	require.Equal(t, me, again)
	err = admin.RevokePersonalAccessToken(t.Context(), s.c, pat)
	if v != pinnedRelease && labelstudio.IsNotFound(err) {
		return // an older one does not find its own token: docs/RELEASES.md
	}
	require.NoError(t, err)
	late, err := labelstudio.NewClient(labelstudio.Options{URL: s.url, Token: pat})
	require.NoError(t, err)
	defer late.Close()
	_, err = late.WhoAmI(t.Context())
	require.True(t, labelstudio.IsUnauthorized(err), err)

	bad, err := labelstudio.NewClient(labelstudio.Options{URL: s.url, Token: "nobody"})
	require.NoError(t, err)
	defer bad.Close()
	_, err = bad.WhoAmI(t.Context())
	require.True(t, labelstudio.IsUnauthorized(err), err)
}

func (s suite) projects(t *testing.T) {
	id, tasks := s.project(t, "one")
	p, err := s.c.Project(t.Context(), id)
	require.NoError(t, err)
	require.Equal(t, choices, p.LabelConfig)
	require.Equal(t, labelstudio.SequentialSampling, p.Sampling)
	require.Equal(t, 1, p.Tasks)
	require.Equal(t, 1, p.MaximumAnnotations)
	require.True(t, p.ShowPredictions)
	require.WithinDuration(t, time.Now(), p.CreatedAt, time.Minute)
	all, err := s.c.Projects(t.Context())
	require.NoError(t, err)
	require.True(t, slices.ContainsFunc(all, func(q labelstudio.Project) bool { return q.ID == id && q.Title == p.Title }))

	_, err = s.c.PatchProject(t.Context(), id, labelstudio.ProjectPatch{ModelVersion: new("v1")})
	require.True(t, labelstudio.IsInvalid(err), "a version without predictions: %v", err)
	_, err = s.c.CreatePrediction(t.Context(), labelstudio.PredictionWrite{Task: tasks[0], Score: 0.5, ModelVersion: "v1"})
	require.NoError(t, err)
	p, err = s.c.PatchProject(t.Context(), id, labelstudio.ProjectPatch{ModelVersion: new("v1"), Sampling: new(labelstudio.UncertaintySampling)})
	require.NoError(t, err)
	require.Equal(t, "v1", p.ModelVersion)
	require.Equal(t, labelstudio.UncertaintySampling, p.Sampling)
	p, err = s.c.PatchProject(t.Context(), id, labelstudio.ProjectPatch{ShowPredictions: new(false)})
	require.NoError(t, err)
	require.Empty(t, p.ModelVersion, "hiding predictions forgets the version")

	_, err = s.c.CreateProject(t.Context(), "x", choices)
	require.True(t, labelstudio.IsInvalid(err), err)
	require.ErrorContains(t, err, "title")
	_, err = s.c.Project(t.Context(), 1<<40)
	require.True(t, labelstudio.IsNotFound(err), err)
}

// Whatever happens between two pages, no task that stays is missed or doubled.
func (s suite) pages(t *testing.T) {
	p, ids := s.project(t, "a", "b", "c", "d", "e", "f", "g")
	a := s.annotate(t, ids[1], "a")
	var got []event.TaskID
	q := labelstudio.TaskQuery{PageSize: 2}
	for n := 0; ; n++ {
		page, err := s.c.TasksPage(t.Context(), p, q)
		require.NoError(t, err)
		for _, x := range page.Tasks {
			got = append(got, x.ID)
		}
		switch n {
		case 0: // on the first page, deleted and changed after it was read
			require.Equal(t, 7, page.Total)
			require.WithinDuration(t, time.Now(), page.ServerTime, 10*time.Second)
			require.False(t, page.ServerTime.After(time.Now()), "a moment before it looked")
			require.JSONEq(t, `{"text":"a"}`, string(page.Tasks[0].Data))
			requireOnly(t, a, page.Tasks[1].Annotations)
			require.True(t, page.Tasks[1].Labeled)
			require.NoError(t, admin.DeleteTask(t.Context(), s.c, ids[0]))
			require.NoError(t, admin.PatchTask(t.Context(), s.c, ids[1], map[string]string{"text": "b2"}))
		case 1:
			require.NoError(t, admin.DeleteTasks(t.Context(), s.c, p, ids[5]))
		}
		if q.After = page.Next; q.After == 0 {
			break
		}
	}
	require.Equal(t, []event.TaskID{ids[0], ids[1], ids[2], ids[3], ids[4], ids[6]}, got)

	n := 0
	for x, err := range s.c.Tasks(t.Context(), p, labelstudio.TaskQuery{PageSize: 3, WithoutAnnotations: true}) {
		require.NoError(t, err)
		require.Empty(t, x.Annotations)
		n++
	}
	require.Equal(t, 5, n)
	x, err := s.c.Task(t.Context(), ids[1])
	require.NoError(t, err)
	require.JSONEq(t, `{"text":"b2"}`, string(x.Data))
	requireOnly(t, a, x.Annotations)
	_, err = s.c.Task(t.Context(), ids[0])
	require.True(t, labelstudio.IsNotFound(err), err)
	require.NoError(t, admin.DeleteTask(t.Context(), s.c, ids[0]), "gone already")
	for _, err := range s.c.Tasks(t.Context(), 1<<40, labelstudio.TaskQuery{}) {
		require.True(t, labelstudio.IsNotFound(err), err)
	}
}

// Which changes a comparison by updated_at finds.
func (s suite) updatedSince(t *testing.T) {
	p, ids := s.project(t, "a", "b", "c")
	var mark time.Time
	changed := func() (out []event.TaskID) {
		t.Helper()
		latest := mark
		defer func() { mark = latest }()
		for x, err := range s.c.Tasks(t.Context(), p, labelstudio.TaskQuery{UpdatedSince: mark.Add(time.Microsecond)}) {
			require.NoError(t, err)
			out = append(out, x.ID)
			if x.UpdatedAt.After(latest) {
				latest = x.UpdatedAt
			}
		}
		return out
	}
	require.Equal(t, ids, changed())
	require.Empty(t, changed())
	a := s.annotate(t, ids[0], "a")
	require.Equal(t, ids[:1], changed())
	b, err := admin.UpdateAnnotation(t.Context(), s.c, a.ID, labelstudio.AnnotationWrite{Result: region("b")})
	require.NoError(t, err)
	require.True(t, b.UpdatedAt.After(a.UpdatedAt))
	require.Equal(t, ids[:1], changed())
	require.NoError(t, admin.DeleteAnnotation(t.Context(), s.c, a.ID))
	require.Equal(t, ids[:1], changed())
	require.NoError(t, admin.PatchTask(t.Context(), s.c, ids[1], map[string]string{"text": "b2"}))
	require.Equal(t, ids[1:2], changed())
	row, err := s.c.CreatePrediction(t.Context(), labelstudio.PredictionWrite{Task: ids[2], Score: 0.5, ModelVersion: "v"})
	require.NoError(t, err)
	require.Equal(t, ids[2:], changed(), "a single prediction moves its task")
	require.NoError(t, s.c.ImportPredictions(t.Context(), p, []labelstudio.PredictionWrite{{Task: ids[1], Score: 0.5, ModelVersion: "v"}}))
	require.Empty(t, changed(), "a bulk import does not")
	_, err = s.c.UpdatePrediction(t.Context(), row.ID, labelstudio.PredictionWrite{Score: 0.1, ModelVersion: "v"})
	require.NoError(t, err)
	require.Equal(t, ids[2:], changed(), "changing a prediction moves its task")
	require.NoError(t, s.c.DeletePrediction(t.Context(), row.ID))
	require.Equal(t, ids[2:], changed(), "deleting one too")
	require.NoError(t, s.c.ImportPredictions(t.Context(), p, []labelstudio.PredictionWrite{{Task: ids[0], Score: 0.5, ModelVersion: "w"}}))
	_, err = s.c.DeleteModelVersion(t.Context(), p, "w")
	require.NoError(t, err)
	require.Empty(t, changed(), "deleting a version moves nothing")
	require.NoError(t, s.c.DeleteTaskPredictions(t.Context(), p))
	require.Empty(t, changed(), "nor does deleting predictions in the grid")
	c := s.annotate(t, ids[2], "a")
	changed()
	require.NoError(t, admin.ConvertToDraft(t.Context(), s.c, c.ID))
	require.Equal(t, ids[2:], changed())
}

// The full comparison sees every id: skips, and more annotations on one task
// than Label Studio's column has room for.
func (s suite) known(t *testing.T) {
	p, ids := s.project(t, "a", "b", "c")
	first := s.annotate(t, ids[0], "a")
	skip, err := s.c.CreateAnnotation(t.Context(), ids[1], labelstudio.AnnotationWrite{Cancelled: new(true)})
	require.NoError(t, err)
	require.True(t, skip.Cancelled)
	require.JSONEq(t, "[]", string(skip.Result))
	many := make([]any, 150)
	for i := range many {
		many[i] = map[string]any{"result": region("a")}
	}
	crowded, err := s.c.Import(t.Context(), p, []any{map[string]any{"data": map[string]string{"text": "d"}, "annotations": many}})
	require.NoError(t, err)

	all, err := s.c.KnownTasks(t.Context(), p)
	require.NoError(t, err)
	require.Len(t, all, 4)
	for i, id := range append(slices.Clone(ids), crowded...) {
		require.Equal(t, id, all[i].Task)
		task, err := s.c.Task(t.Context(), id)
		require.NoError(t, err)
		require.True(t, task.UpdatedAt.Equal(all[i].UpdatedAt))
		var want []event.AnnotationID
		for _, a := range task.Annotations {
			want = append(want, a.ID)
		}
		require.Equal(t, want, all[i].Annotations)
	}
	require.Equal(t, []event.AnnotationID{first.ID}, all[0].Annotations)
	require.Equal(t, []event.AnnotationID{skip.ID}, all[1].Annotations)
	require.Empty(t, all[2].Annotations)
	require.Len(t, all[3].Annotations, 150)
	empty, _ := s.project(t)
	none, err := s.c.KnownTasks(t.Context(), empty)
	require.NoError(t, err)
	require.Empty(t, none)
}
