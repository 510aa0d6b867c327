package app_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hone-ml/hone/api"
	"github.com/hone-ml/hone/event"
	"github.com/hone-ml/hone/internal/app/apptest"
)

// putLines replaces descriptions as a script does, which need not say that they are JSON.
func putLines(t *testing.T, h *apptest.Instance, p event.ProjectID, body, contentType string) (status int, answer string) {
	t.Helper()
	return send(t, h, http.MethodPut, fmt.Sprintf("/api/projects/%d/descriptions", p), body, contentType)
}

// Descriptions are kept over a restart, counted by status, and gone when the project is
// forgotten.
func TestDescriptions(t *testing.T) {
	r := newConfigured(t, 20, 3)
	got, err := r.h.Client.Descriptions(t.Context(), r.p)
	require.NoError(t, err)
	require.Len(t, got.Controls, 1)
	assert.JSONEq(t, `{}`, string(got.Descriptions))
	assert.Equal(t, api.DescribedLabel{Label: "Money", Lines: []string{}, Source: api.SourceName}, got.Controls[0].Labels[0])

	const lines = `{"Money":["what things cost","pay and save"],"topic":{"Food":["what people eat"]}}`
	put, err := r.h.Client.Describe(t.Context(), r.p, json.RawMessage(lines))
	require.NoError(t, err)
	check := func() {
		t.Helper()
		got, err := r.h.Client.Descriptions(t.Context(), r.p)
		require.NoError(t, err)
		assert.Equal(t, put, got)
		assert.True(t, got.Applied)
		assert.JSONEq(t, lines, string(got.Descriptions))
		sources := map[string]string{}
		for _, l := range got.Controls[0].Labels {
			sources[l.Label] = l.Source
		}
		assert.Equal(t, map[string]string{"Money": api.SourceLines, "Travel": api.SourceName, "Food": api.SourceLines}, sources)
		assert.Equal(t, 2, settled(r.h, r.p).Heads[0].Described)
	}
	check()
	r.h.Stop()
	r.h = apptest.Start(t, apptest.Settings(r.dir, r.s))
	settled(r.h, r.p)
	check()

	_, err = r.h.Client.Forget(t.Context(), r.p)
	require.NoError(t, err)
	r.h.Register(r.p)
	r.h.Await(r.p, "known again", func(p api.Project) bool { return len(p.Heads) == 1 && p.Heads[0].Described == 0 })
	got, err = r.h.Client.Descriptions(t.Context(), r.p)
	require.NoError(t, err)
	assert.JSONEq(t, `{}`, string(got.Descriptions))
}

// Hints are told apart from lines and names, and of a control whose labels are learned from
// examples alone nothing is told or taken.
func TestWhichLabelsCanBeDescribed(t *testing.T) {
	s := apptest.NewStudio(t)
	h := apptest.Start(t, apptest.Settings(t.TempDir(), s))
	made, err := s.CreateProject(t.Context(), "both", `<View><Text name="text" value="$text"/><Labels name="ner" toName="text"><Label value="Person"/></Labels>
		<Choices name="topic" toName="text"><Choice value="Money" hint="costs"/><Choice value="Travel" hint="trips"/><Choice value="Food"/></Choices></View>`)
	require.NoError(t, err)
	s.AddTasks(made.ID, 5)
	h.Register(made.ID)
	settled(h, made.ID)
	status, answer := putLines(t, h, made.ID, `{"Money":["what things cost"]}`, "")
	require.Equal(t, http.StatusOK, status, answer)
	for _, head := range settled(h, made.ID).Heads {
		if want := map[string][2]int{"ner": {0, 0}, "topic": {1, 1}}[head.Control]; want != [2]int{head.Described, head.Hinted} {
			t.Errorf("%s: %d are described, %d have a hint", head.Control, head.Described, head.Hinted)
		}
	}
	got, err := h.Client.Descriptions(t.Context(), made.ID)
	require.NoError(t, err)
	for _, c := range got.Controls {
		for _, l := range c.Labels {
			want := map[string]string{"Money": api.SourceLines, "Travel": api.SourceHint, "Food": api.SourceName}[l.Label]
			assert.Equal(t, want, l.Source, l.Label)
		}
	}
	for _, body := range []string{`{"Person":["somebody"]}`, `{"ner":{"Person":["somebody"]}}`} {
		status, answer = putLines(t, h, made.ID, body, "")
		assert.Equal(t, http.StatusBadRequest, status, answer)
		assert.Contains(t, answer, "lines are not read")
		assert.Contains(t, answer, "the labels are Money, Travel, Food")
	}
}

