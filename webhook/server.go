package webhook

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync/atomic"

	"github.com/gin-gonic/gin"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/sirupsen/logrus"

	"github.com/hone-ml/hone/access"
	"github.com/hone-ml/hone/internal/service"
)

// Server holds the handlers. It is safe for concurrent use.
type Server struct {
	o          Options
	log        *logrus.Entry
	metrics    *serverMetrics
	publisher  *boundedPublisher
	dedupe     *dedupe
	reconciles *retryQueue // projects that must be compared with Label Studio
	life       *service.Life
	lastWarned atomic.Int64 // when a refused caller was last logged, in unix nanoseconds

	duplicates, unsigned, refusedCalls atomic.Uint64 // what Stats tells
}

// New returns a Server whose handlers can be used; Start it too, and Stop it in the end.
func New(o Options) (*Server, error) {
	o.setDefaults()
	if err := o.validate(); err != nil {
		return nil, err
	}
	m, err := newMetrics(o.Registerer)
	if err != nil {
		return nil, err
	}
	s := &Server{
		o:       o,
		log:     o.Logger.WithField("component", "webhook"),
		metrics: m,
		dedupe:  newDedupe(duplicateKeys, duplicateWindow),
		life:    service.NewLife(),
	}
	s.publisher = newBoundedPublisher(o.Publisher, o.StoreTimeout)
	s.reconciles = newRetryQueue(reconcileSpacing, s.askReconcile)
	if err := o.Registerer.Register(prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "hone_webhook_owed_reconciles",
		Help: "Projects that lost a webhook and wait for a reconcile; one entry may stand for all.",
	}, func() float64 { return float64(s.reconciles.Len()) })); err != nil {
		return nil, fmt.Errorf("webhook: register metrics: %w", err)
	}
	return s, nil
}

// Start begins to ask for the reconciles that are owed, as service.Service says.
func (s *Server) Start(ctx context.Context) error { return s.life.Start(ctx, s.reconciles.run) }

// Stop ends that, as service.Service says, and waits until the writes under way are
// finished, or ctx ends. Webhooks that still come are answered with 503. Call it
// after the HTTP server was shut down. A reconcile still owed is not lost: hone
// reconciles whenever it starts.
func (s *Server) Stop(ctx context.Context) error {
	return errors.Join(s.life.Stop(ctx), s.publisher.close(ctx))
}

var _ service.Service = (*Server)(nil)

// Engine returns a gin engine with the routes of Label Studio, behind the gate.
// Other routes may be added to it; they are behind the gate too.
func (s *Server) Engine() *gin.Engine {
	e := s.Bare(s.o.Gate)
	s.register(e)
	return e
}

// Bare returns an engine without routes: with panic recovery, request logging, a
// gate, and JSON answers to unknown paths and methods.
func (s *Server) Bare(g *access.Gate) *gin.Engine {
	gin.SetMode(gin.ReleaseMode)
	e := gin.New()
	e.HandleMethodNotAllowed = true
	// A redirect would lose a webhook's body; both spellings are registered.
	e.RedirectTrailingSlash = false
	_ = e.SetTrustedProxies(nil) // nil cannot fail
	e.Use(s.logRequests, s.recover, g.Enforce(s.refuseUnproven))
	e.NoRoute(func(c *gin.Context) {
		failInBody(c, http.StatusNotFound, "there is nothing at this path; Label Studio's backend URL is hone's address without a path")
	})
	e.NoMethod(func(c *gin.Context) {
		failInBody(c, http.StatusMethodNotAllowed, "this path does not take "+shortenTo(c.Request.Method, 16))
	})
	return e
}

// register adds the routes of the webhook receiver and of the ML-backend
// protocol, each with and without a trailing slash.
func (s *Server) register(r gin.IRouter) {
	both := func(method, path string, h ...gin.HandlerFunc) {
		r.Handle(method, path, h...)
		r.Handle(method, path+"/", h...)
	}
	for _, method := range []string{http.MethodGet, http.MethodHead} {
		r.Handle(method, "/", s.health)
		both(method, "/health", s.health)
	}
	both(http.MethodPost, "/webhook", s.webhook)
	both(http.MethodPost, "/setup", s.setup)
	both(http.MethodPost, "/predict", s.predict)
	both(http.MethodPost, "/train", s.train)
	both(http.MethodGet, "/versions", s.versions)
}
