package app

import (
	"context"
	"errors"
	"net"
	"runtime/debug"
	"time"

	"github.com/sirupsen/logrus"
	"golang.org/x/sync/errgroup"

	"github.com/hone-ml/hone/event"
	"github.com/hone-ml/hone/internal/service"
)

// Addrs returns the addresses at which hone listens, with the real port where the configured one is
// 0: first that for Label Studio, then that for the administrator if it is another.
func (a *App) Addrs() []net.Addr {
	addrs := make([]net.Addr, len(a.ports))
	for i, p := range a.ports {
		addrs[i] = p.Addr()
	}
	return addrs
}

// Ready returns a channel that is closed when the models are loaded and the log is handled.
func (a *App) Ready() <-chan struct{} { return a.ready }

// Run serves until the context ends, then stops in order: no more requests, the
// log's handlers finish, the learner saves, the database closes.
func (a *App) Run(ctx context.Context) (err error) {
	defer func() { err = errors.Join(err, a.Close()) }()
	g, ctx := errgroup.WithContext(ctx)
	// The log's handlers outlive the listener: a webhook that was accepted while hone stops
	// is in the log, and stays there.
	work, stopWork := context.WithCancel(context.WithoutCancel(ctx))
	defer stopWork()
	if err := errors.Join(a.Webhook.Start(work), a.Connection.Start(work)); err != nil {
		return err
	}
	if a.Notifier != nil {
		if err := a.Notifier.Start(work); err != nil {
			return err
		}
	}
	// Webhooks are durable from the first moment on, before any model is loaded.
	for _, p := range a.ports {
		g.Go(p.serve)
	}
	a.log.WithFields(logrus.Fields{"listen": a.ports[0].Addr().String(), "data_dir": a.cfg.DataDir, "version": a.version}).Info("hone serves")
	a.tellAccess()
	if _, err := a.Connection.Client(); err != nil {
		a.log.Warn(err)
	}
	g.Go(func() error { return a.upgrade(work) })
	g.Go(func() error { return a.followLog(work) })
	g.Go(func() error {
		<-ctx.Done()
		a.log.Info("stopping")
		close(a.ending)
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
		if err := a.Webhook.Stop(limit); err != nil {
			a.log.WithError(err).Warn("the disk is too slow for what is being stored; it goes on without waiting")
		}
		stopWork()
		return nil
	})
	return g.Wait()
}

// followLog loads the models and then handles the log until the context ends.
func (a *App) followLog(ctx context.Context) error {
	known, err := a.known(ctx)
	if err != nil {
		return err
	}
	if err := a.Learner.Load(ctx, known); err != nil {
		return err
	}
	// It goes on until the log's handlers have ended, and then saves: see Close.
	if err := a.Learner.Start(context.WithoutCancel(ctx)); err != nil {
		return err
	}
	debug.FreeOSMemory() // what was read to be learned is as much as the models
	stopCron, err := a.startSchedule()
	if err != nil {
		return err
	}
	defer stopCron()
	g, ctx := errgroup.WithContext(ctx)
	for _, s := range []service.Service{a.Evaluator, a.Guard, a.Sampler, a.Reconciler, a.Poller} {
		if err := s.Start(ctx); err != nil && ctx.Err() == nil {
			return err
		}
	}
	g.Go(func() error { return a.Pipeline.Run(ctx) })
	g.Go(func() error {
		select {
		case <-ctx.Done():
			return nil
		case <-a.Pipeline.Running():
		}
		close(a.ready)
		a.Sampler.Refresh(known...)
		a.log.WithField("projects", len(known)).Info("ready")
		if err := a.Pipeline.Publish(ctx, &event.ReconcileDue{At: time.Now(), Full: true, Reason: "start"}); err != nil && ctx.Err() == nil {
			// A disk that is full for a moment must not end a hone that runs.
			a.log.WithError(err).Warn("the comparison at the start could not be put into the log; it is made all the same")
			a.Reconciler.Ask(0, true)
		}
		return nil
	})
	return g.Wait()
}

func (a *App) readiness() error {
	select {
	case <-a.ready:
		return nil
	default:
		return errors.New("loading the models")
	}
}

// Close releases what New opened, also after New failed. Run calls it. Further calls do nothing.
func (a *App) Close() error {
	var errs []error
	for _, p := range a.ports {
		if err := p.Close(); !errors.Is(err, net.ErrClosed) {
			errs = append(errs, err)
		}
	}
	if a.Webhook != nil {
		limit, cancel := context.WithTimeout(context.Background(), a.cfg.ShutdownTimeout)
		defer cancel()
		_ = a.Webhook.Stop(limit) // run has said what went wrong, or nothing was received
	}
	errs = append(errs, a.stopServices(context.Background()))
	if a.Core != nil {
		errs = append(errs, a.Core.Close())
	}
	if a.Store != nil {
		errs = append(errs, a.Store.Close())
	}
	return errors.Join(errs...)
}

// stopServices stops the services beside the log's handlers and waits for them.
func (a *App) stopServices(ctx context.Context) error {
	var errs []error
	if a.Evaluator != nil {
		errs = append(errs, a.Evaluator.Stop(ctx))
	}
	if a.Guard != nil {
		errs = append(errs, a.Guard.Stop(ctx))
	}
	if a.Sampler != nil {
		errs = append(errs, a.Sampler.Stop(ctx))
	}
	if a.Poller != nil {
		errs = append(errs, a.Poller.Stop(ctx))
	}
	if a.Reconciler != nil {
		errs = append(errs, a.Reconciler.Stop(ctx))
	}
	if a.Notifier != nil {
		errs = append(errs, a.Notifier.Stop(ctx))
	}
	if a.Connection != nil { // last: it drops the connections of all
		errs = append(errs, a.Connection.Stop(ctx))
	}
	return errors.Join(errs...)
}
