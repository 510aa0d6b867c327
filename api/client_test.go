package api_test

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hone-ml/hone/api"
	"github.com/hone-ml/hone/event"
)

func TestClientReadsWhatTheServerWrites(t *testing.T) {
	r := newRig(t)
	ctx := t.Context()
	ps, err := r.Client.Projects(ctx)
	require.NoError(t, err)
	assert.Equal(t, []api.Project{full()}, ps)
	p, err := r.Project(ctx, 3)
	require.NoError(t, err)
	assert.Equal(t, full(), p)
	history, err := r.Client.Accuracy(ctx, 3)
	require.NoError(t, err)
	require.Len(t, history.Points, 1)
	require.Equal(t, 6, history.Points[0].Pool["topic"].Random)
	_, err = r.Client.Accuracy(ctx, 99)
	require.ErrorContains(t, err, "hone connect --project 99")
	vs, err := r.Client.Versions(ctx, 3)
	require.NoError(t, err)
	assert.Equal(t, "hone-1", vs[0].Name)
	rep, err := r.Client.Connect(ctx, 3, "http://hone:9090")
	require.NoError(t, err)
	assert.False(t, rep.Failed())
	rep, err = r.Client.ConnectPolled(ctx, 3)
	require.NoError(t, err)
	assert.Equal(t, "poll", rep.Steps[0].Name)
	rep, err = r.Client.Doctor(ctx, 0)
	require.NoError(t, err)
	assert.True(t, rep.Failed())
	_, err = r.Client.Doctor(ctx, 3)
	require.NoError(t, err)
	ls, err := r.Client.DeadLetters(ctx, 7)
	require.NoError(t, err)
	assert.EqualValues(t, 17, ls[0].ID)
	n, err := r.OnDeadLetters(ctx, "replay", []uint64{4, 5})
	require.NoError(t, err)
	assert.Equal(t, 2, n)
	assert.Equal(t, []string{"connect 3 http://hone:9090", "poll 3", "doctor 0", "doctor 3", "list 7", "replay [4 5]"}, r.asked)

	for _, ask := range []func() (time.Time, error){
		func() (time.Time, error) { return r.Retrain(ctx, 3) },
		func() (time.Time, error) { return r.Reconcile(ctx, 3) },
		func() (time.Time, error) { return r.Rollback(ctx, 3, "a name & more") },
	} {
		got, err := ask()
		require.NoError(t, err)
		assert.Equal(t, at, got)
	}
	assert.Equal(t, &event.RollbackDue{Project: 3, At: at, To: "a name & more"}, r.events[2])
}

func TestClientErrorsAreSentences(t *testing.T) {
	answer := func(status int, body string) func(http.ResponseWriter, *http.Request) {
		return func(w http.ResponseWriter, _ *http.Request) {
			if status == http.StatusFound {
				w.Header().Set("Location", "http://elsewhere.example/")
			}
			w.WriteHeader(status)
			_, _ = w.Write([]byte(body))
		}
	}
	for name, tc := range map[string]struct {
		serve func(http.ResponseWriter, *http.Request)
		says  string
	}{
		"hone's own sentence":  {answer(404, `{"error":"unknown project 3"}`), "unknown project 3"},
		"hone's own with ML's": {answer(401, `{"error":"hone asks for its secret","detail":"x"}`), "asks for its secret"},
		"a bare 401":           {answer(401, ``), "HONE_ADMIN_TOKEN"},
		"another server":       {answer(404, `<html>not found`), "is that a hone?"},
		"another server's 200": {answer(200, `<html>welcome`), "is that a hone?"},
		"a redirect":           {answer(302, ``), "is that a hone?"},
		"it broke off":         {func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, "broke off"},
	} {
		t.Run(name, func(t *testing.T) {
			s := httptest.NewServer(http.HandlerFunc(tc.serve))
			defer s.Close()
			_, err := (&api.Client{Base: s.URL, Token: token}).Project(t.Context(), 3)
			require.ErrorContains(t, err, tc.says)
			assert.NotErrorIs(t, err, api.ErrNotRunning)
			assert.NotContains(t, err.Error(), token)
		})
	}
}

func TestNothingRuns(t *testing.T) {
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	addr := l.Addr().String()
	require.NoError(t, l.Close())
	for _, base := range []string{"http://" + addr, "http://no-such-host.invalid:9090"} {
		err = (&api.Client{Base: base}).Health(t.Context())
		require.ErrorIs(t, err, api.ErrNotRunning)
		assert.ErrorContains(t, err, base)
		assert.ErrorContains(t, err, "--listen")
	}
}

func TestNoAnswerInTime(t *testing.T) {
	stop := make(chan struct{})
	s := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-stop }))
	defer s.Close()
	defer close(stop)
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	assert.ErrorContains(t, (&api.Client{Base: s.URL}).Health(ctx), "does not answer in time")
}

func TestBaseFromListen(t *testing.T) {
	for listen, want := range map[string]string{
		":9090": "http://127.0.0.1:9090", "0.0.0.0:80": "http://127.0.0.1:80", "[::]:9090": "http://127.0.0.1:9090",
		"127.0.0.2:1": "http://127.0.0.2:1", "hone.internal:9090": "http://hone.internal:9090", "[fe80::1]:9": "http://[fe80::1]:9",
	} {
		got, err := api.BaseFromListen(listen, false)
		require.NoError(t, err)
		assert.Equal(t, want, got)
		got, err = api.BaseFromListen(listen, true)
		require.NoError(t, err)
		assert.Equal(t, strings.Replace(want, "http:", "https:", 1), got)
	}
	_, err := api.BaseFromListen("9090", false)
	assert.ErrorContains(t, err, "9090")
}

func TestPredictChoices(t *testing.T) {
	body := `{"results":[{"result":[{"value":{"rating":3}},{"value":{"choices":["A","B"]}}]},{}]}`
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(body)) }))
	defer s.Close()
	c := &api.Client{Base: s.URL}
	got, err := c.PredictChoices(t.Context(), 3, []string{"x", "y"})
	require.NoError(t, err)
	assert.Equal(t, []string{"A", ""}, got)
	_, err = c.PredictChoices(t.Context(), 3, []string{"x"})
	assert.ErrorContains(t, err, "2 results for 1 texts")
}
