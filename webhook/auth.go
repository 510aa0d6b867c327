package webhook

import (
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/sirupsen/logrus"

	"github.com/hone-ml/hone/access"
	"github.com/hone-ml/hone/labelstudio/wire"
)

// unprovenReadTimeout bounds how long hone reads from a caller without a credential.
const unprovenReadTimeout = 3 * time.Second

// refuseUnproven answers a request to one of Label Studio's routes that the gate does not
// admit, because it lacks the secret.
func (s *Server) refuseUnproven(c *gin.Context) {
	_ = http.NewResponseController(c.Writer).SetReadDeadline(time.Now().Add(unprovenReadTimeout))
	if strings.TrimSuffix(c.FullPath(), "/") == "/webhook" && !fromLabelStudio(c.Request) {
		s.refuseUnsigned(c)
		return
	}
	s.refuseCall(c)
}

const secretHelp = "hone asks for its secret: `hone secret` prints the address with it, to paste in Label Studio under Settings > Model (with BASIC_AUTH_USER and BASIC_AUTH_PASS set, give that pair there)"

// refuseCall answers a call of the ML-backend protocol without the secret.
func (s *Server) refuseCall(c *gin.Context) {
	s.refusedCalls.Add(1)
	s.metrics.refused.WithLabelValues(refusedAuth).Inc()
	s.warnRefused(c.Request)
	c.Header("WWW-Authenticate", `Basic realm="hone"`)
	drainBody(c.Request, unsignedBytes)
	failInStatusLine(c, http.StatusUnauthorized, secretHelp)
}

// refuseUnsigned answers a webhook without the secret. It may be Label Studio's
// own, of a project whose registration does not carry the secret yet, because hone
// was upgraded or has lost it. Then hone asks Label Studio what happened. The content of
// the webhook is not trusted, and for all other projects it is not even read: hone checks
// the registrations at its own times.
func (s *Server) refuseUnsigned(c *gin.Context) {
	s.unsigned.Add(1)
	if s.o.Unregistered(0) {
		body, f := readJSON(c, unsignedBytes)
		if f == nil {
			hook, err := wire.DecodeHook(body.Bytes(), time.Now().UTC())
			releaseBuffer(body)
			if err == nil && slices.Contains(s.o.Projects.Projects(), hook.Project) && s.o.Unregistered(hook.Project) {
				s.reconciles.Add(hook.Project, "webhooks come without the secret")
				s.metrics.received.WithLabelValues(actionLabel(hook)).Inc()
				c.Data(http.StatusOK, jsonType, okBody)
				return
			}
		}
	}
	s.metrics.refused.WithLabelValues(refusedAuth).Inc()
	c.Header("WWW-Authenticate", `Basic realm="hone"`)
	drainBody(c.Request, unsignedBytes*8) // else Label Studio may see its connection break in place of the answer
	failInBody(c, http.StatusUnauthorized, "the secret is missing or wrong; `hone connect` puts it into Label Studio's webhooks")
}

// warnRefused tells the operator of a refused caller, at most once a minute.
func (s *Server) warnRefused(r *http.Request) {
	now := time.Now().UnixNano()
	last := s.lastWarned.Load()
	if last != 0 && now-last < int64(time.Minute) || !s.lastWarned.CompareAndSwap(last, now) {
		return
	}
	_, _, tried := r.BasicAuth()
	what := "without the secret"
	if tried {
		what = "with a wrong user or password"
	}
	s.log.WithFields(logrus.Fields{"from": r.RemoteAddr, "path": shortenTo(r.URL.Path, 200)}).
		Warn("a caller came " + what + " and was refused: if it is Label Studio, paste the address that `hone secret` prints under Settings > Model, or run `hone connect`")
}

// fromLabelStudio reports whether r says that it comes from Label Studio's
// ML-backend client. Anybody can say so.
func fromLabelStudio(r *http.Request) bool {
	return strings.HasPrefix(r.UserAgent(), "heartex/")
}

// Stats counts what a running server has received since its start.
type Stats struct {
	// Duplicates counts webhooks whose body equalled that of an earlier one.
	Duplicates uint64
	// Unsigned counts webhooks without the secret, RefusedCalls the calls of the
	// ML-backend protocol that were refused for that.
	Unsigned, RefusedCalls uint64
}

// Stats returns the figures since the start.
func (s *Server) Stats() Stats {
	return Stats{s.duplicates.Load(), s.unsigned.Load(), s.refusedCalls.Load()}
}

// isTrusted reports whether the content of a request may be trusted.
func isTrusted(c *gin.Context) bool { return access.VerdictOf(c).Trusted }
