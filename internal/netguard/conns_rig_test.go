package netguard

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

const patience = 20 * time.Second // for what takes milliseconds, on a busy machine

// rig is a server whose connections are bounded. Requests with a credential are
// kept and, to /hold, answered when release is sent to; /late waits for that
// before it is kept.
type rig struct {
	t       *testing.T
	conns   *Conns
	address string
	url     string
	tls     *tls.Config // a client's; nil: without TLS
	http2   bool
	running chan struct{} // one for each request that holds
	release chan struct{}
}

// newRig serves with the given protocol: http, https or h2.
func newRig(t *testing.T, protocol string, limit int) *rig {
	t.Helper()
	r := &rig{t: t, conns: NewConns(limit), running: make(chan struct{}), release: make(chan struct{})}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	r.address = l.Addr().String()
	r.url, r.http2 = "http://"+r.address, protocol == "h2"
	s := &http.Server{
		Handler: http.HandlerFunc(r.answer), ErrorLog: log.New(io.Discard, "", 0),
		ConnContext: r.conns.Context, ConnState: r.conns.State,
	}
	served := make(chan struct{})
	if protocol == "http" {
		go func() { defer close(served); _ = s.Serve(r.conns.Listen(l)) }()
	} else {
		r.url = "https://" + r.address
		cert, key := issue(t, 1, time.Now().Add(time.Hour))
		f := newFiles(t, cert, key)
		s.TLSConfig, err = LoadServer(f.cert, f.key, nil)
		require.NoError(t, err)
		r.tls, err = Pinned(f.cert)
		require.NoError(t, err)
		go func() { defer close(served); _ = s.ServeTLS(r.conns.Listen(l), "", "") }()
	}
	t.Cleanup(func() { // after those of clients and strangers
		require.NoError(t, s.Close())
		<-served
		r.eventually("everything is closed", func() bool { open, _ := r.conns.Stats(); return open == 0 })
	})
	return r
}

func (r *rig) answer(w http.ResponseWriter, req *http.Request) {
	if req.Header.Get("Authorization") == "" {
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	hold := func(path string) {
		if req.URL.Path == path {
			r.running <- struct{}{}
			<-r.release
		}
	}
	hold("/late")
	Keep(req.Context())
	hold("/hold")
}

func (r *rig) eventually(what string, cond func() bool) {
	r.t.Helper()
	require.Eventually(r.t, cond, patience, time.Millisecond, what)
}

// settled waits until so many connections are open and were evicted.
func (r *rig) settled(open, evicted int) {
	r.t.Helper()
	r.eventually("connections settle", func() bool {
		o, e := r.conns.Stats()
		return o == uint64(open) && e == uint64(evicted)
	})
}

// idle waits until so many proven connections are idle: the client has its
// answer a little before the server says so.
func (r *rig) idle(n int) {
	r.t.Helper()
	r.eventually("connections become idle", func() bool {
		r.conns.mu.Lock()
		defer r.conns.mu.Unlock()
		return r.conns.idle.Len() == n
	})
}

// half is what a stranger says before falling silent: nothing, or half of what
// the server waits for.
func (r *rig) half(i int) string {
	switch {
	case i%2 == 0:
		return ""
	case r.tls == nil:
		return "GET / HTTP/1.1\r\nHost: hone\r\nX-Half: "
	}
	return "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" // of a TLS greeting
}

// stranger connects, says what is given and waits.
func (r *rig) stranger(says string) net.Conn {
	r.t.Helper()
	c, err := net.Dial("tcp", r.address)
	require.NoError(r.t, err)
	r.t.Cleanup(func() { c.Close() })
	require.NoError(r.t, c.SetDeadline(time.Now().Add(patience)))
	_, _ = io.WriteString(c, says) // it may have been closed already
	return c
}

// closed waits for the server to close the connection.
func closed(c net.Conn) bool {
	_, err := io.Copy(io.Discard, c)
	return !errors.Is(err, os.ErrDeadlineExceeded)
}

// client is somebody with a credential and one connection: http.Transport would
// replace one that was closed, or give one up for reasons of its own.
type client struct {
	r  *rig
	h1 net.Conn
	in *bufio.Reader // from h1
	h2 *http.ClientConn
}

// client connects, and goes no further than that without h2.
func (r *rig) client() *client {
	r.t.Helper()
	c := &client{r: r}
	var err error
	switch {
	case r.http2:
		tr := &http.Transport{ForceAttemptHTTP2: true, TLSClientConfig: r.tls.Clone()}
		if c.h2, err = tr.NewClientConn(context.Background(), "https", r.address); err == nil {
			r.t.Cleanup(func() { _ = c.h2.Close() })
		}
	default:
		c.h1 = r.stranger("")
		if r.tls != nil {
			c.h1 = tls.Client(c.h1, r.tls.Clone())
		}
		c.in = bufio.NewReader(c.h1)
	}
	require.NoError(r.t, err)
	return c
}

func (c *client) get(path string) error {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, c.r.url+path, nil)
	if err != nil {
		return err
	}
	req.Header.Set("Authorization", "Token x")
	var resp *http.Response
	if c.h2 != nil {
		resp, err = c.h2.RoundTrip(req)
	} else if err = req.Write(c.h1); err == nil {
		resp, err = http.ReadResponse(c.in, req)
	}
	if err != nil {
		return err
	}
	_, _ = io.Copy(io.Discard, resp.Body)
	if c.r.http2 != (resp.ProtoMajor == 2) || resp.StatusCode != http.StatusOK {
		c.r.t.Errorf("answered %s by %s", resp.Status, resp.Proto)
	}
	return resp.Body.Close()
}

// closed waits for the server to close the connection.
func (c *client) closed() bool {
	if c.h2 == nil {
		return closed(c.h1)
	}
	c.r.eventually("the client hears of it", func() bool { return c.h2.Err() != nil })
	return true
}

// hold starts a request and returns when it runs; the channel has its error.
func (c *client) hold(path string) <-chan error {
	c.r.t.Helper()
	done := make(chan error, 1)
	go func() { done <- c.get(path) }()
	select {
	case <-c.r.running:
	case err := <-done:
		require.NoError(c.r.t, err, "before the request ran")
	}
	return done
}
