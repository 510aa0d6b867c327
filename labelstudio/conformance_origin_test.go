package labelstudio_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hone-ml/hone/event"
	"github.com/hone-ml/hone/labelstudio"
	"github.com/hone-ml/hone/labelstudio/lstest/admin"
)

// An annotation names the prediction that it was made from until that is deleted, and is
// not updated then.
func (s suite) madeFromPredictions(t *testing.T) {
	p, ids := s.project(t, "in bulk", "by a person")
	var rows []labelstudio.PredictionID
	for _, id := range ids {
		row, err := s.c.CreatePrediction(t.Context(), labelstudio.PredictionWrite{Task: id, Result: region("a"), Score: 0.5, ModelVersion: "v1"})
		require.NoError(t, err)
		rows = append(rows, row.ID)
	}
	require.NoError(t, admin.AnnotateFromPredictions(t.Context(), s.c, p, ids[0]))
	parent := int64(rows[1])
	_, err := s.c.CreateAnnotation(t.Context(), ids[1], labelstudio.AnnotationWrite{Result: region("a"), LeadTime: new(1.5), ParentPrediction: &parent})
	require.NoError(t, err)
	read := func(i int) event.Annotation {
		t.Helper()
		as, err := s.c.Annotations(t.Context(), ids[i])
		require.NoError(t, err)
		require.Len(t, as, 1)
		return as[0]
	}
	bulk, person := read(0), read(1)
	assert.True(t, bulk.Suggested && bulk.Untimed && bulk.Unattended(), "%+v", bulk)
	assert.True(t, person.Suggested && !person.Untimed && !person.Unattended(), "%+v", person)
	for _, row := range rows {
		require.NoError(t, s.c.DeletePrediction(t.Context(), row))
	}
	bulk.Suggested, bulk.FromModel, person.Suggested = false, false, false
	assert.Equal(t, bulk, read(0))
	assert.Equal(t, person, read(1))
}
