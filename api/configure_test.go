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

func TestChangesOfSettingsAreRead(t *testing.T) {
	r := newRig(t)
	status, body := r.call(http.MethodPatch, "/api/projects/3", ` {"queue": 20, "random_share":2.5e-1, "strategy":"entropy", "threshold":null,
		"learn_from_users":[5, 1], "suggestions_off":["a,b","tö\"pic"], "on":true, "queue":"7"} `)
	require.Equal(t, http.StatusOK, status, body)
	assert.Equal(t, []string{`configure 3 queue=20 random_share=2.5e-1 strategy=entropy threshold learn_from_users=[5, 1] suggestions_off=["a,b","tö\"pic"] on=true queue=7`}, r.asked)
	var got api.Configuration
	require.NoError(t, json.Unmarshal([]byte(body), &got))
	assert.True(t, got.Applied)
	assert.Equal(t, "30", got.Settings[0].Default)

	out, err := r.Client.Configure(t.Context(), 3, []api.Change{{Key: "queue", Value: new("9")}, {Key: "strategy"}})
	require.NoError(t, err)
	assert.Equal(t, got, out)
	assert.Contains(t, r.asked, `configure 3 queue=9 strategy`)
	r.late = true
	status, body = r.call(http.MethodPatch, "/api/projects/3", `{"queue":1}`)
	assert.Equal(t, http.StatusAccepted, status, body)
}

// What is no change of settings is refused with a sentence, and changes nothing.
func TestBodiesThatAreNoSettings(t *testing.T) {
	r := newRig(t)
	for body, want := range map[string]string{
		``: "not a JSON object", `{`: "not JSON", `{"queue":}`: "not JSON", `{"queue":NaN}`: "not JSON", `{"queue":1,}`: "not JSON", `{"queue" 1}`: "not JSON",
		`[]`: "not a JSON object", `null`: "not a JSON object", `7`: "not a JSON object", `"queue"`: "not a JSON object", `{"queue":1}{}`: "something follows", `{"queue":1} x`: "something follows",
		`{"queue":{"a":1}}`: "is set to an object", "\xff\xfe": "not JSON", `{"` + strings.Repeat("k", 5000) + `":{}}`: "is set to an object",
	} {
		status, answer := r.call(http.MethodPatch, "/api/projects/3", body)
		assert.Equal(t, http.StatusBadRequest, status, body)
		assert.Contains(t, answer, want, body)
		assert.Contains(t, answer, `{\"queue\": 20`, body)
		assert.Less(t, len(answer), 500)
	}
	for _, body := range []string{
		`{"queue":"` + strings.Repeat("9", 1<<20) + `"}`, `{"queue":1}` + strings.Repeat(" ", 1<<20), strings.Repeat("[", 1<<20),
		`{` + strings.Repeat(`"queue":1,`, 1<<17) + `"queue":1}`,
	} {
		status, answer := r.call(http.MethodPatch, "/api/projects/3", body)
		assert.Contains(t, []int{http.StatusRequestEntityTooLarge, http.StatusBadRequest}, status)
		assert.Contains(t, answer, "error")
	}
	status, answer := r.call(http.MethodPatch, "/api/projects/3", `{"queue":"`+strings.Repeat("9", 1<<20)+`"}`)
	assert.Equal(t, http.StatusRequestEntityTooLarge, status, answer)
	status, _ = r.call(http.MethodPatch, "/api/projects/x", `{"queue":1}`)
	assert.Equal(t, http.StatusBadRequest, status)
	status, _ = r.call(http.MethodPatch, "/api/projects/0", `{"queue":1}`)
	assert.Equal(t, http.StatusBadRequest, status)
	status, answer = r.call(http.MethodPatch, "/api/projects/3", `{"queue":1}`, func(q *http.Request) { q.Header.Set("Origin", "http://evil.example") })
	assert.Equal(t, http.StatusForbidden, status, answer)
	assert.Empty(t, r.asked)
	r.fail = errors.New("no")
	status, answer = r.call(http.MethodPatch, "/api/projects/3", `{"queue":1}`)
	assert.Equal(t, http.StatusInternalServerError, status, answer)
}
