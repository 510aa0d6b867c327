package webhook

import (
	"crypto/sha256"
	"crypto/subtle"
	"net/http"
	"strings"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/sirupsen/logrus"
)

// guard knows the configured credentials, as hashes of one length so that
// comparing takes the same time whatever was sent.
type guard struct {
	header    string
	hasSecret bool
	secret    [sha256.Size]byte
	hasBasic  bool
	user      [sha256.Size]byte
	pass      [sha256.Size]byte
}

func newGuard(o Options) guard {
	return guard{
		header:    o.SecretHeader,
		hasSecret: o.Secret != "",
		secret:    sha256.Sum256([]byte(o.Secret)),
		hasBasic:  o.BasicUser != "",
		user:      sha256.Sum256([]byte(o.BasicUser)),
		pass:      sha256.Sum256([]byte(o.BasicPass)),
	}
}

func same(want [sha256.Size]byte, got string) int {
	sum := sha256.Sum256([]byte(got))
	return subtle.ConstantTimeCompare(want[:], sum[:])
}

// signed reports whether r carries the webhook secret.
func (g *guard) signed(r *http.Request) bool {
	return g.hasSecret && same(g.secret, r.Header.Get(g.header)) == 1
}

// basic reports whether r carries the right user and password; false when none
// are configured.
func (g *guard) basic(r *http.Request) bool {
	if !g.hasBasic {
		return false
	}
	user, pass, ok := r.BasicAuth()
	return ok && same(g.user, user)&same(g.pass, pass) == 1
}

// mayTell reports whether r may tell hone what happened in Label Studio.
func (g *guard) mayTell(r *http.Request) bool {
	return !g.hasSecret || g.signed(r) || g.basic(r)
}

// mayTrain reports whether r may ask for a retrain. Label Studio cannot send
// the webhook secret with that, only Basic auth.
func (g *guard) mayTrain(r *http.Request) bool {
	return !g.hasBasic || g.basic(r) || g.signed(r)
}

const needBasic = "hone asks for a user and a password (BASIC_AUTH_USER, BASIC_AUTH_PASS): set the same ones in Label Studio under Settings > Model"

// RequireBasic is middleware that lets only callers with the configured user and
// password pass; everybody when none are configured.
func (s *Server) RequireBasic(c *gin.Context) {
	if !s.guard.hasBasic || s.guard.basic(c.Request) {
		return
	}
	s.metrics.refused.WithLabelValues(refusedAuth).Inc()
	s.warnRefused(c.Request)
	c.Header("WWW-Authenticate", `Basic realm="hone"`)
	drain(c.Request, setupBytes)
	surface(c, http.StatusUnauthorized, needBasic)
	c.Abort()
}

// warnRefused tells the operator of a refused caller, at most once a minute.
func (s *Server) warnRefused(r *http.Request) {
	now := time.Now().UnixNano()
	last := s.warned.Load()
	if last != 0 && now-last < int64(time.Minute) || !s.warned.CompareAndSwap(last, now) {
		return
	}
	_, _, tried := r.BasicAuth()
	what := "without user and password"
	if tried {
		what = "with a wrong user or password"
	}
	s.log.WithFields(logrus.Fields{"from": r.RemoteAddr, "path": clip(r.URL.Path, 200)}).
		Warn("a caller came " + what + " and was refused: if it is Label Studio, set hone's BASIC_AUTH_USER and BASIC_AUTH_PASS for the backend under Settings > Model")
}

// fromLabelStudio reports whether r says that it comes from Label Studio's
// ML-backend client. Anybody can say so.
func fromLabelStudio(r *http.Request) bool {
	return strings.HasPrefix(r.UserAgent(), "heartex/")
}
