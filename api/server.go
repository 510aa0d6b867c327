package api

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/hone-ml/hone/event"
	"github.com/hone-ml/hone/internal/secret"
)

// ErrUnknownProject is returned by Projects for an id hone has not heard of.
var ErrUnknownProject = errors.New("unknown project")

// Projects reads what hone knows. Safe for concurrent use.
type Projects interface {
	// List returns all projects by id.
	List(ctx context.Context) (Listing, error)
	// Get returns one project, or an error wrapping ErrUnknownProject.
	Get(ctx context.Context, id event.ProjectID) (Project, error)
	// Versions returns a project's versions, oldest first.
	Versions(ctx context.Context, id event.ProjectID) ([]Version, error)
	// Accuracy returns how a project's accuracy rose with its labels.
	Accuracy(ctx context.Context, id event.ProjectID) (AccuracyHistory, error)
	// Shares returns how common labels are among all tasks of a project.
	Shares(ctx context.Context, id event.ProjectID) (Shares, error)
}

// Publisher puts an event into the log; it is durable when Publish returns nil.
type Publisher interface {
	Publish(ctx context.Context, events ...event.Event) error
}

// Prelabeller makes predictions of all tasks of a project.
type Prelabeller interface {
	// Prelabel stores that they are to be made and returns when, or an error wrapping
	// ErrUnknownProject.
	Prelabel(ctx context.Context, id event.ProjectID) (time.Time, error)
}

// DeadLetters lists and replays what could not be handled.
type DeadLetters interface {
	List(ctx context.Context, limit int) ([]DeadLetter, error)
	// Replay puts letters back into their log; no ids means all of them.
	Replay(ctx context.Context, ids ...uint64) (int, error)
	// Drop deletes letters; no ids means all of them.
	Drop(ctx context.Context, ids ...uint64) (int, error)
}

// Connector talks to Label Studio about the connection itself.
type Connector interface {
	Connect(ctx context.Context, id event.ProjectID, url string) (Report, error)
	// Login tries an address of Label Studio and a token, and keeps them if they work.
	Login(ctx context.Context, url string, token secret.Secret) (Report, error)
	// ConnectPolled has hone read the changes of a project itself.
	ConnectPolled(ctx context.Context, id event.ProjectID) (Report, error)
	// Disconnect undoes that, and leaves the project alone from then on. The error may wrap
	// ErrUnknownProject.
	Disconnect(ctx context.Context, id event.ProjectID, deletePredictions bool) (Report, error)
	// Forget does that too, as far as Label Studio lets it, and deletes everything that is
	// stored of the project. The error may wrap ErrUnknownProject.
	Forget(ctx context.Context, id event.ProjectID) (Report, error)
	// Doctor checks one project, or with id 0 every project.
	Doctor(ctx context.Context, id event.ProjectID) (Report, error)
}

// Secrets replaces the secret of Label Studio's calls.
type Secrets interface {
	Rotate() error
	Rotation() Rotation
	// NewSignInLink returns a way to sign in to hone's page once.
	NewSignInLink() SignInLink
}

// Backuper writes a consistent copy of the whole database while hone goes on.
type Backuper interface {
	Backup(w io.Writer) error
}

// Server holds the handlers. All fields are required but Ready.
type Server struct {
	Projects    Projects
	Predictor   Predictor
	Prelabeller Prelabeller
	Publisher   Publisher
	DeadLetters DeadLetters
	Connector   Connector
	Configurer  Configurer
	Describer   Describer
	Backup      Backuper
	Secrets     Secrets
	Metrics     http.Handler
	// Ready returns nil once hone has loaded its models and follows its log.
	Ready func() error
	// Now stamps requests; nil means time.Now.
	Now func() time.Time
}

// RegisterProbes adds the routes for whoever restarts hone.
func (s *Server) RegisterProbes(r gin.IRouter) {
	r.GET("/healthz", func(c *gin.Context) { c.JSON(http.StatusOK, Probe{"ok"}) })
	r.GET("/readyz", s.ready)
}

