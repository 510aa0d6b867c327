package access

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// withCookie is a request to a page with a cookie.
func withCookie(c *http.Cookie) *http.Request {
	r := httptest.NewRequest(http.MethodGet, "http://127.0.0.1:9090/ui/", http.NoBody)
	if c != nil {
		r.AddCookie(c)
	}
	return r
}

func TestSessionsEnd(t *testing.T) {
	k := open(t, Options{AdminToken: "admin", ViewToken: "view"})
	s := k.Sessions()
	now := time.Now()
	s.now = func() time.Time { return now }
	admin, view := s.Cookie(Admin, withCookie(nil)), s.Cookie(View, withCookie(nil))
	assert.Equal(t, Admin, s.RoleOf(withCookie(admin)))
	assert.Equal(t, View, s.RoleOf(withCookie(view)))
	assert.Equal(t, Public, s.RoleOf(withCookie(nil)))
	assert.True(t, admin.HttpOnly)
	assert.Equal(t, http.SameSiteLaxMode, admin.SameSite)
	assert.False(t, admin.Secure)
	behind := withCookie(nil)
	behind.Header.Set("X-Forwarded-Proto", "https")
	assert.True(t, s.Cookie(Admin, behind).Secure)
	now = now.Add(SessionTime - time.Second)
	assert.Equal(t, Admin, s.RoleOf(withCookie(admin)))
	now = now.Add(2 * time.Second)
	assert.Equal(t, Public, s.RoleOf(withCookie(admin)))
}

// A session outlives a restart, and ends with the token that opened it.
func TestSessionsAndTokens(t *testing.T) {
	dir := t.TempDir()
	c := open(t, Options{Dir: dir, AdminToken: "admin"}).Sessions().Cookie(Admin, withCookie(nil))
	assert.Equal(t, Admin, open(t, Options{Dir: dir, AdminToken: "admin"}).Sessions().RoleOf(withCookie(c)))
	assert.Equal(t, Public, open(t, Options{Dir: dir, AdminToken: "another"}).Sessions().RoleOf(withCookie(c)))
	assert.Equal(t, Public, open(t, Options{AdminToken: "admin"}).Sessions().RoleOf(withCookie(c)), "another hone")
}

// Nobody makes a session of another, or one that was never made.
func TestSessionsCannotBeForged(t *testing.T) {
	s := open(t, Options{}).Sessions()
	view := s.Cookie(View, withCookie(nil)).Value
	parts := strings.Split(view, ".")
	for _, forged := range []string{
		"", ".", "...", "admin", "admin...", strings.Join([]string{"admin", parts[1], parts[2], parts[3]}, "."),
		strings.Join([]string{parts[0], "99999999999", parts[2], parts[3]}, "."), view + "A", view[:len(view)-1], "admin." + view,
	} {
		assert.Equal(t, Public, s.RoleOf(withCookie(&http.Cookie{Name: SessionCookie, Value: forged})), forged)
	}
	rapid.Check(t, func(t *rapid.T) {
		b := []byte(view)
		i := rapid.IntRange(0, len(b)-1).Draw(t, "at")
		b[i] = rapid.SampledFrom([]byte("abcdefgh0123456789.-_ABC")).Draw(t, "to")
		if got := s.RoleOf(withCookie(&http.Cookie{Name: SessionCookie, Value: string(b)})); got != Public && string(b) != view {
			t.Fatalf("%q is a session of %q", b, view)
		}
	})
}

func TestALinkWorksOnce(t *testing.T) {
	s := open(t, Options{}).Sessions()
	now := time.Now()
	s.now = func() time.Time { return now }
	code, ends := s.NewLink()
	assert.Equal(t, now.Add(LinkTime), ends)
	assert.False(t, s.UseLink("0123456789abcdef0123456789abcdef"))
	assert.True(t, s.UseLink(code))
	assert.False(t, s.UseLink(code), "again")
	late, _ := s.NewLink()
	now = now.Add(LinkTime)
	assert.False(t, s.UseLink(late), "ten minutes later")
	first, _ := s.NewLink()
	for range maxLinks {
		now = now.Add(time.Second)
		s.NewLink()
	}
	assert.False(t, s.UseLink(first), "the oldest has made way")
	assert.Len(t, s.links, maxLinks)
}

func TestFormTokens(t *testing.T) {
	s := open(t, Options{}).Sessions()
	mine, other := withCookie(s.Cookie(Admin, withCookie(nil))), withCookie(s.Cookie(Admin, withCookie(nil)))
	assert.True(t, s.ValidForm(mine, s.FormToken(mine)))
	assert.False(t, s.ValidForm(mine, s.FormToken(other)), "of another session")
	assert.False(t, s.ValidForm(mine, s.FormToken(withCookie(nil))), "from before the sign-in")
	assert.False(t, s.ValidForm(mine, ""))
}

// The page is for people with a session or a token, a session for the page alone.
func TestWhoIsLetInToThePage(t *testing.T) {
	k := open(t, Options{ViewToken: "view"})
	g := NewGate(k, GateOptions{Addr: everywhere})
	s := k.Sessions()
	admin, view := withCookie(s.Cookie(Admin, withCookie(nil))), withCookie(s.Cookie(View, withCookie(nil)))
	assert.True(t, g.Admits(admin, Admin))
	assert.True(t, g.Admits(view, View))
	assert.False(t, g.Admits(view, Admin))
	assert.False(t, g.Admits(withCookie(nil), View))
	assert.False(t, g.Check(admin, View, false).Admitted, "a session opens no other route")

	// On loopback nobody signs in, and a link from another page may lead there: it changes nothing.
	g = NewGate(k, GateOptions{Addr: loopback})
	require.True(t, g.OpenToPeople() == false, "a view token is set, so tokens are asked for")
	g = NewGate(open(t, Options{}), GateOptions{Addr: loopback})
	linked := withCookie(nil)
	linked.Header.Set("Sec-Fetch-Site", "cross-site")
	assert.False(t, g.Admits(linked, View), "a script of another page")
	linked.Header.Set("Sec-Fetch-Mode", "navigate")
	linked.Header.Set("Sec-Fetch-Dest", "document")
	assert.True(t, g.Admits(linked, View))
	linked.Header.Set("Sec-Fetch-Dest", "iframe")
	assert.False(t, g.Admits(linked, View))
	linked.Header.Set("Sec-Fetch-Dest", "document")
	linked.Host = "attacker.example"
	assert.False(t, g.Admits(linked, View), "a name that leads here")
	linked.Host, linked.Method = "127.0.0.1:9090", http.MethodPost
	assert.False(t, g.Admits(linked, Admin))
}
