package api_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hone-ml/hone/api"
	"github.com/hone-ml/hone/event"
	"github.com/hone-ml/hone/internal/golden"
)

// What people script against. Fields may be added to the files, never renamed.
func TestFieldNamesAreAContract(t *testing.T) {
	r := newRig(t)
	r.projects[5] = api.Project{ID: 5, Heads: []api.Head{{Labels: []string{}}}, Queue: api.Queue{Tasks: []event.TaskID{}, Confidences: []*float64{}, Reasons: []api.Reason{}}}
	for file, path := range map[string]string{
		"project.json": "/api/projects/3", "project-empty.json": "/api/projects/5", "projects.json": "/api/projects",
		"secret.json": "/api/secret", "versions.json": "/api/projects/3/versions", "deadletters.json": "/api/deadletters", "doctor.json": "/api/doctor",
	} {
		status, body := r.call(http.MethodGet, path, "")
		require.Equal(t, 200, status)
		var got bytes.Buffer
		require.NoError(t, json.Indent(&got, []byte(body), "", "  "))
		golden.Check(t, file, append(got.Bytes(), '\n'))
	}
}

func TestReadingNothingIsNull(t *testing.T) {
	b, err := json.Marshal(api.Project{})
	require.NoError(t, err)
	for _, field := range []string{"optimality_gap", "last_event", "last_reconcile"} {
		assert.Contains(t, string(b), `"`+field+`":null`)
	}
}

func TestEveryRouteOfTheAPIIsBehindTheGate(t *testing.T) {
	r := newRig(t)
	for _, q := range []string{
		"GET /api/projects", "GET /api/projects/3", "PATCH /api/projects/3", "GET /api/projects/3/versions", "POST /api/projects/3/connect", "POST /api/projects/3/retrain",
		"POST /api/projects/3/reconcile", "POST /api/projects/3/rollback", "GET /api/deadletters", "POST /api/deadletters/replay",
		"POST /api/deadletters/drop", "GET /api/doctor", "GET /api/backup", "GET /api/secret", "POST /api/secret/rotate",
	} {
		method, path, _ := strings.Cut(q, " ")
		status, _ := r.call(method, path, "{}", func(q *http.Request) { q.Header.Del("Authorization") })
		assert.Equal(t, http.StatusUnauthorized, status, q)
	}
	assert.Empty(t, r.asked)
	assert.Empty(t, r.events)
	for path, want := range map[string]string{"/healthz": `{"status":"ok"}`, "/readyz": `{"status":"ready"}`, "/metrics": "hone_up 1\n"} {
		status, body := r.call(http.MethodGet, path, "", func(q *http.Request) { q.Header.Del("Authorization") })
		assert.Equal(t, 200, status)
		assert.Equal(t, want, body)
	}
}

func TestNotReadyWhileLoading(t *testing.T) {
	r := newRig(t)
	r.ready = errors.New("loading the models")
	status, body := r.call(http.MethodGet, "/readyz", "")
	assert.Equal(t, http.StatusServiceUnavailable, status)
	assert.Equal(t, `{"error":"loading the models"}`, body)
	status, _ = r.call(http.MethodGet, "/healthz", "")
	assert.Equal(t, 200, status, "it is alive nonetheless")
}

func TestCommandsBecomeEvents(t *testing.T) {
	for path, want := range map[string]event.Event{
		"retrain":                  &event.RetrainDue{Project: 3, At: at, Reason: "command"},
		"reconcile":                &event.ReconcileDue{Project: 3, At: at, Reason: "command", Full: true, Contents: true},
		"reconcile?full=false":     &event.ReconcileDue{Project: 3, At: at, Reason: "command"},
		"reconcile?contents=false": &event.ReconcileDue{Project: 3, At: at, Reason: "command", Full: true},
		"rebuild":                  &event.ReconcileDue{Project: 3, At: at, Reason: "command", Full: true, Contents: true, Anew: true},
		"rollback":                 &event.RollbackDue{Project: 3, At: at},
		"rollback?to=hone-1":       &event.RollbackDue{Project: 3, At: at, To: "hone-1"},
	} {
		r := newRig(t)
		status, body := r.call(http.MethodPost, "/api/projects/3/"+path, "")
		assert.Equal(t, http.StatusAccepted, status)
		assert.JSONEq(t, `{"status":"accepted","at":"2026-11-23T20:50:33.468784Z"}`, body)
		assert.Equal(t, []event.Event{want}, r.events)
	}
}