// Register adds /metrics and everything under /api. The router must ask for
// credentials (access.Gate).
func (s *Server) Register(r gin.IRouter) {
	r.GET("/metrics", gin.WrapH(s.Metrics))

	g := r.Group("/api")
	g.Use(limitRequests(maxBody))
	g.GET("/projects", s.list)
	g.GET("/projects/:id", s.getProject)
	g.PATCH("/projects/:id", s.configure)
	g.DELETE("/projects/:id", s.forget)
	g.GET("/projects/:id/versions", s.versions)
	g.GET("/projects/:id/accuracy", s.accuracy)
	g.GET("/projects/:id/shares", s.shares)
	g.GET("/projects/:id/descriptions", s.descriptions)
	g.PUT("/projects/:id/descriptions", s.describe)
	g.POST("/projects/:id/connect", s.connect)
	g.POST("/projects/:id/disconnect", s.disconnect)
	g.POST("/projects/:id/retrain", s.publishRequest(func(p event.ProjectID, at time.Time, c *gin.Context) event.Event {
		return &event.RetrainDue{Project: p, At: at, Reason: "command"}
	}))
	g.POST("/projects/:id/reconcile", s.publishRequest(func(p event.ProjectID, at time.Time, c *gin.Context) event.Event {
		full := c.Query("full") != "false"
		return &event.ReconcileDue{Project: p, At: at, Reason: "command", Full: full, Contents: full && c.Query("contents") != "false"}
	}))
	g.POST("/projects/:id/rebuild", s.publishRequest(func(p event.ProjectID, at time.Time, c *gin.Context) event.Event {
		return &event.ReconcileDue{Project: p, At: at, Reason: "command", Full: true, Contents: true, Anew: true}
	}))
	g.POST("/projects/:id/rollback", s.publishRequest(func(p event.ProjectID, at time.Time, c *gin.Context) event.Event {
		return &event.RollbackDue{Project: p, At: at, To: c.Query("to")}
	}))
	g.POST("/projects/:id/prelabel", s.prelabel)
	g.GET("/deadletters", s.letters)
	g.POST("/deadletters/replay", s.changeLetters(s.DeadLetters.Replay))
	g.POST("/deadletters/drop", s.changeLetters(s.DeadLetters.Drop))
	g.GET("/doctor", s.doctor)
	g.POST("/login", s.login)
	g.GET("/backup", s.backup)
	g.GET("/secret", func(c *gin.Context) { c.JSON(http.StatusOK, s.Secrets.Rotation()) })
	g.POST("/secret/rotate", s.rotate)
	g.POST("/sign-in-link", func(c *gin.Context) { c.JSON(http.StatusOK, s.Secrets.NewSignInLink()) })

	r.POST("/api/projects/:id/predict", limitRequests(MaxPredictBody), s.predict())
}

// maxBody bounds what is read of a request; the largest is a list of ids, but for texts to
// predict.
const maxBody = 1 << 20

// maxLetters bounds one listing of dead letters; each may be megabytes.
const maxLetters = 1000

var crossOriginProtection = http.NewCrossOriginProtection()

// limitRequests refuses what no client of this API sends: large bodies, and requests that a
// foreign web page makes through the browser of a person who can reach hone.
func limitRequests(body int64) gin.HandlerFunc {
	return func(c *gin.Context) {
		if err := crossOriginProtection.Check(c.Request); err != nil {
			c.AbortWithStatusJSON(http.StatusForbidden, Error{"a web page of another address may not ask this of hone"})
			return
		}
		c.Request.Body = http.MaxBytesReader(c.Writer, c.Request.Body, body)
	}
}

func (s *Server) now() time.Time {
	if s.Now != nil {
		return s.Now()
	}
	return time.Now()
}

func (s *Server) ready(c *gin.Context) {
	if s.Ready != nil {
		if err := s.Ready(); err != nil {
			c.JSON(http.StatusServiceUnavailable, Error{err.Error()})
			return
		}
	}
	c.JSON(http.StatusOK, Probe{"ready"})
}

func (s *Server) list(c *gin.Context) {
	ps, err := s.Projects.List(c)
	if err != nil {
		writeError(c, err)
		return
	}
	c.JSON(http.StatusOK, ps)
}

func (s *Server) rotate(c *gin.Context) {
	if err := s.Secrets.Rotate(); err != nil {
		writeError(c, err)
		return
	}
	c.JSON(http.StatusOK, s.Secrets.Rotation())
}

func (s *Server) getProject(c *gin.Context) {
	id, ok := projectID(c)
	if !ok {
		return
	}
	p, err := s.Projects.Get(c, id)
	if err != nil {
		writeError(c, err)
		return
	}
	c.JSON(http.StatusOK, p)
}

func (s *Server) versions(c *gin.Context) {
	id, ok := projectID(c)
	if !ok {
		return
	}
	vs, err := s.Projects.Versions(c, id)
	if err != nil {
		writeError(c, err)
		return
	}
	c.JSON(http.StatusOK, VersionList{vs})
}

func (s *Server) accuracy(c *gin.Context) {
	id, ok := projectID(c)
	if !ok {
		return
	}
	h, err := s.Projects.Accuracy(c, id)
	if err != nil {
		writeError(c, err)
		return
	}
	c.JSON(http.StatusOK, h)
}

func (s *Server) shares(c *gin.Context) {
	id, ok := projectID(c)
	if !ok {
		return
	}
	out, err := s.Projects.Shares(c, id)
	if err != nil {
		writeError(c, err)
		return
	}
	c.JSON(http.StatusOK, out)
}

// publishRequest turns a request into an event: the log decides when it happens, so that
// a command has its place among the labels.
func (s *Server) publishRequest(build func(event.ProjectID, time.Time, *gin.Context) event.Event) gin.HandlerFunc {
	return func(c *gin.Context) {
		id, ok := projectID(c)
		if !ok {
			return
		}
		p, err := s.Projects.Get(c, id)
		if err != nil {
			writeError(c, err)
			return
		}
		at := s.now()
		e := build(id, at, c)
		if _, reads := e.(*event.ReconcileDue); !reads && p.ModelVersion == "" {
			// It would never happen, and who asked would wait for it.
			c.JSON(http.StatusConflict, Error{strings.Join(append([]string{fmt.Sprintf("project %d has no model yet", id)}, p.Problems...), ": ")})
			return
		}
		if err := s.Publisher.Publish(c, e); err != nil {
			writeError(c, err)
			return
		}
		c.JSON(http.StatusAccepted, Accepted{At: at, Status: "accepted"})
	}
}

