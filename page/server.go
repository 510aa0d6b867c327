package page

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/hone-ml/hone/access"
	"github.com/hone-ml/hone/api"
	"github.com/hone-ml/hone/event"
	"github.com/hone-ml/hone/internal/secret"
)

// Tasks shows the tasks of a queue. Safe for concurrent use.
type Tasks interface {
	// Show returns what is to be seen of tasks, in their order. A task that hone no longer
	// knows has no text.
	Show(ctx context.Context, id event.ProjectID, tasks []event.TaskID) ([]Shown, error)
}

// Shown is what is to be seen of a task.
type Shown struct {
	// Text is the beginning of what the model reads of it.
	Text string
	// Suggested is what annotators are shown, a few words; empty where nothing is suggested.
	Suggested string
}

// LabelStudio is the Label Studio that hone works with. Safe for concurrent use.
type LabelStudio interface {
	// URL is its address without a slash at its end; empty before hone knows it.
	URL() string
	// Projects lists its projects. The error says what is wrong with the address or token.
	Projects(ctx context.Context) ([]Offered, error)
}

// Offered is a project of Label Studio that hone can be connected to.
type Offered struct {
	ID    event.ProjectID
	Title string
	Tasks int
}

// Options are the parts that the page shows. All but Now are required.
type Options struct {
	Projects    api.Projects
	Tasks       Tasks
	LabelStudio LabelStudio
	Publisher   api.Publisher
	Connector   api.Connector
	Describer   api.Describer
	Configurer  api.Configurer
	// Admits reports whether whoever sent a request may see (access.View) or change
	// (access.Admin) something.
	Admits func(r *http.Request, role access.Role) bool
	// Sessions signs people in; RoleOfToken says what a token opens.
	Sessions    *access.Sessions
	RoleOfToken func(token string) access.Role
	// Address is hone's own as Label Studio reaches it, to begin with where somebody connects a project.
	Address func() string
	Version string
	// Done is closed when hone ends; it ends the streams of events.
	Done <-chan struct{}
	// Now is the clock; nil means time.Now.
	Now func() time.Time
}

// Server answers everything below /ui. Safe for concurrent use.
type Server struct {
	o      Options
	frames *frames
	parts  partCache
	// placeholder stands for the form token in parts, which are shared; nobody can guess it.
	placeholder string
}

// New makes a server.
func New(o Options) *Server {
	if o.Now == nil {
		o.Now = time.Now
	}
	return &Server{o: o, frames: &frames{o: &o}, parts: partCache{of: map[viewKey]*cachedParts{}}, placeholder: "form-token-" + access.NewChallenge()}
}

// maxForm bounds the body of a form.
const maxForm = 256 << 10

// Register adds the routes. The router must ask for credentials (access.Gate).
func (s *Server) Register(r gin.IRouter) {
	g := r.Group("/ui", setHeaders)
	g.GET("/assets/:name", serveAsset)
	g.GET("/", s.overview)
	g.GET("/events", s.events)
	g.GET("/sign-in", s.signInForm)
	g.GET("/connect", s.connectForm)
	g.GET("/projects/:id", s.project)
	g.GET("/projects/:id/doctor", s.doctor)

	g.POST("/sign-in", s.limited, s.signIn)
	p := g.Group("", s.limited, s.checkForm)
	p.POST("/sign-out", s.signOut)
	p.POST("/login", s.login)
	p.POST("/connect", s.connect)
	p.POST("/projects/:id/retrain", s.retrain)
	p.POST("/projects/:id/rollback", s.rollback)
	p.POST("/projects/:id/describe", s.describe)
	p.POST("/projects/:id/configure", s.configure)
}

// Home answers GET / of a browser, by leading to the page, and reports whether it did. The address is relative, for proxies that add a prefix.
func (s *Server) Home(c *gin.Context) bool {
	if c.Request.Method != http.MethodGet || !wantsHTML(c.GetHeader("Accept")) {
		return false
	}
	c.Header("Vary", "Accept")
	c.Header("Location", "ui/")
	c.Status(http.StatusSeeOther)
	return true
}

// setHeaders says what a browser may do with any answer: no script, style or connection but
// those of hone's own address, in nobody's frame.
func setHeaders(c *gin.Context) {
	h := c.Writer.Header()
	h.Set("Content-Security-Policy", "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "same-origin")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("Cache-Control", "no-store")
}

func (s *Server) limited(c *gin.Context) {
	c.Request.Body = http.MaxBytesReader(c.Writer, c.Request.Body, maxForm)
	if err := c.Request.ParseForm(); err != nil {
		s.fail(c, http.StatusBadRequest, "The form could not be read: "+err.Error())
		c.Abort()
	}
}

var crossOrigin = http.NewCrossOriginProtection()

// checkForm refuses a form that no page of this hone has made.
func (s *Server) checkForm(c *gin.Context) {
	if crossOrigin.Check(c.Request) != nil || !s.o.Sessions.ValidForm(c.Request, c.Request.PostForm.Get("form_token")) {
		s.fail(c, http.StatusForbidden, "This form is not from hone's page, or from before you signed in. Go back, reload the page and try again.")
		c.Abort()
	}
}

// fail shows an error.
func (s *Server) fail(c *gin.Context, status int, what string) {
	s.render(c, status, "fault", layout{Title: "That did not work"}, what)
}

// failWith shows what an error of the API says, with its status.
func (s *Server) failWith(c *gin.Context, err error) {
	status := http.StatusInternalServerError
	var named interface{ HTTPStatus() int }
	switch {
	case errors.Is(err, api.ErrUnknownProject):
		status = http.StatusNotFound
	case errors.As(err, &named):
		status = named.HTTPStatus()
	}
	s.fail(c, status, err.Error())
}

// back leads to a page below /ui after a form, as a GET.
func back(c *gin.Context, to string) {
	c.Header("Location", rootOf(c)+to)
	c.Status(http.StatusSeeOther)
}

// secretOf is a token that somebody typed.
func secretOf(typed string) secret.Secret { return secret.Secret(typed) }