func TestStatuses(t *testing.T) {
	big := `{"url":"` + strings.Repeat("x", 2<<20) + `"}`
	for name, tc := range map[string]struct {
		method, path, body string
		fail               error
		status             int
		says               string
	}{
		"unknown project":           {"GET", "/api/projects/9", "", nil, 404, "hone connect --project 9"},
		"versions of unknown":       {"GET", "/api/projects/9/versions", "", nil, 404, "unknown project 9"},
		"retrain of unknown":        {"POST", "/api/projects/9/retrain", "", nil, 404, "unknown project 9"},
		"retrain without a model":   {"POST", "/api/projects/4/retrain", "", nil, 409, "cannot be learned from"},
		"rollback without a model":  {"POST", "/api/projects/4/rollback", "", nil, 409, "no model yet"},
		"reconcile without a model": {"POST", "/api/projects/4/reconcile", "", nil, 202, "accepted"},
		"not a number":              {"GET", "/api/projects/x", "", nil, 400, "project id must be a number"},
		"below one":                 {"POST", "/api/projects/0/retrain", "", nil, 400, "project id must be a number"},
		"too large a number":        {"GET", "/api/projects/99999999999999999999", "", nil, 400, "project id must be a number"},
		"connect, no body":          {"POST", "/api/projects/3/connect", "", nil, 400, `{\"url\": \"http://host:port\"}`},
		"connect, not JSON":         {"POST", "/api/projects/3/connect", "url", nil, 400, "the body must be"},
		"connect, enormous":         {"POST", "/api/projects/3/connect", big, nil, 400, "the body must be"},
		"connect, Label Studio bad": {"POST", "/api/projects/3/connect", `{"url":"http://h"}`, coded(502), 502, "a coded error"},
		"doctor, not a number":      {"GET", "/api/doctor?project=x", "", nil, 400, "project must be a number"},
		"doctor, negative":          {"GET", "/api/doctor?project=-1", "", nil, 400, "project must be a number"},
		"limit not a number":        {"GET", "/api/deadletters?limit=x", "", nil, 400, "limit must be"},
		"limit zero":                {"GET", "/api/deadletters?limit=0", "", nil, 400, "limit must be"},
		"limit large":               {"GET", "/api/deadletters?limit=1001", "", nil, 400, "limit must be"},
		"ids of another kind":       {"POST", "/api/deadletters/drop", `{"ids":["a"]}`, nil, 400, "the body must be"},
		"ids not JSON":              {"POST", "/api/deadletters/drop", `17`, nil, 400, "the body must be"},
		"a wrapped coded error":     {"GET", "/api/projects", "", fmt.Errorf("list: %w", coded(503)), 503, "list: a coded error"},
		"too slow":                  {"GET", "/api/projects", "", context.DeadlineExceeded, 504, "deadline"},
		"anything else":             {"GET", "/api/deadletters", "", errors.New("torn page"), 500, "torn page"},
		"storage, when asking":      {"GET", "/api/projects/3", "", coded(503), 503, "a coded error"},
		"replay fails":              {"POST", "/api/deadletters/replay", "", errors.New("torn page"), 500, "torn page"},
		"doctor fails":              {"GET", "/api/doctor", "", errors.New("torn page"), 500, "torn page"},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			r.fail = tc.fail
			status, body := r.call(tc.method, tc.path, tc.body)
			assert.Equal(t, tc.status, status, body)
			assert.Contains(t, body, tc.says)
			assert.True(t, json.Valid([]byte(body)), body)
		})
	}
}

func TestDeadLetterIDs(t *testing.T) {
	for body, want := range map[string]string{`{"ids":[1,2]}`: "drop [1 2]", `{"ids":[]}`: "drop []", `{}`: "drop []", ``: "drop []"} {
		r := newRig(t)
		status, _ := r.call(http.MethodPost, "/api/deadletters/drop", body)
		assert.Equal(t, 200, status)
		assert.Equal(t, []string{want}, r.asked)
	}
}

// A page that a person has open must not be able to command hone through them.
func TestForeignWebPagesAreRefused(t *testing.T) {
	foreign := func(q *http.Request) { q.Header.Set("Sec-Fetch-Site", "cross-site") }
	origin := func(q *http.Request) { q.Header.Set("Origin", "http://evil.example") }
	for _, change := range []func(*http.Request){foreign, origin} {
		r := newRig(t)
		status, body := r.call(http.MethodPost, "/api/deadletters/drop", "", change)
		assert.Equal(t, http.StatusForbidden, status)
		assert.Contains(t, body, "web page")
		assert.Empty(t, r.asked)
	}
}

func TestBackupIsTheWholeFileOrBreaksOff(t *testing.T) {
	r := newRig(t)
	var b bytes.Buffer
	require.NoError(t, r.Client.Backup(t.Context(), &b))
	assert.Equal(t, "a whole database", b.String())

	r.fail = errors.New("torn page")
	err := r.Client.Backup(t.Context(), &bytes.Buffer{})
	assert.Error(t, err, "half a file must not look like a whole one")
}
