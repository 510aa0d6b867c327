package access

import (
	"net/http"

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
		c.Set(verdictKey, v)
		switch {
		case v.Admitted:
			if role != Public || v.Proof != Unproven {
				netguard.Keep(c.Request.Context())
			}
			return
		case role == LabelStudio:
			refused(c)
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

func (g *Gate) refuse(c *gin.Context) {
	if g.keys.roleOf(c.Request) == View {
		c.JSON(http.StatusForbidden, gin.H{"error": readOnlyHelp})
		return
	}
	c.Header("WWW-Authenticate", `Bearer realm="hone"`)
	c.JSON(http.StatusUnauthorized, gin.H{"error": unknownCallerHelp})
}
