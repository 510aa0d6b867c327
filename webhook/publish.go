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
	// errStoreTimeout: the write was not finished in time. It may still become durable,
	// which is harmless: events are statements.
	errStoreTimeout = errors.New("storage did not answer in time")
	errStoreBusy    = errors.New("too many writes wait for storage, or hone is stopping")
)

// boundedPublisher publishes with a bounded wait, whatever the Publisher does with its
// context. Its methods may be called concurrently.
type boundedPublisher struct {
	publisher Publisher
	limit     time.Duration
	// slots holds a token for every write under way.
	slots chan struct{}
	// closedSlots is how many slots close has taken; it never frees them.
	closing     sync.Mutex
	closedSlots int
	// failing is true from a failed write to the next good one.
	failing atomic.Bool
}

func newBoundedPublisher(p Publisher, limit time.Duration) *boundedPublisher {
	return &boundedPublisher{publisher: p, limit: limit, slots: make(chan struct{}, maxStoring)}
}

// publish stores events. settled is false when the write is still under way; then the
// events and what they refer to are still in use. changed is true when storage began or
// ceased to fail with this write.
func (st *boundedPublisher) publish(ctx context.Context, events ...event.Event) (settled, changed bool, err error) {
	select {
	case st.slots <- struct{}{}:
	default:
		return true, false, errStoreBusy
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
		settled, err = false, errStoreTimeout
	}
	return settled, st.failing.Swap(err != nil) != (err != nil), err
}

// close refuses further writes and waits for those under way. It may be called
// again.
func (st *boundedPublisher) close(ctx context.Context) error {
	st.closing.Lock()
	defer st.closing.Unlock()
	for ; st.closedSlots < cap(st.slots); st.closedSlots++ {
		select {
		case st.slots <- struct{}{}:
		case <-ctx.Done():
			return fmt.Errorf("webhook: events are still being written: %w", ctx.Err())
		}
	}
	return nil
}
