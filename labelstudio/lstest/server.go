// Package lstest is an in-process stand-in for Label Studio 1.23.2, for tests
// that must be fast or must make it fail. It does over HTTP what hone depends
// on, quirks included, and a suite that also runs against the real one keeps it
// honest. What hone does not use is missing: an unknown request is a 501 that
// names it, never a silent success.
package lstest

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Credentials of the first user of a new Server.
const (
	Token = "0123456789abcdef0123456789abcdef01234567"
	Email = "dev@example.com"
)

// Fault makes a request fail. The zero value does nothing.
type Fault struct {
	// Delay is waited first.
	Delay time.Duration
	// Status, if not 0, is answered instead of executing the request.
	Status int
	// Header is added to the answer, such as Retry-After.
	Header http.Header
	// CutAfter executes the request and closes the connection instead of
	// answering: what was asked has happened, and nobody was told.
	CutAfter bool
}

// Request is one request the server received, for tests that count.
type Request struct{ Method, Path string }

// Server is a running stand-in. It is safe for concurrent use.
type Server struct {
	// URL is its address, without a trailing slash.
	URL string

	http *httptest.Server
	out  *http.Client // calls webhooks and ML backends

	handler http.Handler

	mu     sync.Mutex
	last   time.Time
	ahead  time.Duration // of the clock
	nextID map[string]int64
	users  []*account
	tokens TokenSettings
	access map[string]accessToken // access token -> whose, until when
	database

	fault func(*http.Request) Fault
	// onProjectSave runs between the reading of a project's row and its saving.
	onProjectSave func(body []byte)
	accessLife    time.Duration
	hookTimeout   time.Duration
	dropHooks     int
	hookLimit     int // failures in a row that switch a webhook off; 0: they are not counted
	names         map[string]string
	deliveries    []Delivery
	requests      []Request
}

// TokenSettings says which kinds of token are accepted.
type TokenSettings struct {
	PersonalAccessTokens bool `json:"api_tokens_enabled"`
	LegacyTokens         bool `json:"legacy_api_tokens_enabled"`
}

// New starts a server with one user, Email, whose legacy token is Token. Close
// it.
func New() *Server {
	s := prepare()
	// Every call is a new connection, as Label Studio makes them.
	s.out = &http.Client{Transport: &http.Transport{DisableKeepAlives: true, DialContext: s.dial}}
	s.http = httptest.NewServer(s.handler)
	s.URL = s.http.URL
	return s
}

func prepare() *Server {
	s := &Server{
		nextID: map[string]int64{}, access: map[string]accessToken{},
		database: database{
			projects: map[int64]*project{}, tasks: map[int64]*task{}, notes: map[int64]*annotation{},
			preds: map[int64]*prediction{}, backends: map[int64]*backend{}, hooks: map[int64]*webhook{},
		},
		tokens:     TokenSettings{PersonalAccessTokens: true, LegacyTokens: true},
		accessLife: 300 * time.Second, hookTimeout: time.Second,
	}
	s.addUser(Email, Token)
	mux := http.NewServeMux()
	s.routes(mux)
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		failureResult(http.StatusNotImplemented, fmt.Sprintf("the stand-in does not know %s %s", r.Method, r.URL.Path)).writeTo(w)
	})
	s.handler = s.withFaults(mux)
	return s
}

// Close stops the server and waits for requests under way.
func (s *Server) Close() {
	if s.http != nil {
		s.http.CloseClientConnections()
		s.http.Close()
	}
	s.out.CloseIdleConnections()
}

// SetFault asks f before every request; nil asks nobody.
func (s *Server) SetFault(f func(*http.Request) Fault) { s.locked(func() { s.fault = f }) }

// OnProjectSave has f called with the body of each PATCH of a project after the project's row
// was read and before it is saved; nil calls nobody. Label Studio saves the whole row, so what
// another request has saved while f runs is lost.
func (s *Server) OnProjectSave(f func(body []byte)) { s.locked(func() { s.onProjectSave = f }) }

// SetTokens chooses which kinds of token are accepted.
func (s *Server) SetTokens(t TokenSettings) { s.locked(func() { s.tokens = t }) }

// SetAccessLife changes how long an exchanged token is valid, from now on;
// Label Studio's is 300 s.
func (s *Server) SetAccessLife(d time.Duration) { s.locked(func() { s.accessLife = d }) }

// RevokeAccess makes every exchanged token invalid now.
func (s *Server) RevokeAccess() { s.locked(func() { clear(s.access) }) }

// SetWebhookTimeout changes how long a webhook may take; Label Studio's is 1 s.
func (s *Server) SetWebhookTimeout(d time.Duration) { s.locked(func() { s.hookTimeout = d }) }

// DropWebhooks loses the next n deliveries; a negative n all until set again.
func (s *Server) DropWebhooks(n int) { s.locked(func() { s.dropHooks = n }) }

