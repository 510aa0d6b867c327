package access

import (
	"net/http"
	"net/url"
	"strings"

	"github.com/gin-gonic/gin"

	"github.com/hone-ml/hone/internal/netguard"
)

// verdictKey is where Enforce leaves the verdict for the handlers.
const verdictKey = "hone.access.verdict"

// Enforce is middleware for a whole router: every route asks for a role
// ([RoleOf]), and a request that the gate does not admit ends here. refused
// answers those for Label Studio's routes.
func (g *Gate) Enforce(refused func(*gin.Context)) gin.HandlerFunc {
	return func(c *gin.Context) {
		route := c.FullPath()
		if route == "" {
			return // nothing is there to be guarded
		}
		role := RoleOf(c.Request.Method, route)
		v := g.Check(c.Request, role, route == "/webhook" || route == "/webhook/")
		if !v.Admitted && isPage(route) && g.admitsToPage(c.Request, role) {
			v.Admitted, v.Trusted = true, true
		}
		c.Set(verdictKey, v)
		switch {
		case v.Admitted:
			if role != Public || v.Proof != Unproven {
				netguard.Keep(c.Request.Context())
			}
			return
		case role == LabelStudio:
			refused(c)
		case isPage(route):
			g.refusePage(c)
		default:
			g.refuse(c)
		}
		c.Abort()
	}
}

// VerdictOf returns the gate's verdict on a request. Without a gate nothing is admitted.
func VerdictOf(c *gin.Context) Verdict {
	v, _ := c.Get(verdictKey)
	verdict, _ := v.(Verdict)
	return verdict
}

const (
	unknownCallerHelp = "hone's /api and /metrics want a token (Authorization: Bearer TOKEN): commands on hone's machine find it in the data directory, so give the right --data-dir and run them as its owner; from elsewhere set HONE_ADMIN_TOKEN"
	readOnlyHelp      = "this token only reads; HONE_ADMIN_TOKEN may do this"
)

// admitsToPage reports whether a request for the page may be answered though it has no token: of
// somebody who has signed in, or who needs not and follows a link from another site. Such a
// link changes nothing, and no other site sees what it shows.
func (g *Gate) admitsToPage(r *http.Request, role Role) bool {
	if g.keys.sessions.RoleOf(r) >= role {
		return true
	}
	if r.Method != http.MethodGet || r.Header.Get("Sec-Fetch-Mode") != "navigate" || r.Header.Get("Sec-Fetch-Dest") != "document" {
		return false
	}
	linked := r.Clone(r.Context())
	linked.Header.Del("Sec-Fetch-Site")
	return g.Check(linked, role, false).Admitted
}

// refusePage leads whoever opens a page to the place where they can sign in, and tells what a
// page asks for in the background that it cannot be had.
func (g *Gate) refusePage(c *gin.Context) {
	signedIn := g.keys.sessions.RoleOf(c.Request)
	switch {
	case signedIn == View, g.keys.roleOf(c.Request) == View:
		c.String(http.StatusForbidden, "You are signed in with a token that only reads. Sign out, and sign in with the admin token.")
	case c.Request.Method == http.MethodGet && strings.Contains(c.GetHeader("Accept"), "text/html"):
		// Relative, so that it holds behind a proxy that adds a prefix.
		up := strings.Repeat("../", strings.Count(strings.TrimPrefix(c.Request.URL.Path, "/ui/"), "/"))
		c.Header("Location", up+"sign-in?next="+url.QueryEscape(strings.TrimPrefix(c.Request.URL.Path, "/ui/")))
		c.Status(http.StatusSeeOther)
	default:
		c.String(http.StatusUnauthorized, "Sign in first.")
	}
}

func (g *Gate) refuse(c *gin.Context) {
	if g.keys.roleOf(c.Request) == View {
		c.JSON(http.StatusForbidden, gin.H{"error": readOnlyHelp})
		return
	}
	c.Header("WWW-Authenticate", `Bearer realm="hone"`)
	c.JSON(http.StatusUnauthorized, gin.H{"error": unknownCallerHelp})
}
