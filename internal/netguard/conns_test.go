package netguard

import (
	"bufio"
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestStrangersTakeOnlyEachOthersPlaces(t *testing.T) {
	for _, protocol := range []string{"http", "https", "h2"} {
		t.Run(protocol, func(t *testing.T) {
			r := newRig(t, protocol, 8)
			strangers := make([]net.Conn, 100)
			for i := range strangers {
				strangers[i] = r.stranger(r.half(i))
			}
			r.settled(8, 92)
			for i, s := range strangers[:92] {
				require.True(t, closed(s), "stranger %d", i)
			}

			c := r.client()
			require.NoError(t, c.get("/"), "a newcomer with a credential")
			r.settled(8, 93)
			require.True(t, closed(strangers[92]), "the oldest made room")

			running := c.hold("/hold")
			for i := range 100 {
				r.stranger(r.half(i))
			}
			r.settled(8, 193)
			r.release <- struct{}{}
			require.NoError(t, <-running)

			r.idle(1)
			for i := range 20 {
				r.stranger(r.half(i))
			}
			r.settled(8, 213)
			require.NoError(t, c.get("/"), "idle, it keeps its place before strangers")
		})
	}
}

// The youngest strangers are served as anybody, and one that is refused has
// proven nothing.
func TestRequestWithoutCredentialProvesNothing(t *testing.T) {
	r := newRig(t, "http", 2)
	strangers := []net.Conn{r.stranger(""), r.stranger("")}
	for _, s := range strangers {
		_, err := io.WriteString(s, "GET / HTTP/1.1\r\nHost: hone\r\n\r\n")
		require.NoError(t, err)
		resp, err := http.ReadResponse(bufio.NewReader(s), nil)
		require.NoError(t, err)
		require.Equal(t, http.StatusUnauthorized, resp.StatusCode)
	}
	r.settled(2, 0)
	r.stranger("")
	require.True(t, closed(strangers[0]))
	r.settled(2, 1)
}

func TestWhenAllAreProvenTheLongestIdleGoes(t *testing.T) {
	for _, protocol := range []string{"http", "https", "h2"} {
		t.Run(protocol, func(t *testing.T) {
			r := newRig(t, protocol, 2)
			clients, held := make([]*client, 4), make([]<-chan error, 4)
			for i := range clients {
				clients[i] = r.client()
				held[i] = clients[i].hold("/hold")
			}
			r.settled(4, 0) // all run, so twice the limit
			require.True(t, closed(r.stranger("")), "one more is not let in")
			r.settled(4, 1)

			for range held {
				r.release <- struct{}{}
			}
			for _, done := range held {
				require.NoError(t, <-done, "none that ran was closed")
			}
			r.idle(4)

			// Used again in another order than they connected in.
			for _, i := range []int{2, 0, 3, 1} {
				r.idle(4)
				require.NoError(t, clients[i].get("/"))
			}
			r.idle(4)
			first := r.stranger("")
			for _, i := range []int{2, 0, 3} {
				require.True(t, clients[i].closed())
			}
			r.settled(2, 4)
			require.NoError(t, clients[1].get("/"), "the one used last was left")
			require.NoError(t, r.client().get("/"))
			require.True(t, closed(first), "a stranger goes before the idle")
			require.NoError(t, clients[1].get("/"))
		})
	}
}

// A request that has begun is not idle, though its handler has not said Keep yet.
func TestProvenConnectionIsBusyBeforeKeep(t *testing.T) {
	for _, protocol := range []string{"http", "https", "h2"} {
		t.Run(protocol, func(t *testing.T) {
			r := newRig(t, protocol, 2)
			a, b := r.client(), r.client()
			require.NoError(t, a.get("/"))
			r.idle(1)
			require.NoError(t, b.get("/"))
			r.idle(2)
			running := a.hold("/late")
			r.stranger("")
			require.True(t, b.closed(), "a was idle longer, but no more")
			r.release <- struct{}{}
			require.NoError(t, <-running)
		})
	}
}

// Under -race. Proven connections outlast any churn, as long as they are fewer
// than the limit.
func TestProvenConnectionsOutlastChurn(t *testing.T) {
	r := newRig(t, "https", 8)
	clients := []*client{r.client(), r.client(), r.client(), r.client()}
	for _, c := range clients {
		require.NoError(t, c.get("/"))
	}
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			for i := range 100 {
				c, err := net.Dial("tcp", r.address)
				if err != nil {
					t.Error(err)
					return
				}
				_, _ = io.WriteString(c, r.half(i))
				if i%2 == 0 {
					defer c.Close() //nolint:revive // held to the end, closed by the server or here
				} else {
					c.Close()
				}
			}
		})
	}
	for _, c := range clients {
		all.Go(func() {
			for range 50 {
				if err := c.get("/"); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	all.Wait()
}

func TestHijackedConnectionCountsUntilClosed(t *testing.T) {
	c := NewConns(1)
	taken := make(chan net.Conn, 1)
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		Keep(r.Context())
		nc, _, err := w.(http.Hijacker).Hijack()
		if err != nil {
			t.Error(err)
		}
		taken <- nc
	}))
	s.Listener = c.Listen(s.Listener)
	s.Config.ConnContext, s.Config.ConnState = c.Context, c.State
	s.Start()
	defer s.Close()
	client, err := net.Dial("tcp", s.Listener.Addr().String())
	require.NoError(t, err)
	defer client.Close()
	_, err = io.WriteString(client, "GET / HTTP/1.1\r\nHost: hone\r\n\r\n")
	require.NoError(t, err)
	nc := <-taken

	other, err := net.Dial("tcp", s.Listener.Addr().String())
	require.NoError(t, err)
	require.Eventually(t, func() bool { open, _ := c.Stats(); return open == 2 }, patience, time.Millisecond)
	other.Close()
	require.Eventually(t, func() bool { open, _ := c.Stats(); return open == 1 }, patience, time.Millisecond)
	require.NoError(t, nc.Close())
	open, evicted := c.Stats()
	require.Zero(t, open)
	require.Zero(t, evicted)
	_ = nc.Close() // closed twice, it is counted once
	open, _ = c.Stats()
	require.Zero(t, open)
}

