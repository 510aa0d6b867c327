package api_test

import (
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hone-ml/hone/api"
)

const descriptionsPath = "/api/projects/3/descriptions"

func TestDescriptionsAreReadAndReplaced(t *testing.T) {
	r := newRig(t)
	status, body := r.call(http.MethodGet, descriptionsPath, "")
	require.Equal(t, http.StatusOK, status, body)
	got, err := r.Client.Descriptions(t.Context(), 3)
	require.NoError(t, err)
	assert.Equal(t, api.DescribedLabel{Label: "A", Lines: []string{"a line"}, Hint: "a hint", Source: api.SourceLines}, got.Controls[0].Labels[0])

	out, err := r.Client.Describe(t.Context(), 3, got.Descriptions)
	require.NoError(t, err)
	assert.Equal(t, got, out)
	assert.Contains(t, r.asked, `describe {"A":["a line"]}`, "what is read can be written")
	r.late = true
	status, body = r.call(http.MethodPut, descriptionsPath, `{"A":["x"]}`)
	assert.Equal(t, http.StatusAccepted, status, body)
	var late api.Descriptions
	require.NoError(t, json.Unmarshal([]byte(body), &late))
	assert.False(t, late.Applied)
}

// What is too large, of nobody's project or sent by a foreign web page reaches nobody.
func TestRequestsThatDescribeNothing(t *testing.T) {
	r := newRig(t)
	for _, body := range []string{`{"A":["` + strings.Repeat("x", 600<<10) + `"]}`, strings.Repeat("[", 600<<10), "{}" + strings.Repeat(" ", 600<<10)} {
		status, answer := r.call(http.MethodPut, descriptionsPath, body)
		assert.Equal(t, http.StatusRequestEntityTooLarge, status, answer)
		assert.Contains(t, answer, "larger than 512 KiB")
	}
	for _, path := range []string{"/api/projects/x/descriptions", "/api/projects/0/descriptions", "/api/projects/-1/descriptions", "/api/projects/99999999999999999999/descriptions"} {
		for _, method := range []string{http.MethodGet, http.MethodPut} {
			status, answer := r.call(method, path, "{}")
			assert.Equal(t, http.StatusBadRequest, status, answer)
		}
	}
	status, answer := r.call(http.MethodPut, descriptionsPath, "{}", func(q *http.Request) { q.Header.Set("Origin", "http://evil.example") })
	assert.Equal(t, http.StatusForbidden, status, answer)
	for _, method := range []string{http.MethodPost, http.MethodPatch, http.MethodDelete} {
		status, answer = r.call(method, descriptionsPath, "{}")
		assert.Equal(t, http.StatusNotFound, status, answer)
	}
	assert.Empty(t, r.asked)
	r.fail = errors.New("no")
	for _, method := range []string{http.MethodGet, http.MethodPut} {
		status, answer = r.call(method, descriptionsPath, "{}")
		assert.Equal(t, http.StatusInternalServerError, status, answer)
	}
}