func (s *Server) connect(c *gin.Context) {
	id, ok := projectID(c)
	if !ok {
		return
	}
	var req ConnectRequest
	if err := c.ShouldBindJSON(&req); err != nil {
		c.JSON(http.StatusBadRequest, Error{`the body must be {"url": "http://host:port"}, or {"poll": true}`})
		return
	}
	connect := func() (Report, error) { return s.Connector.Connect(c, id, req.URL) }
	if req.Poll {
		connect = func() (Report, error) { return s.Connector.ConnectPolled(c, id) }
	}
	rep, err := connect()
	if err != nil {
		writeError(c, err)
		return
	}
	c.JSON(http.StatusOK, rep)
}

func (s *Server) login(c *gin.Context) {
	var req LoginRequest
	if err := c.ShouldBindJSON(&req); err != nil || req.URL == "" || req.Token == "" {
		c.JSON(http.StatusBadRequest, Error{`the body must be {"url": "http://label-studio:8080", "token": "..."}`})
		return
	}
	rep, err := s.Connector.Login(c, req.URL, secret.Secret(req.Token))
	if err != nil {
		writeError(c, err)
		return
	}
	c.JSON(http.StatusOK, rep)
}

func (s *Server) prelabel(c *gin.Context) {
	id, ok := projectID(c)
	if !ok {
		return
	}
	at, err := s.Prelabeller.Prelabel(c, id)
	if err != nil {
		writeError(c, err)
		return
	}
	c.JSON(http.StatusAccepted, Accepted{At: at, Status: "accepted"})
}

func (s *Server) doctor(c *gin.Context) {
	var id event.ProjectID
	if q := c.Query("project"); q != "" {
		n, err := strconv.ParseInt(q, 10, 64)
		if err != nil || n < 0 {
			c.JSON(http.StatusBadRequest, Error{"project must be a number from 1, or 0 for all"})
			return
		}
		id = event.ProjectID(n)
	}
	rep, err := s.Connector.Doctor(c, id)
	if err != nil {
		writeError(c, err)
		return
	}
	c.JSON(http.StatusOK, rep)
}

func (s *Server) letters(c *gin.Context) {
	limit := 100
	if q := c.Query("limit"); q != "" {
		n, err := strconv.Atoi(q)
		if err != nil || n < 1 || n > maxLetters {
			c.JSON(http.StatusBadRequest, Error{"limit must be a number from 1 to 1000"})
			return
		}
		limit = n
	}
	ls, err := s.DeadLetters.List(c, limit)
	if err != nil {
		writeError(c, err)
		return
	}
	c.JSON(http.StatusOK, DeadLetterList{ls})
}

func (s *Server) changeLetters(do func(context.Context, ...uint64) (int, error)) gin.HandlerFunc {
	return func(c *gin.Context) {
		var req DeadLetterIDs
		if c.Request.ContentLength != 0 {
			if err := c.ShouldBindJSON(&req); err != nil {
				c.JSON(http.StatusBadRequest, Error{`the body must be {"ids": [1, 2]}, or empty for all`})
				return
			}
		}
		n, err := do(c, req.IDs...)
		if err != nil {
			writeError(c, err)
			return
		}
		c.JSON(http.StatusOK, Count{n})
	}
}

// backup streams the database. The status is long sent when something goes wrong
// on the way, so the connection is broken off: half a file must not look whole.
func (s *Server) backup(c *gin.Context) {
	c.Header("Content-Type", "application/octet-stream")
	c.Header("Content-Disposition", `attachment; filename="hone.db"`)
	if err := s.Backup.Backup(c.Writer); err != nil {
		if !c.Writer.Written() {
			c.Header("Content-Disposition", "")
			writeError(c, err)
			return
		}
		panic(http.ErrAbortHandler)
	}
}

func projectID(c *gin.Context) (event.ProjectID, bool) {
	n, err := strconv.ParseInt(c.Param("id"), 10, 64)
	if err != nil || n < 1 {
		c.JSON(http.StatusBadRequest, Error{"project id must be a number from 1"})
		return 0, false
	}
	return event.ProjectID(n), true
}

// writeError answers with an error; it is the one place where an error becomes a status.
func writeError(c *gin.Context, err error) {
	status := http.StatusInternalServerError
	var coded interface{ HTTPStatus() int }
	switch {
	case errors.Is(err, ErrUnknownProject):
		status = http.StatusNotFound
	case errors.As(err, &coded):
		status = coded.HTTPStatus()
	case errors.Is(err, context.DeadlineExceeded):
		status = http.StatusGatewayTimeout
	}
	c.JSON(status, Error{err.Error()})
}
