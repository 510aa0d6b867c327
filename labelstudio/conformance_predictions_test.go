package labelstudio_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hone-ml/hone/event"
	"github.com/hone-ml/hone/labelstudio"
)

func (s suite) next(t *testing.T) {
	p, ids := s.project(t, "a", "b", "c", "d", "e")
	next := func() event.TaskID {
		t.Helper()
		x, err := s.c.NextTask(t.Context(), p)
		require.NoError(t, err)
		return x.ID
	}
	write := func(task event.TaskID, score float64, version string) labelstudio.PredictionID {
		t.Helper()
		row, err := s.c.CreatePrediction(t.Context(), labelstudio.PredictionWrite{Task: task, Score: score, ModelVersion: version})
		require.NoError(t, err)
		return row.ID
	}
	require.Equal(t, ids[0], next(), "in sequence")
	require.Equal(t, ids[0], next(), "locked")
	s.annotate(t, ids[0], "a")

	write(ids[1], 0.009, "v1")
	write(ids[2], 0.001, "v1")
	third := write(ids[3], 0.005, "v1")
	write(ids[4], 0.0001, "other") // another version does not count
	_, err := s.c.PatchProject(t.Context(), p, labelstudio.ProjectPatch{ModelVersion: new("v1"), Sampling: new(labelstudio.UncertaintySampling)})
	require.NoError(t, err)
	require.Equal(t, ids[2], next(), "lowest score of the project's version")
	_, err = s.c.UpdatePrediction(t.Context(), third, labelstudio.PredictionWrite{Score: 0.00001, ModelVersion: "v1"})
	require.NoError(t, err)
	require.Equal(t, ids[2], next(), "a lower score elsewhere does not unlock")
	s.annotate(t, ids[2], "a")
	require.Equal(t, ids[3], next(), "the changed score counts")
	_, err = s.c.CreateAnnotation(t.Context(), ids[3], labelstudio.AnnotationWrite{Cancelled: new(true)})
	require.NoError(t, err)
	require.Equal(t, ids[1], next(), "a skipped task does not come again")
	s.annotate(t, ids[1], "a")
	require.Equal(t, ids[4], next(), "without a prediction of the version: any")
	s.annotate(t, ids[4], "b")
	_, err = s.c.NextTask(t.Context(), p)
	require.True(t, labelstudio.IsNotFound(err), err)
}

func (s suite) predictions(t *testing.T) {
	p, ids := s.project(t, "a", "b", "c")
	list := func() map[labelstudio.PredictionID]labelstudio.PredictionRow {
		t.Helper()
		all := map[labelstudio.PredictionID]labelstudio.PredictionRow{}
		for row, err := range s.c.Predictions(t.Context(), p) {
			require.NoError(t, err)
			all[row.ID] = row
		}
		return all
	}
	require.Empty(t, list())
	row, err := s.c.CreatePrediction(t.Context(), labelstudio.PredictionWrite{Task: ids[0], Result: region("a"), Score: 0.25, ModelVersion: "v1"})
	require.NoError(t, err)
	require.NotZero(t, row.UpdatedAt)
	require.Equal(t, labelstudio.PredictionRow{ID: row.ID, Task: ids[0], Score: new(0.25), ModelVersion: "v1", UpdatedAt: row.UpdatedAt}, row)
	again, err := s.c.CreatePrediction(t.Context(), labelstudio.PredictionWrite{Task: ids[0], Score: 0.5, ModelVersion: "v1"})
	require.NoError(t, err)
	require.NotEqual(t, row.ID, again.ID, "no unique key: it is doubled")
	require.Equal(t, map[labelstudio.PredictionID]labelstudio.PredictionRow{row.ID: row, again.ID: again}, list())
	changed, err := s.c.UpdatePrediction(t.Context(), row.ID, labelstudio.PredictionWrite{Score: 0.75, ModelVersion: "v1"})
	require.NoError(t, err)
	require.Equal(t, 0.75, *changed.Score)
	require.True(t, changed.UpdatedAt.After(row.UpdatedAt), "each write moves it")
	read, _, err := s.c.Prediction(t.Context(), row.ID)
	require.NoError(t, err)
	require.Equal(t, changed, read, "read as it was answered when written")
	read, result, err := s.c.Prediction(t.Context(), again.ID)
	require.NoError(t, err)
	require.Equal(t, again, read)
	require.JSONEq(t, `[]`, string(result))
	for stored, err := range s.c.StoredPredictions(t.Context(), p) {
		require.NoError(t, err)
		row, result, err := s.c.Prediction(t.Context(), stored.ID)
		require.NoError(t, err)
		require.Equal(t, row, stored.PredictionRow)
		require.JSONEq(t, string(result), string(stored.Result), "a list says the same")
	}
	require.NoError(t, s.c.DeletePrediction(t.Context(), again.ID))
	require.NoError(t, s.c.DeletePrediction(t.Context(), again.ID))
	_, _, err = s.c.Prediction(t.Context(), again.ID)
	require.True(t, labelstudio.IsNotFound(err), err)
	require.Equal(t, map[labelstudio.PredictionID]labelstudio.PredictionRow{row.ID: changed}, list())
	for _, err := range s.c.Predictions(t.Context(), p) {
		require.NoError(t, err)
		break // stopping early must not hang or leak
	}

	require.NoError(t, s.c.ImportPredictions(t.Context(), p, []labelstudio.PredictionWrite{
		{Task: ids[1], Score: 0.1, ModelVersion: "v2"}, {Task: ids[2], Score: 0.2, ModelVersion: "v2"},
	}))
	err = s.c.ImportPredictions(t.Context(), p, []labelstudio.PredictionWrite{
		{Task: ids[1], Score: 0.1, ModelVersion: "v3"}, {Task: ids[2], Score: 7, ModelVersion: "v3"},
	})
	var partial *labelstudio.PartialImportError
	require.ErrorAs(t, err, &partial)
	require.Equal(t, labelstudio.PartialImportError{Project: p, Sent: 2, Created: 1}, *partial)
	err = s.c.ImportPredictions(t.Context(), p, []labelstudio.PredictionWrite{{Task: 1 << 40, Score: 0.1, ModelVersion: "v3"}})
	require.True(t, labelstudio.IsInvalid(err), err)
	versions, err := s.c.ModelVersions(t.Context(), p)
	require.NoError(t, err)
	require.Equal(t, map[string]int{"v1": 1, "v2": 2, "v3": 1}, versions)

	_, err = s.c.PatchProject(t.Context(), p, labelstudio.ProjectPatch{ModelVersion: new("v2")})
	require.NoError(t, err)
	n, err := s.c.DeleteModelVersion(t.Context(), p, "v1")
	require.NoError(t, err)
	require.Equal(t, 1, n)
	project, err := s.c.Project(t.Context(), p)
	require.NoError(t, err)
	require.Equal(t, "v2", project.ModelVersion)
	_, err = s.c.DeleteModelVersion(t.Context(), p, "v2")
	require.NoError(t, err)
	project, err = s.c.Project(t.Context(), p)
	require.NoError(t, err)
	require.Empty(t, project.ModelVersion)
	require.NoError(t, s.c.DeleteTaskPredictions(t.Context(), p))
	require.Empty(t, list())
}
