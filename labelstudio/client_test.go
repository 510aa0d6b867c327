package labelstudio

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sirupsen/logrus"
	"github.com/stretchr/testify/require"

	"github.com/hone-ml/hone/internal/secret"
)

const secretToken = "0123456789secret0123456789secret01234567"

// testClient talks to h with pauses too short to notice.
func testClient(t *testing.T, h http.Handler, change ...func(*Options)) (*Client, *httptest.Server) {
	t.Helper()
	srv := httptest.NewServer(h)
	t.Cleanup(srv.Close)
	o := Options{URL: srv.URL, Token: secretToken, RetryWait: time.Microsecond, MaxRetryWait: time.Microsecond}
	for _, f := range change {
		f(&o)
	}
	c, err := NewClient(o)
	require.NoError(t, err)
	t.Cleanup(c.Close)
	return c, srv
}

func TestRepeatsOnlyWhatIsSafe(t *testing.T) {
	get := apiCall{op: "read", method: http.MethodGet, path: "/x"}
	post := apiCall{op: "write", method: http.MethodPost, path: "/x", body: map[string]int{"a": 1}}
	patch := apiCall{op: "set", method: http.MethodPatch, path: "/x", body: map[string]int{"a": 1}}
	answer := func(status int, header ...string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			for i := 0; i+1 < len(header); i += 2 {
				w.Header().Set(header[i], header[i+1])
			}
			w.WriteHeader(status)
		}
	}
	cut := func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		conn, _, err := w.(http.Hijacker).Hijack()
		if err == nil {
			_ = conn.Close()
		}
	}
	hang := func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		<-r.Context().Done()
	}
	for _, tt := range []struct {
		name  string
		k     apiCall
		h     http.HandlerFunc
		tries int32
	}{
		{"GET 503", get, answer(503), 3},
		{"GET 502", get, answer(502), 3},
		{"GET 504", get, answer(504), 3},
		{"GET 429", get, answer(429), 3},
		{"GET 500", get, answer(500), 1},
		{"GET 404", get, answer(404), 1},
		{"GET cut", get, cut, 3},
		{"GET hang", get, hang, 3},
		{"PATCH 502", patch, answer(502), 3},
		{"POST 429", post, answer(429), 3},
		{"POST 502", post, answer(502), 1},
		{"POST 503", post, answer(503), 1},
		{"POST 503 with Retry-After", post, answer(503, "Retry-After", "0"), 3},
		{"POST 504", post, answer(504), 1},
		{"POST cut", post, cut, 1},
		{"POST hang", post, hang, 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var tries atomic.Int32
			c, _ := testClient(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				tries.Add(1)
				tt.h(w, r)
			}), func(o *Options) { o.Retries, o.Timeout = 2, 100*time.Millisecond })
			err := c.do(t.Context(), tt.k)
			require.Error(t, err)
			require.Equal(t, tt.tries, tries.Load())
			want := !strings.Contains(tt.name, "404")
			require.Equal(t, want, Retryable(err), err)
		})
	}
}

// A request that never reached the server is repeated whatever it is, with its
// body.
func TestRepeatsRefusedConnection(t *testing.T) {
	var body string
	srv := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		body = string(b)
	}))
	defer srv.Close()
	var dials atomic.Int32
	transport := &http.Transport{DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
		if dials.Add(1) < 3 {
			return nil, &net.OpError{Op: "dial", Net: network, Err: errors.New("connection refused")}
		}
		return new(net.Dialer).DialContext(ctx, network, srv.Listener.Addr().String())
	}}
	defer transport.CloseIdleConnections()
	c, err := NewClient(Options{URL: "http://ls.invalid", Token: secretToken, Transport: transport, RetryWait: time.Microsecond, MaxRetryWait: time.Microsecond})
	require.NoError(t, err)
	require.NoError(t, c.do(t.Context(), apiCall{op: "write", method: http.MethodPost, path: "/x", body: "payload"}))
	require.EqualValues(t, 3, dials.Load())
	require.Equal(t, `"payload"`, body)
}

func TestWaitsAsLongAsTheServerSays(t *testing.T) {
	res := &http.Response{Header: http.Header{"Retry-After": {"86400"}}}
	require.Equal(t, maxRetryAfter, jitteredBackoff(rand.Float64)(time.Millisecond, time.Second, 0, res))
	for attempt := range 70 {
		d := jitteredBackoff(rand.Float64)(time.Millisecond, time.Second, attempt, nil)
		full := min(time.Second, time.Millisecond<<min(attempt, 20))
		require.GreaterOrEqual(t, d, full/2)
		require.LessOrEqual(t, d, full)
	}
}

