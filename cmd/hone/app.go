package main

import (
	"context"
	"errors"
	"net"
	"net/http"
	"runtime/debug"
	"sync/atomic"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/sirupsen/logrus"
	"golang.org/x/sync/errgroup"

	"github.com/hone-ml/hone/access"
	"github.com/hone-ml/hone/config"
	"github.com/hone-ml/hone/connect"
	"github.com/hone-ml/hone/event"
	"github.com/hone-ml/hone/labelstudio"
	"github.com/hone-ml/hone/learner"
	"github.com/hone-ml/hone/pipeline"
	"github.com/hone-ml/hone/pipeline/boltlog"
	"github.com/hone-ml/hone/reconcile"
	"github.com/hone-ml/hone/sampler"
	"github.com/hone-ml/hone/state"
	"github.com/hone-ml/hone/webhook"
)

// learnBatch is how many changes the learner takes in one transaction.
const learnBatch = 256

// app is a whole hone. newApp wires it, run runs it once.
type app struct {
	cfg      config.Config
	log      *logrus.Entry
	registry *prometheus.Registry

	store   *state.Store
	blog    *boltlog.Log
	pipe    *pipeline.Pipeline
	learner *learner.Learner
	sampler *sampler.Sampler
	recon   *reconcile.Reconciler
	link    *connect.Link
	hook    *webhook.Server

	keys *access.Keys
	// upgrading is true while registrations are given the secret for the first time.
	upgrading atomic.Bool

	seams   seams
	ports   []*port
	engines []*gin.Engine // what the ports serve
	// ready is closed once the models are loaded and the log is followed.
	ready chan struct{}
}

// seams are where a simulation takes the place of the network and the disk; the
// zero value is the real ones.
type seams struct {
	// transport calls Label Studio, and hone itself for the challenge.
	transport http.RoundTripper
	listen    func(address string) (net.Listener, error)
	// store and changes are around the learner's store and handler.
	store   func(learner.Store) learner.Store
	changes func(pipeline.Handler) pipeline.Handler
	// append comes before entries are added to the log.
	append func(topic string) error
	// steps bound the learner's work in place of time.
	steps int
	// jitter is the chance in pauses.
	jitter func() float64
}

func newApp(ctx context.Context, cfg config.Config, logger *logrus.Logger) (*app, error) {
	return newAppWith(ctx, cfg, logger, seams{})
}

func newAppWith(ctx context.Context, cfg config.Config, logger *logrus.Logger, s seams) (_ *app, err error) {
	a := &app{cfg: cfg, log: logrus.NewEntry(logger), registry: prometheus.NewRegistry(), ready: make(chan struct{}), seams: s}
	a.registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	defer func() {
		if err != nil {
			err = errors.Join(err, a.close())
		}
	}()
	if a.store, err = state.Open(cfg.DataDir, state.Options{}); err != nil {
		return nil, err
	}
	if err = a.wireKeys(); err != nil {
		return nil, err
	}
	if err = a.wireLog(); err != nil {
		return nil, err
	}
	if err = a.wireLabelStudio(ctx); err != nil {
		return nil, err
	}
	if err = a.wireSampler(); err != nil {
		return nil, err
	}
	if err = a.wireHTTP(); err != nil {
		return nil, err
	}
	changes := pipeline.Handler(a.learner.Apply)
	if s.changes != nil {
		changes = s.changes(changes)
	}
	a.pipe.HandleLanes(learnerGroup, event.Changes, learnBatch, a.lanes(), changes)
	a.pipe.Handle("sampler", event.Snapshots, learnBatch, a.sampler.Learned)
	a.pipe.Handle("reconcile", event.Reconciles, learnBatch, a.recon.Handle)
	return a, nil
}

func (a *app) wireLog() (err error) {
	if a.blog, err = boltlog.New(a.store.DB(), boltlog.Options{Logger: pipeline.NewLogger(a.part("boltlog")), BeforeAppend: a.seams.append}); err != nil {
		return err
	}
	if a.pipe, err = pipeline.New(a.blog, pipeline.Options{Logger: a.part("pipeline"), Registerer: a.registry, CloseTimeout: a.cfg.ShutdownTimeout}); err != nil {
		return err
	}
	enc, err := encoderOf(a.cfg.Learner, a.cfg.Learner.Encoder)
	if err != nil {
		return err
	}
	var store learner.Store = ledger{a.store, a.pipe, a.blog}
	if a.seams.store != nil {
		store = a.seams.store(store)
	}
	a.learner, err = learner.New(store, learner.Options{
		Encoder: enc.Fast, Slow: enc.Slow, Vectors: a.store, Tasks: a.store, Next: a.next, SlowCores: a.cfg.Learner.EncodeWorkers,
		Budget: a.cfg.Learner.Budget, Steps: a.seams.steps, Logger: a.part("learner"), Registerer: a.registry,
	})
	return err
}

func (a *app) wireLabelStudio(ctx context.Context) (err error) {
	client, err := clientOptions(a.cfg, a.part("labelstudio"))
	if err != nil {
		return err
	}
	client.Transport, client.Jitter = a.seams.transport, a.seams.jitter
	a.link, err = connect.New(ctx, connect.Options{
		URL: a.cfg.LabelStudio.URL, Token: labelstudio.Secret(a.cfg.LabelStudio.APIKey.Reveal()),
		Client: client,
		Keys:   a.keys, Port: a.ports[0].number(), Refused: a.refused,
		ManageSampling: a.cfg.Sampler.ManageSampling,
		Vault:          vault{a.store, a.log.Logger},
		Live:           a.learner.Version,
		Known:          a.known,
		Counters:       a.counters,
		Holds:          a.store.Known,
		OnClient:       a.onClient,
		Logger:         a.part("connect"),
	})
	if err != nil {
		return err
	}
	a.recon, err = reconcile.New(reconcile.Options{
		Index: a.store, Marks: a.store, Log: position{a.blog, a.pipe}, Publisher: a.pipe, Logger: a.part("reconcile"), Registerer: a.registry,
	})
	if err != nil {
		return err
	}
	if c, none := a.link.Client(); none == nil {
		a.recon.SetSource(c)
	}
	known, err := a.known(ctx)
	a.link.Expect(known...)
	a.upgrading.Store(a.keys.First() && len(known) > 0)
	return err
}

