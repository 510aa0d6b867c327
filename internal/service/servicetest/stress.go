// Package servicetest tests that a service stands being started and stopped in any
// order.
package servicetest

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/hone-ml/hone/internal/service"
)

// rounds is how many services are started and stopped.
const rounds = 500

// Stress starts and stops 500 services, each from several goroutines at once: before
// and after each other, twice, and under contexts that have ended or are about to. create
// makes one that is not started; it is called in a bubble of synctest, which fails the
// test when a goroutine is left over.
func Stress(t *testing.T, create func(t *testing.T) service.Service) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		for round := range rounds {
			stress(t, create(t), round)
		}
	})
}

func stress(t *testing.T, s service.Service, round int) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	ended, end := context.WithCancel(t.Context())
	end()
	stop := func() { expect(t, "stopping", s.Stop(t.Context())) }
	start := func() { expect(t, "starting", s.Start(ctx), service.ErrStopped, context.Canceled) }
	switch round % 5 {
	case 1:
		start()
	case 2:
		expect(t, "starting under a context that has ended", s.Start(ended), context.Canceled)
	case 3:
		start()
		cancel()
	case 4:
		stop()
	}
	var all sync.WaitGroup
	for range 2 {
		all.Go(start)
		all.Go(stop)
		all.Go(func() { expect(t, "stopping without waiting", s.Stop(ended), context.Canceled) })
	}
	all.Go(cancel)
	all.Wait()
	stop()
	if err := s.Start(t.Context()); !errors.Is(err, service.ErrStopped) {
		t.Errorf("started again after it was stopped: %v", err)
	}
}

// expect fails the test unless err is nil or one of those allowed.
func expect(t *testing.T, what string, err error, allowed ...error) {
	t.Helper()
	for _, a := range allowed {
		if errors.Is(err, a) {
			return
		}
	}
	if err != nil {
		t.Errorf("%s: %v", what, err)
	}
}