func TestLimitsRequestsInFlight(t *testing.T) {
	var running, most atomic.Int32
	entered, leave := make(chan struct{}, 16), make(chan struct{})
	c, _ := testClient(t, http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		n := running.Add(1)
		for m := most.Load(); n > m && !most.CompareAndSwap(m, n); m = most.Load() {
		}
		entered <- struct{}{}
		<-leave
		running.Add(-1)
	}), func(o *Options) { o.MaxInFlight = 2 })
	results := make(chan error, 6)
	for range 6 {
		go func() { results <- c.do(context.Background(), apiCall{op: "x", method: http.MethodGet, path: "/"}) }()
	}
	<-entered
	<-entered
	// A third caller that gives up while waiting for a slot must get its own error.
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	require.ErrorIs(t, c.do(ctx, apiCall{op: "x", method: http.MethodGet, path: "/"}), context.Canceled)
	close(leave)
	for range 6 {
		require.NoError(t, <-results)
	}
	require.EqualValues(t, 2, most.Load())
}

// While one request waits to be repeated, another may use its slot.
func TestHoldsNoSlotWhileWaiting(t *testing.T) {
	failed := make(chan struct{})
	c, _ := testClient(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/busy" {
			w.Header().Set("Retry-After", "60")
			w.WriteHeader(http.StatusServiceUnavailable)
			close(failed)
		}
	}), func(o *Options) { o.MaxInFlight = 1 })
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- c.do(ctx, apiCall{op: "x", method: http.MethodGet, path: "/busy"}) }()
	<-failed
	require.NoError(t, c.do(t.Context(), apiCall{op: "x", method: http.MethodGet, path: "/free"}))
	cancel()
	err := <-done
	require.ErrorIs(t, err, context.Canceled)
	require.False(t, Retryable(err))
}

func TestBaseURL(t *testing.T) {
	for _, bad := range []string{"", "localhost:8080", "ftp://x", "http://", "http://:80", "http://u:hunter2@x", "http://x?q=1", "http://x#f", "http://x:hunter2/%zz", "://"} {
		_, err := NewClient(Options{URL: bad, Token: secretToken})
		require.Error(t, err, bad)
		require.NotContains(t, err.Error(), "hunter2")
	}
	for _, bad := range []secret.Secret{"a b", "tok\nen", "tökén"} {
		_, err := NewClient(Options{URL: "http://x", Token: bad})
		require.Error(t, err)
		require.NotContains(t, err.Error(), string(bad))
	}
	var path string
	c, srv := testClient(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		path = r.URL.Path
		_, _ = io.WriteString(w, `{}`)
	}), func(o *Options) { o.URL += "/label/studio//"; o.Token = " " + secretToken + "\n" })
	_, err := c.WhoAmI(t.Context())
	require.NoError(t, err)
	require.Equal(t, "/label/studio/api/current-user/whoami", path)
	require.Equal(t, srv.URL+"/label/studio", c.URL())
}

// Whatever happens, the token goes to the configured address only and shows in
// nothing that is printed.
func TestTokenGoesNowhereElse(t *testing.T) {
	var foreign atomic.Int32
	other := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { foreign.Add(1) }))
	defer other.Close()
	_, port, _ := net.SplitHostPort(strings.TrimPrefix(other.URL, "http://"))
	var target string
	logged := new(strings.Builder)
	log := logrus.New()
	log.SetOutput(logged)
	log.SetLevel(logrus.TraceLevel)
	c, srv := testClient(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case strings.HasSuffix(r.URL.Path, "/arrived"):
			w.WriteHeader(http.StatusBadRequest)
			_ = json.NewEncoder(w).Encode(map[string]string{"detail": "you sent " + r.Header.Get("Authorization")})
		case r.URL.Path == "/busy":
			w.WriteHeader(http.StatusServiceUnavailable)
		default:
			http.Redirect(w, r, target, http.StatusTemporaryRedirect)
		}
	}), func(o *Options) { o.URL += "/prefix"; o.Logger = logrus.NewEntry(log) })
	printed := fmt.Sprintf("%v %+v %#v %s %d", c, c, c, c, c)
	for _, tt := range []struct{ target, want string }{
		{other.URL + "/prefix/x", "another address"},
		{"http://localhost:" + port + "/prefix", "another address"},
		{strings.Replace(srv.URL, "http:", "https:", 1) + "/prefix/x", "redirects to https"},
		{srv.URL + "/elsewhere", "outside the configured path"},
		{srv.URL + "/prefix/../elsewhere", "outside the configured path"},
		{srv.URL + "/prefixed/x", "outside the configured path"},
		{srv.URL + "/prefix/round", "in a circle"},
		{srv.URL + "/prefix/arrived", "you sent Token [redacted]"},
	} {
		target = tt.target
		err := c.do(t.Context(), apiCall{op: "read", method: http.MethodGet, path: "/start"})
		require.ErrorContains(t, err, tt.want, tt.target)
		require.False(t, Retryable(err))
		printed += err.Error()
	}
	target = srv.URL + "/prefix/arrived"
	require.ErrorContains(t, c.do(t.Context(), apiCall{op: "write", method: http.MethodPost, path: "/start", body: 1}), "redirects a POST")
	require.Zero(t, foreign.Load())

	o := Options{URL: "http://x", Token: secretToken}
	encoded, err := json.Marshal(struct {
		T secret.Secret
		M map[string]secret.Secret
	}{secretToken, map[string]secret.Secret{"a": secretToken}})
	require.NoError(t, err)
	printed += fmt.Sprintf("%v %+v %#v %x %d %q", o, o, o, o.Token, o.Token, o.Token) + string(encoded) + logged.String() +
		fmt.Sprintf("%+v", Webhook{Headers: map[string]secret.Secret{"X": secretToken}}) + fmt.Sprintf("%#v", BackendWrite{Password: secretToken})
	require.NotContains(t, printed, "secret")
}

