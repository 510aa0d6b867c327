package labelstudio_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hone-ml/hone/event"
	"github.com/hone-ml/hone/labelstudio"
	"github.com/hone-ml/hone/labelstudio/lstest/admin"
)

// What a list of the tasks that changed shows, and what only the project itself does: hone
// polls by both where Label Studio does not call it.
func (s suite) polls(t *testing.T) {
	p, ids := s.project(t, "a", "b", "c", "d")
	type counts struct{ tasks, annotations, skipped int }
	var mark time.Time
	look := func() (changed []event.TaskID, n counts) {
		t.Helper()
		latest := mark
		page, err := s.c.TasksPage(t.Context(), p, labelstudio.TaskQuery{UpdatedSince: mark.Add(time.Microsecond)})
		require.NoError(t, err)
		require.NotZero(t, page.ServerTime, "also of an empty page")
		for _, x := range page.Tasks {
			changed = append(changed, x.ID)
			if x.UpdatedAt.After(latest) {
				latest = x.UpdatedAt
			}
		}
		mark = latest
		project, err := s.c.Project(t.Context(), p)
		require.NoError(t, err)
		return changed, counts{project.Tasks, project.Annotations, project.Skipped}
	}
	changed, n := look()
	require.Equal(t, ids, changed)
	require.Equal(t, counts{4, 0, 0}, n)

	var a event.Annotation
	var row labelstudio.PredictionRow
	config := `<View><Text name="text" value="$text"/><Choices name="c" toName="text"><Choice value="a"/><Choice value="b"/><Choice value="new"/></Choices></View>`
	for _, step := range []struct {
		what    string
		do      func() error
		changed []event.TaskID
		n       counts
	}{
		{"nothing", func() error { return nil }, nil, counts{4, 0, 0}},
		{"an annotation", func() error { a = s.annotate(t, ids[0], "a"); return nil }, ids[:1], counts{4, 1, 0}},
		{"a changed one", func() (err error) {
			_, err = admin.UpdateAnnotation(t.Context(), s.c, a.ID, labelstudio.AnnotationWrite{Result: region("b")})
			return err
		}, ids[:1], counts{4, 1, 0}},
		{"a skip", func() error {
			_, err := s.c.CreateAnnotation(t.Context(), ids[1], labelstudio.AnnotationWrite{Cancelled: new(true)})
			return err
		}, ids[1:2], counts{4, 1, 1}},
		{"a deleted annotation", func() error { return admin.DeleteAnnotation(t.Context(), s.c, a.ID) }, ids[:1], counts{4, 0, 1}},
		{"a prediction of hone's", func() (err error) {
			row, err = s.c.CreatePrediction(t.Context(), labelstudio.PredictionWrite{Task: ids[2], Score: 0.5, ModelVersion: "v"})
			return err
		}, ids[2:3], counts{4, 0, 1}},
		{"a changed one", func() error {
			_, err := s.c.UpdatePrediction(t.Context(), row.ID, labelstudio.PredictionWrite{Score: 0.1, ModelVersion: "v"})
			return err
		}, ids[2:3], counts{4, 0, 1}},
		{"a task that is served", func() error { _, err := s.c.NextTask(t.Context(), p); return err }, nil, counts{4, 0, 1}},
		{"a deleted task", func() error { return admin.DeleteTask(t.Context(), s.c, ids[3]) }, nil, counts{3, 0, 1}},
		{"a deleted task with a skip", func() error { return admin.DeleteTasks(t.Context(), s.c, p, ids[1]) }, nil, counts{2, 0, 0}},
		{"a label config", func() error {
			_, err := s.c.PatchProject(t.Context(), p, labelstudio.ProjectPatch{LabelConfig: &config})
			return err
		}, nil, counts{2, 0, 0}},
	} {
		require.NoError(t, step.do(), step.what)
		changed, n := look()
		assert.Equal(t, step.changed, changed, step.what)
		assert.Equal(t, step.n, n, step.what)
	}
	more, err := s.c.Import(t.Context(), p, []map[string]string{{"text": "e"}})
	require.NoError(t, err)
	changed, n = look()
	assert.Equal(t, more, changed)
	assert.Equal(t, counts{3, 0, 0}, n)
}
