package service_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"

	"github.com/hone-ml/hone/internal/service"
	"github.com/hone-ml/hone/internal/service/servicetest"
)

// worker has one goroutine, and a second one that the first begins.
type worker struct{ life *service.Life }

func (w worker) Start(ctx context.Context) error {
	return w.life.Start(ctx, func(ctx context.Context) {
		w.life.Go(func(ctx context.Context) { <-ctx.Done() })
		<-ctx.Done()
	})
}

func (w worker) Stop(ctx context.Context) error { return w.life.Stop(ctx) }

func TestStartAndStopInAnyOrder(t *testing.T) {
	servicetest.Stress(t, func(*testing.T) service.Service { return worker{service.NewLife()} })
}

func TestWorkEndsWithTheContextOfStart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		l, ended := service.NewLife(), make(chan struct{})
		if err := l.Start(ctx, func(ctx context.Context) { <-ctx.Done(); close(ended) }); err != nil {
			t.Fatal(err)
		}
		cancel()
		<-ended
		if l.Context().Err() == nil || l.Stopped() {
			t.Error("the context goes on, or Stop was called by nobody")
		}
	})
}

func TestStopWaitsForAllThatWasBegun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, release, done := service.NewLife(), make(chan struct{}), false
		if !l.Go(func(context.Context) { <-release; done = true }) {
			t.Fatal("it cannot do anything before it is started")
		}
		if err := l.Start(t.Context(), func(context.Context) {}); err != nil {
			t.Fatal(err)
		}
		ended, end := context.WithCancel(t.Context())
		end()
		if err := l.Stop(ended); !errors.Is(err, context.Canceled) {
			t.Errorf("it has not waited and says %v", err)
		}
		if l.Go(func(context.Context) { t.Error("this begins after Stop") }) {
			t.Error("something begins after Stop")
		}
		close(release)
		if err := l.Stop(t.Context()); err != nil || !done {
			t.Errorf("%v, done: %v", err, done)
		}
	})
}
