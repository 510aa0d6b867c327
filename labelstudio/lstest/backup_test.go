package lstest

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hone-ml/hone/labelstudio"
)

// What is written after a backup does not reach into it.
func TestBackupHoldsPredictionsAsTheyWere(t *testing.T) {
	s := New()
	defer s.Close()
	c, err := labelstudio.NewClient(labelstudio.Options{URL: s.URL, Token: Token})
	require.NoError(t, err)
	defer c.Close()
	p, err := c.CreateProject(t.Context(), "backup", `<View><Text name="t" value="$text"/></View>`)
	require.NoError(t, err)
	ids, err := c.Import(t.Context(), p.ID, []map[string]string{{"text": "a"}})
	require.NoError(t, err)
	const long, short = `[{"id":"a","value":{"text":["as it was"]}}]`, `[]`
	write := labelstudio.PredictionWrite{Task: ids[0], Result: json.RawMessage(long), Score: 0.25, ModelVersion: "v", Cluster: new(3)}
	row, err := c.CreatePrediction(t.Context(), write)
	require.NoError(t, err)
	b := s.Backup()
	_, err = c.UpdatePrediction(t.Context(), row.ID, labelstudio.PredictionWrite{Result: json.RawMessage(short), Score: 0.75, ModelVersion: "w", Cluster: new(4)})
	require.NoError(t, err)
	s.Restore(b)
	now, result, err := c.Prediction(t.Context(), row.ID)
	require.NoError(t, err)
	require.Equal(t, row, now)
	require.JSONEq(t, long, string(result))
}