func TestErrorsSayWhatToDo(t *testing.T) {
	for _, tt := range []struct {
		status     int
		kind, body string
		want       []string
		not        string
	}{
		{401, "application/json", `{"detail":"Authentication token no longer valid: legacy token authentication has been disabled for this organization"}`, []string{"personal access token", "Organization"}, ""},
		{401, "application/json", `{"detail":"Invalid token."}`, []string{"LABEL_STUDIO_API_KEY"}, ""},
		{403, "application/json", `{"detail":"URL resolves to a reserved network address (block: 127.0.0.0/8)"}`, []string{"SSRF_PROTECTION_ENABLED=false"}, ""},
		{403, "application/json", `{"detail":"The provided URL was not allowed. URLs must use http:// or https://"}`, []string{"percent-encode"}, "SSRF_PROTECTION_ENABLED"},
		{500, "application/json", `{"detail":"Can't resolve hostname [::1]"}`, []string{"IPv4"}, ""},
		{400, "application/json", `{"detail":"Validation error","validation_errors":{"non_field_errors":["Able to connect to ML Server, but authentication parameters were either not provided or are incorrect."]}}`, []string{"check the user name and password"}, ""},
		{400, "application/json", `{"detail":"Validation error","validation_errors":{"title":["too short"],"non_field_errors":["b <a href=\"http://x\">more</a>"],"n":{"deep":[1,"x"]}}}`, []string{"title: too short", "b more", "n: deep: 1 x"}, "Validation error"},
		{500, "text/html", "<html>x</html>", []string{"500", "web page"}, "<html>"},
		{404, "text/html", "<html>x</html>", []string{"404"}, "<html>"},
		{400, "application/json", `{"detail":"` + strings.Repeat("ü", 5000) + `"}`, []string{"…"}, strings.Repeat("ü", 500)},
		{400, "application/json", "\xff\x00{", []string{"400"}, ""},
	} {
		c, _ := testClient(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", tt.kind)
			w.WriteHeader(tt.status)
			_, _ = io.WriteString(w, tt.body)
		}))
		_, err := c.Project(t.Context(), 7)
		var e *APIError
		require.ErrorAs(t, err, &e)
		require.Equal(t, tt.status, e.Status)
		require.ErrorContains(t, err, "read project 7")
		for _, w := range tt.want {
			require.ErrorContains(t, err, w)
		}
		if tt.not != "" {
			require.NotContains(t, err.Error(), tt.not)
		}
		require.Equal(t, tt.status == 404, IsNotFound(err))
		require.Equal(t, tt.status == 401, IsUnauthorized(err))
		require.Equal(t, tt.status == 500, Retryable(err))
	}
	c, _ := testClient(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		_, _ = io.WriteString(w, "<html>login</html>")
	}))
	_, err := c.Project(t.Context(), 7)
	require.ErrorContains(t, err, "really Label Studio's address")
	_, err = mustClient(t, Options{URL: "http://x"}).Project(t.Context(), 1)
	require.ErrorContains(t, err, "LABEL_STUDIO_API_KEY")
}

func mustClient(t *testing.T, o Options) *Client {
	t.Helper()
	c, err := NewClient(o)
	require.NoError(t, err)
	return c
}

// A webhook's PATCH must name everything again, or Label Studio forgets it.
func TestUpdateWebhookSendsEverything(t *testing.T) {
	var body map[string]any
	c, _ := testClient(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_ = json.NewDecoder(r.Body).Decode(&body)
		_, _ = io.WriteString(w, `{"id":3}`)
	}))
	_, err := c.UpdateWebhook(t.Context(), Webhook{ID: 3, URL: "http://h", Actions: []string{"A"}, Headers: map[string]secret.Secret{"X-S": "v"}})
	require.NoError(t, err)
	require.Equal(t, map[string]any{
		"url": "http://h", "actions": []any{"A"}, "headers": map[string]any{"X-S": "v"},
		"send_payload": false, "send_for_all_actions": false, "is_active": false,
	}, body)
	_, err = c.PatchBackend(t.Context(), 1, BackendWrite{})
	require.ErrorContains(t, err, "must be given")
}

func TestRetryableErrors(t *testing.T) {
	require.False(t, Retryable(nil))
	require.False(t, Retryable(errors.New("bad data")))
	require.False(t, Retryable(fmt.Errorf("x: %w", &url.Error{Op: "Get", Err: context.Canceled})))
	require.True(t, Retryable(fmt.Errorf("x: %w", context.DeadlineExceeded)))
	require.True(t, Retryable(fmt.Errorf("x: %w", io.ErrUnexpectedEOF)))
	require.False(t, Retryable(&PartialImportError{}))
}
