// Package service is the one shape of what works in the background: it is started once
// and stopped once, and calls that come twice or in another order do no harm.
package service

import (
	"context"
	"errors"
	"sync"
)

// Service works in the background from Start until Stop, or until the context of Start
// ends. It has one life: what was stopped is not started again. Both methods may be
// called by any number of goroutines at once.
type Service interface {
	// Start begins the work and returns at once. A second call does nothing. The error is
	// ErrStopped after Stop, and the context's if that has ended already; nothing was
	// started then.
	Start(ctx context.Context) error
	// Stop ends the work and returns nil when all of it has ended, or the context's error
	// when that ends first; a later call waits for the rest. Calling it twice does
	// nothing more, and calling it before Start means that nothing ever starts.
	Stop(ctx context.Context) error
}

// ErrStopped is the error of starting a service that was stopped.
var ErrStopped = errors.New("the service was stopped before")

// Life holds the goroutines of a service. Its methods may be called concurrently.
type Life struct {
	ctx    context.Context //nolint:containedctx // the service's lifetime, not a call's
	cancel context.CancelFunc

	mu       sync.Mutex // guards all below; held for moments
	started  bool
	stopped  bool
	running  int           // goroutines
	detach   func() bool   // ends the watch over Start's context
	finished chan struct{} // closed once stopped is true and running is 0
}

// NewLife makes the life of a service that is not started yet.
func NewLife() *Life {
	l := &Life{finished: make(chan struct{})}
	l.ctx, l.cancel = context.WithCancel(context.Background())
	return l
}

// Context ends with Stop, and with the context of Start.
func (l *Life) Context() context.Context { return l.ctx }

// Start runs run in a goroutine, as Service.Start says.
func (l *Life) Start(ctx context.Context, run func(ctx context.Context)) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case l.stopped:
		return ErrStopped
	case l.started:
		return nil
	case ctx.Err() != nil:
		return ctx.Err()
	}
	l.started = true
	l.detach = context.AfterFunc(ctx, l.cancel)
	l.spawn(run)
	return nil
}

// Go runs do in a goroutine that Stop waits for, and reports whether it did: not once
// Stop was called. Before Start it does.
func (l *Life) Go(do func(ctx context.Context)) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.stopped {
		return false
	}
	l.spawn(do)
	return true
}

// spawn runs do in a goroutine. l.mu is held.
func (l *Life) spawn(do func(ctx context.Context)) {
	l.running++
	go func() {
		defer l.ended()
		do(l.ctx)
	}()
}

func (l *Life) ended() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.running--
	if l.stopped && l.running == 0 {
		close(l.finished)
	}
}

// Stopped reports whether Stop was called.
func (l *Life) Stopped() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.stopped
}

// Stop ends the context and waits for all goroutines, as Service.Stop says.
func (l *Life) Stop(ctx context.Context) error {
	l.end()
	select {
	case <-l.finished:
		return nil
	default:
	}
	select {
	case <-l.finished:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (l *Life) end() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.cancel()
	if l.stopped {
		return
	}
	l.stopped = true
	if l.detach != nil {
		l.detach()
	}
	if l.running == 0 {
		close(l.finished)
	}
}