// Who may describe labels, and what describes none, of which nothing comes into the log.
func TestWhoMayDescribeAndWhat(t *testing.T) {
	s := apptest.NewStudio(t)
	cfg := apptest.Strict(t.TempDir(), s)
	cfg.AdminToken, cfg.ViewToken = "an-admin-token-that-is-long", "a-view-token-that-is-long"
	h := apptest.Start(t, cfg)
	p := s.NewProject(3)
	h.Register(p)
	settled(h, p)
	status, answer := putLines(t, h, p, `{"Money":["what things cost"]}`, "text/plain")
	require.Equal(t, http.StatusOK, status, answer)
	heard := func() uint64 {
		last, err := h.EventLog.Last(string(event.Changes))
		require.NoError(t, err)
		return last
	}
	log, path := heard(), fmt.Sprintf("/api/projects/%d/descriptions", p)
	for _, method := range []string{http.MethodGet, http.MethodPut} {
		assert.Equal(t, http.StatusUnauthorized, h.As(method, path, `{}`), method)
		assert.Equal(t, http.StatusUnauthorized, h.As(method, path, `{}`, "Authorization", "Bearer "+h.Keys.Backend().Password), "%s with Label Studio's own secret", method)
	}
	assert.Equal(t, http.StatusForbidden, h.As(http.MethodPut, path, `{}`, "Authorization", "Bearer a-view-token-that-is-long"))
	assert.Equal(t, http.StatusOK, h.As(http.MethodGet, path, "", "Authorization", "Bearer a-view-token-that-is-long"), "reading is another thing")

	labels := make([]string, 2001)
	for i := range labels {
		labels[i] = fmt.Sprintf(`"label %d":["x"]`, i)
	}
	for body, want := range map[string]string{
		``: "is empty", `[]`: "not a JSON object", `null`: "not a JSON object", `{"Money":"x"`: "not JSON", `{"Money":["x"]} {}`: "something follows",
		`Money=x&Food=y`: "not JSON", `{"Money":[{}]}`: "no list of texts", `{"Money":7}`: "no list of texts", `{"Money":["x"],"Money":["y"]}`: "there twice",
		"{\"Money\":[\"\xff\"]}": "UTF-8", `{"Money":["` + strings.Repeat("x", 501) + `"]}`: "more than 500 characters",
		`{"Mony":["x"]}`: "the labels are Money, Travel, Food", `{"other":{"Money":["x"]}}`: "no label that hone learns", `{"":["x"]}`: "no name",
		`{` + strings.Join(labels, ",") + `}`: "are too many", strings.Repeat(`{"a":`, 50000): "not JSON",
		`{"` + strings.Repeat("k", 100000) + `":["x"]}`: "longer than 1000 characters",
	} {
		status, answer := putLines(t, h, p, body, "application/json")
		assert.Equal(t, http.StatusBadRequest, status, "%.60q: %s", body, answer)
		assert.Contains(t, answer, want, "%.60q", body)
		assert.Less(t, len(answer), 1500, "%.60q", body)
	}
	status, answer = putLines(t, h, p, `Money=x&Food=y`, "application/x-www-form-urlencoded")
	assert.Equal(t, http.StatusBadRequest, status, answer)
	status, answer = putLines(t, h, 4711, `{"Money":["x"]}`, "")
	assert.Equal(t, http.StatusNotFound, status, answer)
	_, err := h.Client.Descriptions(t.Context(), 4711)
	require.Error(t, err)
	assert.Equal(t, log, heard(), "nothing of it came into the log")
	got, err := h.Client.Descriptions(t.Context(), p)
	require.NoError(t, err)
	assert.JSONEq(t, `{"Money":["what things cost"]}`, string(got.Descriptions))

	status, answer = putLines(t, h, p, `{"Money":[],"Food":null}`, "")
	assert.Equal(t, http.StatusOK, status, answer)
	assert.False(t, setting(h.Status(p), "descriptions").Set, "no lines are no setting")
}
