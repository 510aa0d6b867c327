package access

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"
)

const (
	// SessionCookie is the cookie of somebody who has signed in to hone's page.
	SessionCookie = "hone_session"
	// SessionTime is how long it counts.
	SessionTime = 12 * time.Hour
	// LinkTime is how long a sign-in link counts.
	LinkTime = 10 * time.Minute
	// maxLinks bounds the links that wait to be used; the oldest makes way.
	maxLinks = 16
)

// Sessions are the sign-ins to hone's page. A session is a signed statement in a cookie, so
// that it outlives a restart; the key is made of the tokens, so that a new token ends all. Safe for
// concurrent use.
type Sessions struct {
	key []byte
	now func() time.Time

	mu    sync.Mutex
	links map[secretHash]time.Time // guarded by mu: when each ends
}

// newSessions makes them. The key never leaves the process.
func newSessions(identity Identity, admin, view string) *Sessions {
	mac := hmac.New(sha256.New, identity.key)
	for _, part := range []string{"hone sessions", admin, view} {
		mac.Write([]byte(strconv.Itoa(len(part)) + ":" + part))
	}
	return &Sessions{key: mac.Sum(nil), now: time.Now, links: map[secretHash]time.Time{}}
}

func (s *Sessions) sign(parts ...string) string {
	mac := hmac.New(sha256.New, s.key)
	for _, part := range parts {
		mac.Write([]byte(strconv.Itoa(len(part)) + ":" + part))
	}
	return base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}

// Cookie returns a new session of a role, View or Admin. It is sent back only below the
// address that sets it.
func (s *Sessions) Cookie(role Role, r *http.Request) *http.Cookie {
	ends := strconv.FormatInt(s.now().Add(SessionTime).Unix(), 10)
	name, nonce := roleName(role), NewChallenge()
	return s.cookie(strings.Join([]string{name, ends, nonce, s.sign("session", name, ends, nonce)}, "."), int(SessionTime.Seconds()), r)
}

// EndCookie returns what ends a session in the browser.
func (s *Sessions) EndCookie(r *http.Request) *http.Cookie { return s.cookie("", -1, r) }

func (s *Sessions) cookie(value string, age int, r *http.Request) *http.Cookie {
	return &http.Cookie{
		Name: SessionCookie, Value: value, MaxAge: age, HttpOnly: true, SameSite: http.SameSiteLaxMode,
		// A proxy's word can only make it stricter.
		Secure: r.TLS != nil || strings.EqualFold(r.Header.Get("X-Forwarded-Proto"), "https"),
	}
}

func roleName(role Role) string {
	if role == Admin {
		return "admin"
	}
	return "view"
}

// RoleOf returns the role of a request's session; Public without one.
func (s *Sessions) RoleOf(r *http.Request) Role {
	for _, c := range r.CookiesNamed(SessionCookie) {
		parts := strings.Split(c.Value, ".")
		if len(parts) != 4 || !hmac.Equal([]byte(parts[3]), []byte(s.sign("session", parts[0], parts[1], parts[2]))) {
			continue
		}
		if ends, err := strconv.ParseInt(parts[1], 10, 64); err != nil || !s.now().Before(time.Unix(ends, 0)) {
			continue
		}
		if parts[0] == roleName(Admin) {
			return Admin
		}
		return View
	}
	return Public
}

// FormToken returns what a form of a page for this request has to send back: a page of another
// site cannot read it.
func (s *Sessions) FormToken(r *http.Request) string {
	session := ""
	if c, err := r.Cookie(SessionCookie); err == nil {
		session = c.Value
	}
	return s.sign("form", session)
}

// ValidForm reports whether a token is that of the request's own page.
func (s *Sessions) ValidForm(r *http.Request, token string) bool {
	return hmac.Equal([]byte(token), []byte(s.FormToken(r)))
}

// NewLink returns a code that signs somebody in as admin, once, before it ends.
func (s *Sessions) NewLink() (code string, ends time.Time) {
	b := make([]byte, 16)
	_, _ = rand.Read(b) // never fails
	code = hex.EncodeToString(b)
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.now()
	for h, ends := range s.links {
		if !now.Before(ends) {
			delete(s.links, h)
		}
	}
	for len(s.links) >= maxLinks {
		var oldest secretHash
		first := time.Time{}
		for h, ends := range s.links {
			if first.IsZero() || ends.Before(first) {
				oldest, first = h, ends
			}
		}
		delete(s.links, oldest)
	}
	ends = now.Add(LinkTime)
	s.links[hashOf(code)] = ends
	return code, ends
}

// UseLink reports whether a code is one of NewLink's that has neither ended nor been used, and
// uses it up.
func (s *Sessions) UseLink(code string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	h := hashOf(code) // the hash is looked up, so that time tells nothing of the code
	ends, ok := s.links[h]
	delete(s.links, h)
	return ok && s.now().Before(ends)
}

// RoleOfToken returns what a token opens: Admin, View, or Public when it is neither.
func (k *Keys) RoleOfToken(token string) Role {
	token = strings.TrimSpace(token)
	admin, view := k.admin.equals(token), k.view.equals(token)
	switch {
	case admin == 1:
		return Admin
	case view == 1 && k.o.ViewToken != "":
		return View
	}
	return Public
}

// Sessions returns the sign-ins to hone's page.
func (k *Keys) Sessions() *Sessions { return k.sessions }
