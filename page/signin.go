package page

import (
	"net/http"
	"regexp"

	"github.com/gin-gonic/gin"

	"github.com/hone-ml/hone/access"
)

// signInBody is the form for a token, or for the code of a link.
type signInBody struct {
	Next  string
	Link  string
	Fault string
}

// pagePath is a place below /ui that a sign-in may lead to: never another address.
var pagePath = regexp.MustCompile(`^(connect|projects/[0-9]{1,19}(/doctor)?)?$`)

func nextOf(c *gin.Context) string {
	next := c.Query("next")
	if next == "" {
		next = c.PostForm("next")
	}
	if !pagePath.MatchString(next) {
		return ""
	}
	return next
}

// linkCode is the form of a link's code.
var linkCode = regexp.MustCompile(`^[0-9a-f]{32}$`)

// signInForm shows the form. A link uses its code up only when the form is sent: whatever looks at
// addresses before people do must not.
func (s *Server) signInForm(c *gin.Context) {
	body := signInBody{Next: nextOf(c)}
	if code := c.Query("link"); linkCode.MatchString(code) {
		body.Link = code
	}
	if s.o.Admits(c.Request, access.Admin) {
		back(c, body.Next)
		return
	}
	s.render(c, http.StatusOK, "sign-in", layout{Title: "Sign in"}, body)
}

func (s *Server) signIn(c *gin.Context) {
	role := access.Public
	fault := "This is neither hone's admin token nor its view token. The admin token is in the file admin-token of hone's data directory."
	if crossOrigin.Check(c.Request) != nil {
		s.fail(c, http.StatusForbidden, "A page of another address may not sign you in.")
		return
	}
	if code := c.PostForm("link"); code != "" {
		fault = "This link has been used, or is older than ten minutes. `hone secret --link` on hone's machine makes another."
		if s.o.Sessions.UseLink(code) {
			role = access.Admin
		}
	} else {
		role = s.o.RoleOfToken(c.PostForm("token"))
	}
	if role == access.Public {
		s.render(c, http.StatusForbidden, "sign-in", layout{Title: "Sign in"}, signInBody{Next: nextOf(c), Fault: fault})
		return
	}
	http.SetCookie(c.Writer, s.o.Sessions.Cookie(role, c.Request))
	back(c, nextOf(c))
}

func (s *Server) signOut(c *gin.Context) {
	http.SetCookie(c.Writer, s.o.Sessions.EndCookie(c.Request))
	back(c, "sign-in")
}