// LimitWebhookFailures switches a webhook off when so many of its deliveries have failed in
// a row, as Label Studio after 1.23.2 does at 50, and shows the count. 0, the default, does
// what 1.23.2 does: nothing is counted.
func (s *Server) LimitWebhookFailures(n int) { s.locked(func() { s.hookLimit = n }) }

// Requests returns what was received so far, in order.
func (s *Server) Requests() (all []Request) {
	s.locked(func() { all = append(all, s.requests...) })
	return all
}

func (s *Server) locked(f func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f()
}

// withFaults wraps the handler so that requests fail as SetFault chose.
func (s *Server) withFaults(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var f func(*http.Request) Fault
		s.locked(func() {
			s.requests = append(s.requests, Request{r.Method, r.URL.Path})
			f = s.fault
			w.Header().Set("Date", time.Now().Add(s.ahead).UTC().Format(http.TimeFormat))
		})
		var fault Fault
		if f != nil {
			fault = f(r)
		}
		if fault.Delay > 0 {
			select {
			case <-time.After(fault.Delay):
			case <-r.Context().Done():
				return
			}
		}
		for k, v := range fault.Header {
			w.Header()[k] = v
		}
		switch {
		case fault.Status != 0:
			failureResult(fault.Status, "injected fault").writeTo(w)
		case fault.CutAfter:
			next.ServeHTTP(httptest.NewRecorder(), r)
			panic(http.ErrAbortHandler)
		default:
			next.ServeHTTP(w, r)
		}
	})
}

// jsonObject is a JSON object.
type jsonObject = map[string]any

// now returns strictly increasing times, in microseconds as Label Studio stores them.
func (s *Server) now() time.Time {
	t := time.Now().Add(s.ahead).UTC().Truncate(time.Microsecond)
	if !t.After(s.last) {
		t = s.last.Add(time.Microsecond)
	}
	s.last = t
	return t
}

// nextRowID returns an id that was never used before, as in Label Studio.
func (s *Server) nextRowID(kind string) int64 {
	s.nextID[kind]++
	return s.nextID[kind]
}

func formatTime(t time.Time) string { return t.Format("2006-01-02T15:04:05.000000Z") }

// apiResult is an answer, and the webhooks that are sent before it.
type apiResult struct {
	status int
	body   any
	send   []*webhookEvent
}

func okResult(body any) apiResult { return apiResult{status: http.StatusOK, body: body} }

func (r apiResult) withEvents(events ...*webhookEvent) apiResult {
	r.send = append(r.send, events...)
	return r
}

func noContent() apiResult { return apiResult{status: http.StatusNoContent} }

// failureResult answers as Label Studio does: the id is a request's, not a thing's.
func failureResult(status int, detail string) apiResult {
	return apiResult{status: status, body: jsonObject{
		"id": "00000000-0000-4000-8000-000000000000", "status_code": status, "version": "1.23.2", "detail": detail, "exc_info": nil,
	}}
}

func notFound(kind string) apiResult {
	return failureResult(http.StatusNotFound, "No "+kind+" matches the given query.")
}

func invalidField(field, message string) apiResult {
	r := failureResult(http.StatusBadRequest, "Validation error")
	r.body.(jsonObject)["validation_errors"] = jsonObject{field: []string{message}}
	return r
}

func (r apiResult) writeTo(w http.ResponseWriter) {
	if r.status == http.StatusNoContent {
		w.WriteHeader(r.status)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(r.status)
	_ = json.NewEncoder(w).Encode(r.body)
}

// apiAction handles a request of a user; the lock is held.
type apiAction func(r *apiRequest) apiResult

type apiRequest struct {
	*http.Request
	user *account
	body []byte
}

// decodeBody decodes the body into v.
func (r *apiRequest) decodeBody(v any) *apiResult {
	if len(strings.TrimSpace(string(r.body))) == 0 {
		return nil
	}
	if err := json.Unmarshal(r.body, v); err != nil {
		return new(failureResult(http.StatusBadRequest, "JSON parse error - "+err.Error()))
	}
	return nil
}

func (r *apiRequest) pathID() int64 {
	id, err := strconv.ParseInt(r.PathValue("id"), 10, 64)
	if err != nil {
		return -1
	}
	return id
}

// runAction runs an action with the lock, then sends its webhooks without it, then
// answers: the order a real Label Studio keeps.
func (s *Server) runAction(a apiAction) http.HandlerFunc {
	return s.withAccount(func(r *apiRequest) apiResult {
		s.mu.Lock()
		res := a(r)
		s.mu.Unlock()
		for _, e := range res.send {
			s.deliver(e)
		}
		return res
	})
}

func intParam(q url.Values, name string, def int) int {
	n := def
	if v := q.Get(name); v != "" {
		_, _ = fmt.Sscan(v, &n)
	}
	return n
}
