package netguard

import (
	"container/list"
	"context"
	"net"
	"net/http"
	"sync"
)

// Conns bounds the connections of one http.Server without locking out those who
// prove who they are: strangers, however many, only take each other's places.
//
// When the limit is reached, a new one takes the place of the oldest one that has
// proven nothing, busy or not. If all have, it takes the place of the one that
// has been idle longest; if none is idle, up to twice the limit is held and more are
// closed at once. So the limit should be well above the clients that are between
// connecting and calling Keep at one time.
//
// Listen, Context and State must all be given to the server, and Keep be called
// by its handlers:
//
//	s := &http.Server{Handler: h, ConnContext: c.Context, ConnState: c.State}
//	s.ServeTLS(c.Listen(l), "", "")
//
// All methods may be called concurrently.
type Conns struct {
	limit int

	mu      sync.Mutex // guards what follows, and conn.in and conn.at
	evicted uint64
	// Every open connection is in one of these, the first to go in front.
	strangers list.List // by age
	idle      list.List // proven and without a request, by when they became so
	busy      list.List // proven and with a request
}

// NewConns returns a bound of limit connections; less than 1 counts as 1.
func NewConns(limit int) *Conns { return &Conns{limit: max(limit, 1)} }

// Listen returns a listener that holds no more of l's connections than c
// allows. l must be the plain listener: TLS goes around what Listen returns, as
// ServeTLS and tls.NewListener do it.
func (c *Conns) Listen(l net.Listener) net.Listener { return &listener{Listener: l, conns: c} }

// Context is for http.Server.ConnContext. Keep finds the connection by it.
func (c *Conns) Context(ctx context.Context, nc net.Conn) context.Context {
	if t := c.tracked(nc); t != nil {
		return context.WithValue(ctx, connKey{}, t)
	}
	return ctx
}

// State is for http.Server.ConnState. It learns from it which connections are
// idle: proven ones whose next request has not come in with its whole header.
func (c *Conns) State(nc net.Conn, s http.ConnState) {
	t := c.tracked(nc)
	if t == nil {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case s == http.StateActive && t.in == &c.idle:
		t.move(&c.busy)
	case s == http.StateIdle && t.in == &c.busy:
		t.move(&c.idle)
	}
	// A hijacked connection stays what it was, a closed one says so itself.
}

// Keep is called by a handler whose request carried a valid credential, with
// the request's context. The connection has then proven itself: it is not
// closed for others while the request runs, and not for strangers' sake as long
// as there are some. A context of another server is left alone.
func Keep(ctx context.Context) {
	t, _ := ctx.Value(connKey{}).(*conn)
	if t == nil || ctx.Err() != nil { // a request that is over would leave it busy for ever
		return
	}
	t.conns.mu.Lock()
	defer t.conns.mu.Unlock()
	if t.in != nil {
		t.move(&t.conns.busy)
	}
}

// Stats returns how many connections are open, and how many were closed to make
// room or for want of it.
func (c *Conns) Stats() (open, evicted uint64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return uint64(c.open()), c.evicted //nolint:gosec // a length is not negative
}

// open is called with mu held.
func (c *Conns) open() int { return c.strangers.Len() + c.idle.Len() + c.busy.Len() }

// admit makes room for t and takes it in, or returns false if there is none.
func (c *Conns) admit(t *conn) bool {
	var out []*conn
	defer func() {
		for _, t := range out { // without the lock: closing is the kernel's, and calls leave
			_ = t.Close()
		}
	}()
	c.mu.Lock()
	defer c.mu.Unlock()
	for c.open() >= c.limit {
		first := c.strangers.Front()
		if first == nil {
			first = c.idle.Front()
		}
		if first == nil {
			break
		}
		victim, _ := first.Value.(*conn)
		victim.move(nil)
		out = append(out, victim)
		c.evicted++
	}
	if c.open() >= 2*c.limit {
		c.evicted++
		return false
	}
	t.move(&c.strangers)
	return true
}

// tracked finds the connection below those that the server or TLS put around it.
func (c *Conns) tracked(nc net.Conn) *conn {
	for {
		if t, ok := nc.(*conn); ok && t.conns == c {
			return t
		}
		outer, ok := nc.(interface{ NetConn() net.Conn })
		if !ok {
			return nil
		}
		nc = outer.NetConn()
	}
}

type connKey struct{}

type listener struct {
	net.Listener
	conns *Conns
}

// Accept implements net.Listener.
func (l *listener) Accept() (net.Conn, error) {
	for {
		nc, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		t := &conn{Conn: nc, conns: l.conns}
		if l.conns.admit(t) {
			return t, nil
		}
		_ = nc.Close()
	}
}

// conn is a connection that is counted until it is closed, by whomever.
type conn struct {
	net.Conn
	conns *Conns
	in    *list.List // nil: not counted, or no longer
	at    *list.Element
}

// move is called with conns.mu held. It puts t last into to, if not nil.
func (t *conn) move(to *list.List) {
	if t.in != nil {
		t.in.Remove(t.at)
	}
	t.in, t.at = to, nil
	if to != nil {
		t.at = to.PushBack(t)
	}
}

// Close implements net.Conn.
func (t *conn) Close() error {
	t.conns.mu.Lock()
	t.move(nil)
	t.conns.mu.Unlock()
	return t.Conn.Close()
}

// CloseWrite lets the server end an answer before it closes, without which a
// client that still sends may never read why it was refused.
func (t *conn) CloseWrite() error {
	if w, ok := t.Conn.(interface{ CloseWrite() error }); ok {
		return w.CloseWrite()
	}
	return nil
}