func (a *app) wireSampler() (err error) {
	o := sampler.Defaults()
	s := a.cfg.Sampler
	o.Pool, o.Scorer, o.Predictor = a.store, a.learner, a.learner
	o.Strategy, o.QueueSize, o.Front, o.Settle = s.Strategy, s.Queue, s.Head, s.Settle
	o.RandomShare, o.PushRate, o.BulkAbove, o.CheckEvery = s.RandomShare, s.PushRate, s.BulkAbove, s.CheckEvery
	o.ManageModelVersion = s.ManageModelVersion
	o.Logger, o.Registerer, o.Jitter = a.part("sampler"), a.registry, a.seams.jitter
	if c, none := a.link.Client(); none == nil {
		o.LabelStudio = c
	}
	a.sampler, err = sampler.New(o)
	return err
}

func (a *app) part(name string) *logrus.Entry { return a.log.WithField("component", name) }

// addr is where the app listens, with the real port when the configured one is 0.
func (a *app) addr() string { return a.ports[0].Addr().String() }

// run serves until the context ends, then stops in order: no more requests, the
// log's handlers finish, the learner saves, the database closes.
func (a *app) run(ctx context.Context) (err error) {
	defer func() { err = errors.Join(err, a.close()) }()
	g, ctx := errgroup.WithContext(ctx)
	// Webhooks are durable from the first moment on, before any model is loaded.
	for _, p := range a.ports {
		g.Go(p.serve)
	}
	a.log.WithFields(logrus.Fields{"listen": a.addr(), "data_dir": a.cfg.DataDir, "version": version}).Info("hone serves")
	a.tellAccess()
	if _, err := a.link.Client(); err != nil {
		a.log.Warn(err)
	}
	// What follows the log outlives the listener: a webhook that was accepted
	// while stopping is in the log, and stays there.
	work, stopWork := context.WithCancel(context.WithoutCancel(ctx))
	defer stopWork()
	g.Go(func() error { return a.link.Run(work) })
	g.Go(func() error { return a.upgrade(work) })
	g.Go(func() error { return a.work(work) })
	g.Go(func() error {
		<-ctx.Done()
		a.log.Info("stopping")
		limit, cancel := context.WithTimeout(context.WithoutCancel(ctx), a.cfg.ShutdownTimeout)
		defer cancel()
		for _, p := range a.ports {
			if err := p.server.Shutdown(limit); err != nil {
				// Nothing is lost: what was acknowledged is in the log, and what was not
				// is found by the reconcile at the next start.
				a.log.WithError(err).Warnf("requests still under way after %v (shutdown_timeout) are cut off", a.cfg.ShutdownTimeout)
				_ = p.server.Close()
			}
		}
		if err := a.hook.Close(limit); err != nil {
			a.log.WithError(err).Warn("the disk is too slow for what is being stored; it goes on without waiting")
		}
		stopWork()
		return nil
	})
	return g.Wait()
}

// work loads the models and then follows the log until the context ends.
func (a *app) work(ctx context.Context) error {
	known, err := a.known(ctx)
	if err != nil {
		return err
	}
	if err := a.learner.Start(ctx, known); err != nil {
		return err
	}
	debug.FreeOSMemory() // what was read to be learned is as much as the models
	stopCron, err := a.startCron()
	if err != nil {
		return err
	}
	defer stopCron()
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return a.pipe.Run(ctx) })
	g.Go(func() error { return a.sampler.Run(ctx) })
	g.Go(func() error { return a.recon.Run(ctx) })
	g.Go(func() error {
		select {
		case <-ctx.Done():
			return nil
		case <-a.pipe.Running():
		}
		close(a.ready)
		a.sampler.Refresh(known...)
		a.log.WithField("projects", len(known)).Info("ready")
		if err := a.pipe.Publish(ctx, &event.ReconcileDue{At: time.Now(), Full: true, Reason: "start"}); err != nil && ctx.Err() == nil {
			// A disk that is full for a moment must not end a hone that runs.
			a.log.WithError(err).Warn("the comparison at the start could not be put into the log; it is made all the same")
			a.recon.Ask(0, true)
		}
		return nil
	})
	return g.Wait()
}

func (a *app) readiness() error {
	select {
	case <-a.ready:
		return nil
	default:
		return errors.New("loading the models")
	}
}

// close releases what newApp opened. Safe when only part of it was.
func (a *app) close() error {
	var errs []error
	for _, p := range a.ports {
		if err := p.Close(); !errors.Is(err, net.ErrClosed) {
			errs = append(errs, err)
		}
	}
	if a.hook != nil {
		limit, cancel := context.WithTimeout(context.Background(), a.cfg.ShutdownTimeout)
		defer cancel()
		_ = a.hook.Close(limit) // run has said what went wrong, or nothing was received
	}
	if a.learner != nil {
		errs = append(errs, a.learner.Close())
	}
	if a.link != nil {
		a.link.Close()
	}
	if a.blog != nil {
		errs = append(errs, a.blog.Close())
	}
	if a.store != nil {
		errs = append(errs, a.store.Close())
	}
	return errors.Join(errs...)
}
