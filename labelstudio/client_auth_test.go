package labelstudio

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// jwtServer accepts the personal access token "a.b.c" and the access tokens it
// gave out itself and did not revoke.
type jwtServer struct {
	mu        sync.Mutex
	valid     string
	exchanges atomic.Int32
	hold      chan struct{} // nil, or an exchange waits for it
	refuse    bool
}

func (s *jwtServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path == "/api/token/refresh/" {
		if s.hold != nil {
			<-s.hold
		}
		var body struct{ Refresh string }
		_ = json.NewDecoder(r.Body).Decode(&body)
		if body.Refresh != "a.b.c" || r.Header.Get("Authorization") != "" || s.refuse {
			w.WriteHeader(http.StatusUnauthorized)
			_, _ = w.Write([]byte(`{"detail":"Token is invalid: a.b.c"}`))
			return
		}
		access := fmt.Sprintf("access.%d.x", s.exchanges.Add(1))
		s.mu.Lock()
		s.valid = access
		s.mu.Unlock()
		_ = json.NewEncoder(w).Encode(map[string]string{"access": access})
		return
	}
	s.mu.Lock()
	ok := r.Header.Get("Authorization") == "Bearer "+s.valid && s.valid != ""
	s.mu.Unlock()
	if !ok {
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	_, _ = w.Write([]byte(`{"id":1}`))
}

func (s *jwtServer) revoke() { s.mu.Lock(); s.valid = ""; s.mu.Unlock() }

func TestPersonalAccessToken(t *testing.T) {
	s := &jwtServer{}
	c, _ := testClient(t, s, func(o *Options) { o.Token = "a.b.c" })
	now := time.Now()
	c.auth.now = func() time.Time { return now }
	require.Equal(t, PersonalAccessToken, c.TokenKind())
	use := func() { _, err := c.WhoAmI(t.Context()); require.NoError(t, err) }

	use()
	use()
	require.EqualValues(t, 1, s.exchanges.Load(), "exchanged once and kept")
	now = now.Add(239 * time.Second)
	use()
	require.EqualValues(t, 1, s.exchanges.Load())
	now = now.Add(2 * time.Second)
	use()
	require.EqualValues(t, 2, s.exchanges.Load(), "renewed before it expires")
	s.revoke()
	use()
	require.EqualValues(t, 3, s.exchanges.Load(), "renewed after a 401")

	s.refuse = true
	s.revoke()
	_, err := c.WhoAmI(t.Context())
	require.ErrorContains(t, err, "exchange the personal access token")
	require.True(t, IsUnauthorized(err))
	require.NotContains(t, err.Error(), "a.b.c")
}

// A burst of calls that all need a token fetches one; and a caller who gives up
// does not take the others down.
func TestExchangesOnceForAll(t *testing.T) {
	s := &jwtServer{hold: make(chan struct{})}
	c, _ := testClient(t, s, func(o *Options) { o.Token = "a.b.c"; o.MaxInFlight = 1 })
	ctx, cancel := context.WithCancel(t.Context())
	first := make(chan error)
	go func() { _, err := c.WhoAmI(ctx); first <- err }()
	rest := make(chan error, 8)
	for range cap(rest) {
		go func() { _, err := c.WhoAmI(context.Background()); rest <- err }()
	}
	cancel()
	require.ErrorIs(t, <-first, context.Canceled)
	close(s.hold)
	for range cap(rest) {
		require.NoError(t, <-rest)
	}
	require.LessOrEqual(t, s.exchanges.Load(), int32(2)) // late starters may find a fresh one or share
}

func TestKindOf(t *testing.T) {
	require.Equal(t, NoToken, KindOf(""))
	require.Equal(t, LegacyToken, KindOf("0123456789abcdef"))
	require.Equal(t, LegacyToken, KindOf("a.b"))
	require.Equal(t, PersonalAccessToken, KindOf("eyJ.eyJ.sig"))
}
