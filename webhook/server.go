package webhook

import (
	"context"
	"fmt"
	"net/http"
	"sync/atomic"

	"github.com/gin-gonic/gin"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/sirupsen/logrus"

	"github.com/hone-ml/hone/access"
)

// Server holds the handlers. It is safe for concurrent use.
type Server struct {
	Options
	log        *logrus.Entry
	metrics    *serverMetrics
	publisher  *boundedPublisher
	dedupe     *dedupe
	reconciles *retryQueue // projects that must be compared with Label Studio
	stop       context.CancelFunc
	lastWarned atomic.Int64 // when a refused caller was last logged, in unix nanoseconds

	duplicates, unsigned, refusedCalls atomic.Uint64 // what Stats tells
}

// New returns a running Server; Close ends it.
func New(o Options) (*Server, error) {
	o, err := o.withDefaults()
	if err != nil {
		return nil, err
	}
	m, err := newMetrics(o.Registerer)
	if err != nil {
		return nil, err
	}
	ctx, stop := context.WithCancel(context.Background())
	s := &Server{
		Options: o,
		log:     o.Logger.WithField("component", "webhook"),
		metrics: m,
		dedupe:  newDedupe(duplicateKeys, duplicateWindow),
		stop:    stop,
	}
	s.publisher = newBoundedPublisher(o.Publisher, o.StoreTimeout)
	s.reconciles = newRetryQueue(ctx, reconcileSpacing, s.askReconcile)
	if err := o.Registerer.Register(prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "hone_webhook_owed_reconciles",
		Help: "Projects that lost a webhook and wait for a reconcile; one entry may stand for all.",
	}, func() float64 { return float64(s.reconciles.Len()) })); err != nil {
		stop()
		return nil, fmt.Errorf("webhook: register metrics: %w", err)
	}
	return s, nil
}

// Close waits until the writes under way are finished, or ctx ends, and stops
// the background work. Webhooks that still come are answered with 503. Call it
// after the HTTP server was shut down; more than once is fine. A reconcile still owed is not lost: hone
// reconciles whenever it starts.
func (s *Server) Close(ctx context.Context) error {
	s.stop()
	err := s.publisher.close(ctx)
	select {
	case <-s.reconciles.done:
	case <-ctx.Done():
		return ctx.Err()
	}
	return err
}

// Engine returns a gin engine with the routes of Label Studio, behind the gate.
// Other routes may be added to it; they are behind the gate too.
func (s *Server) Engine() *gin.Engine {
	e := s.Bare(s.Gate)
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
