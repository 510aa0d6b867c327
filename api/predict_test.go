package api_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hone-ml/hone/api"
)

func TestPredictThroughTheClient(t *testing.T) {
	r := newRig(t)
	got, err := r.Predict(t.Context(), 3, []json.RawMessage{json.RawMessage(`{"text":"a"}`), json.RawMessage(`{"text":"b"}`)})
	require.NoError(t, err)
	assert.Equal(t, "hone-1", got.ModelVersion)
	require.Len(t, got.Predictions, 2)
	assert.Equal(t, []string{`predict 3 {"text":"a"}`, `predict 3 {"text":"b"}`}, r.asked)
	got, err = r.Predict(t.Context(), 3, nil)
	require.NoError(t, err, "no task is asked for what fields are read")
	assert.Equal(t, []string{"text"}, got.Fields)
	_, err = r.Predict(t.Context(), 9, nil)
	require.ErrorContains(t, err, "unknown project 9")
	r.short = true
	_, err = r.Predict(t.Context(), 3, []json.RawMessage{json.RawMessage(`{}`)})
	require.ErrorContains(t, err, "0 predictions for 1 tasks")
}

// What a broken client or a stranger sends is refused with the cause, and before it is in
// memory as a whole.
func TestPredictRefuses(t *testing.T) {
	r := newRig(t)
	many := `{"tasks":[` + strings.Repeat(`{"data":{}},`, api.MaxPredictTasks) + `{"data":{}}`
	for name, c := range map[string]struct {
		body   string
		status int
		says   string
	}{
		"nothing":        {"", 400, "not JSON"},
		"no object":      {"[]", 400, `should be; the body must be`},
		"no tasks":       {`{"task":[]}`, 400, `no \"tasks\"`},
		"tasks twice":    {`{"tasks":[],"tasks":[]}`, 400, "twice"},
		"null tasks":     {`{"tasks":null}`, 400, "should be"},
		"no list":        {`{"tasks":{"data":{}}}`, 400, "should be"},
		"no data":        {`{"tasks":[{"data":{}},{"text":"a"}]}`, 400, `task 2 of the list has no \"data\" object`},
		"data no object": {`{"tasks":[{"data":"text"}]}`, 400, "task 1 of the list has no"},
		"null data":      {`{"tasks":[{"data":null}]}`, 400, "task 1 of the list has no"},
		"a task no task": {`{"tasks":[7]}`, 400, "task 1 of the list"},
		"cut off":        {`{"tasks":[{"data":{}}`, 400, "not JSON"},
		"more follows":   {`{"tasks":[]} {}`, 400, "something follows"},
		"too many":       {many, 400, "more than 500 tasks"}, // though it is cut off: the rest was not read
		"nested":         {`{"tasks":[{"data":` + strings.Repeat(`{"a":`, 20_000), 400, "task 1"},
		"too large":      {`{"tasks":[{"data":{"text":"` + strings.Repeat("x", api.MaxPredictBody) + `"}}]}`, 413, "32 MiB"},
		"large beside":   {`{"other":"` + strings.Repeat("x", api.MaxPredictBody) + `"}`, 413, "32 MiB"},
	} {
		status, answer := r.call("POST", "/api/projects/3/predict", c.body)
		assert.Equal(t, c.status, status, "%s: %.200s", name, answer)
		assert.Contains(t, answer, c.says, name)
	}
	assert.Empty(t, r.asked)
	status, _ := r.call("POST", "/api/projects/3/predict", `{"tasks":[]}`, func(q *http.Request) { q.Header.Set("Origin", "http://evil.example") })
	assert.Equal(t, http.StatusForbidden, status, "a foreign web page")
	status, _ = r.call("POST", "/api/projects/x/predict", `{"tasks":[]}`)
	assert.Equal(t, http.StatusBadRequest, status)
}

// A few bodies are in memory at a time, however many are sent at once; all are answered.
func TestPredictManyAtOnce(t *testing.T) {
	r := newRig(t)
	var wg sync.WaitGroup
	for i := range 40 {
		wg.Go(func() {
			got, err := r.Predict(t.Context(), 3, []json.RawMessage{json.RawMessage(fmt.Sprintf(`{"n":%d}`, i))})
			assert.NoError(t, err)
			assert.Len(t, got.Predictions, 1)
		})
	}
	wg.Wait()
	assert.Len(t, r.asked, 40)
	// A caller who goes away while its body is awaited leaves its place to others.
	body, write := io.Pipe()
	q, err := http.NewRequestWithContext(t.Context(), http.MethodPost, r.http.URL+"/api/projects/3/predict", body)
	require.NoError(t, err)
	q.Header.Set("Authorization", "Bearer "+token)
	var gone sync.WaitGroup
	gone.Go(func() {
		if res, err := r.http.Client().Do(q); err == nil {
			_ = res.Body.Close()
		}
	})
	_, err = io.WriteString(write, `{"tasks":[`)
	require.NoError(t, err)
	require.NoError(t, write.CloseWithError(io.ErrUnexpectedEOF))
	gone.Wait()
	_, err = r.Predict(t.Context(), 3, nil)
	require.NoError(t, err)
}
