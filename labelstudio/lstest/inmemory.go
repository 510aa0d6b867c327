package lstest

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"time"
)

// NewInMemory makes a server without a listener, for tests on the clock of
// testing/synctest, where waiting for a socket would stop the clock. It calls
// itself address; webhooks and ML backends are called through out, and Handler
// takes the requests.
func NewInMemory(address string, out http.RoundTripper) *Server {
	s := prepare()
	s.URL, s.out = address, &http.Client{Transport: out}
	return s
}

// Handler returns the server's handler, which includes the faults.
func (s *Server) Handler() http.Handler { return s.handler }

// SetClock makes the server's clock differ from the real one by ahead, from now on.
// The dates it gives then may be before earlier ones, as in reality.
func (s *Server) SetClock(ahead time.Duration) {
	s.locked(func() { s.ahead, s.last = ahead, time.Time{} })
}

// ErrCut is the error of a call whose handler closed the connection.
var ErrCut = errors.New("the connection was cut")

// Direct calls a handler without a network, from an address that is not this
// machine's. As over a network, who does not wait for the answer gets an error
// while the handler goes on.
func Direct(h http.Handler) http.RoundTripper { return directTransport{h} }

type directTransport struct{ h http.Handler }

func (d directTransport) RoundTrip(r *http.Request) (*http.Response, error) {
	var body []byte
	if r.Body != nil {
		var err error
		if body, err = io.ReadAll(r.Body); err != nil {
			return nil, err
		}
		if err := r.Body.Close(); err != nil {
			return nil, err
		}
	}
	in := r.Clone(r.Context())
	in.Body, in.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
	in.RequestURI, in.RemoteAddr = r.URL.RequestURI(), "10.0.0.7:40000"
	if in.Host == "" {
		in.Host = r.URL.Host
	}
	in.URL.Scheme, in.URL.Host, in.URL.User = "", "", nil
	rec := httptest.NewRecorder()
	ended := make(chan bool, 1)
	go func() {
		whole := false
		defer func() {
			if v := recover(); v != nil && v != http.ErrAbortHandler { //nolint:errorlint // net/http compares so too
				panic(v)
			}
			ended <- whole
		}()
		d.h.ServeHTTP(rec, in)
		whole = true
	}()
	select {
	case whole := <-ended:
		if !whole {
			return nil, ErrCut
		}
		res := rec.Result()
		res.Request = r
		return res, nil
	case <-r.Context().Done():
		return nil, r.Context().Err()
	}
}
