package simulate

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestDescriptionsOfAFile(t *testing.T) {
	s := Source{
		Train:        file(t, "a.jsonl", `{"text":"p","label":"x"}`+"\n"+`{"text":"q","label":"z"}`),
		Descriptions: file(t, "d.json", `{"x": ["a line", "another"], "z": "one"}`),
	}
	d, err := Load(s)
	require.NoError(t, err)
	control := d.questions[0].Name
	assert.Equal(t, []string{"a line", "another"}, d.descriptions.Lines(control, "x"))
	s.Anonymous = true
	d, err = Load(s)
	require.NoError(t, err)
	var lines []string
	for _, l := range d.questions[0].labels {
		lines = append(lines, d.descriptions.Lines(control, l)...)
	}
	assert.ElementsMatch(t, []string{"a line", "another", "one"}, lines, "they go with the labels, whatever their names")
	for text, want := range map[string]string{
		`{"y": ["a line"]}`: `there is no label "y"; the labels are x, z`,
		`["x"]`:             "not a JSON object",
	} {
		s.Descriptions = file(t, "bad.json", text)
		_, err = Load(s)
		require.ErrorContains(t, err, "bad.json: ")
		assert.ErrorContains(t, err, want)
	}
	s.Descriptions = "no such file"
	_, err = Load(s)
	require.Error(t, err)
}

// With nothing labelled, what is predicted follows from the lines alone.
func TestDescriptionsPredict(t *testing.T) {
	train := file(t, "a.jsonl", `{"text":"my card was stolen","label":"A1"}`+"\n"+`{"text":"will it rain tomorrow","label":"A2"}`)
	accuracy := func(lines string) float64 {
		d, err := Load(Source{Train: train, Test: train, Descriptions: file(t, "d.json", lines)})
		require.NoError(t, err)
		res, err := Run(t.Context(), d, Options{Strategies: []string{"random"}, Labels: []int{0}, Batch: 1, Seeds: 1})
		require.NoError(t, err)
		return res.Curves[0].Points[0].Accuracy
	}
	assert.InDelta(t, 1, accuracy(`{"A1": ["my bank card was lost or stolen"], "A2": ["rain, sun, the weather tomorrow"]}`), 1e-9)
	assert.InDelta(t, 0, accuracy(`{"A2": ["my bank card was lost or stolen"], "A1": ["rain, sun, the weather tomorrow"]}`), 1e-9)
}
