package webhook

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hone-ml/hone/event"
	"github.com/hone-ml/hone/internal/panics"
)

var (
	// errSlow: the write was not finished in time. It may still become durable,
	// which is harmless: events are statements.
	errSlow = errors.New("storage did not answer in time")
	errBusy = errors.New("too many writes wait for storage, or hone is stopping")
)

// store publishes with a bounded wait, whatever the Publisher does with its
// context.
type store struct {
	publisher Publisher
	limit     time.Duration
	// slots holds a token for every write under way.
	slots chan struct{}
	// taken are the slots that close holds, for good.
	closing sync.Mutex
	taken   int
	// failing is true from a failed write to the next good one.
	failing atomic.Bool
}

func newStore(p Publisher, limit time.Duration) *store {
	return &store{publisher: p, limit: limit, slots: make(chan struct{}, maxStoring)}
}

// put stores events. settled is false when the write is still under way, and
// with it the events and whatever they refer to are still in use. changed is true
// when storage began or ceased to fail with this write.
func (st *store) put(ctx context.Context, events ...event.Event) (settled, changed bool, err error) {
	select {
	case st.slots <- struct{}{}:
	default:
		return true, false, errBusy
	}
	// An impatient caller closes the connection; the write goes on.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), st.limit)
	defer cancel()
	done := make(chan error, 1)
	go func() {
		defer func() { <-st.slots }()
		done <- panics.Catch(func() error { return st.publisher.Publish(ctx, events...) })
	}()
	settled = true
	select {
	case err = <-done:
	case <-ctx.Done():
		settled, err = false, errSlow
	}
	return settled, st.failing.Swap(err != nil) != (err != nil), err
}

// close refuses further writes and waits for those under way. It may be called
// again.
func (st *store) close(ctx context.Context) error {
	st.closing.Lock()
	defer st.closing.Unlock()
	for ; st.taken < cap(st.slots); st.taken++ {
		select {
		case st.slots <- struct{}{}:
		case <-ctx.Done():
			return fmt.Errorf("webhook: events are still being written: %w", ctx.Err())
		}
	}
	return nil
}