// The server must be able to end what it says and still hear: that is how it
// refuses a body that is too long.
func TestCloseWriteReachesTheSocket(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	l = NewConns(0).Listen(l)
	defer l.Close()
	client, err := net.Dial("tcp", l.Addr().String())
	require.NoError(t, err)
	defer client.Close()
	server, err := l.Accept()
	require.NoError(t, err)
	defer server.Close()
	require.NoError(t, server.(interface{ CloseWrite() error }).CloseWrite())
	_, err = client.Read(make([]byte, 1))
	require.ErrorIs(t, err, io.EOF)
	_, err = client.Write([]byte("x"))
	require.NoError(t, err)
	_, err = io.ReadFull(server, make([]byte, 1))
	require.NoError(t, err)
}

func TestWhatIsNotOursIsLeftAlone(t *testing.T) {
	c := NewConns(1)
	a, b := net.Pipe()
	defer a.Close()
	defer b.Close()
	ctx := context.Background()
	require.Equal(t, ctx, c.Context(ctx, a))
	c.State(a, http.StateActive)
	Keep(ctx)

	// A connection of another server's bound, and one that is closed already.
	other := &conn{Conn: a, conns: NewConns(1)}
	require.Equal(t, ctx, c.Context(ctx, other))
	gone := &conn{Conn: b, conns: c}
	require.NoError(t, gone.Close())
	Keep(c.Context(ctx, gone))
	c.State(gone, http.StateIdle)
	open, evicted := c.Stats()
	require.Zero(t, open+evicted)
}
