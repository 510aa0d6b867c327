package boltlog

import (
	"context"
	"fmt"
	"time"

	"github.com/ThreeDotsLabs/watermill"
	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/hone-ml/hone/event"
	"github.com/hone-ml/hone/internal/backoff"
)

// lease is a group's right to have an entry of a topic in flight. Whoever holds
// it may use the other fields.
type lease struct {
	held chan struct{}
	// offset was refused failures times in a row.
	offset   uint64
	failures int
}

func (l *lease) acquire(ctx context.Context) bool {
	select {
	case l.held <- struct{}{}:
		return true
	case <-ctx.Done():
		return false
	}
}

func (l *lease) release() { <-l.held }

// consumer is one subscription.
type consumer struct {
	log          *Log
	topic, group string
	lease        *lease
	out          chan *message.Message
}

func (c *consumer) consume(ctx context.Context) {
	for ctx.Err() == nil {
		news := c.log.Appended(c.topic)
		if !c.lease.acquire(ctx) {
			return
		}
		found := c.step(ctx)
		c.lease.release()
		if found {
			continue
		}
		select {
		case <-news:
		case <-ctx.Done():
		}
	}
}

// step handles the group's next entry and reports whether there was one.
func (c *consumer) step(ctx context.Context) bool {
	var e Entry
	found := false
	c.retryForever(ctx, "read the log", func() (err error) {
		e, found, err = c.log.next(c.topic, c.group)
		return err
	})
	if found && ctx.Err() == nil {
		c.deliver(ctx, e)
	}
	return found
}

func (c *consumer) deliver(ctx context.Context, e Entry) {
	if c.lease.offset != e.Offset {
		c.lease.offset, c.lease.failures = e.Offset, 0
	}
	msgCtx, cancel := context.WithCancel(ctx)
	defer cancel()
	msg := e.message(c.topic)
	msg.SetContext(msgCtx)
	select {
	case c.out <- msg:
	case <-ctx.Done():
		return
	}
	select {
	case <-msg.Acked():
	case <-msg.Nacked():
		cancel()
		pause := c.log.Backoff(c.lease.failures)
		c.lease.failures++
		backoff.Sleep(ctx, pause)
		return
	case <-ctx.Done():
		select {
		case <-msg.Acked():
		default:
			return
		}
	}
	cancel()
	// The handler is done: from here only the cursor is tried again, not it.
	c.retryForever(ctx, "advance the cursor", func() error {
		return c.log.Advance(event.Cursor{Topic: event.Topic(c.topic), Group: c.group, Offset: e.Offset})
	})
}

// retryForever repeats fn with growing pauses until it succeeds or the subscription ends. It
// logs ever more rarely, as a full disk can stay full for hours.
func (c *consumer) retryForever(ctx context.Context, what string, fn func() error) {
	for failures := 0; ; failures++ {
		err := fn()
		if err == nil || ctx.Err() != nil {
			return
		}
		if backoff.ShouldLog(failures + 1) {
			c.log.opts.Logger.Error(fmt.Sprintf("cannot %s, trying again", what), err,
				watermill.LogFields{"topic": c.topic, "group": c.group, "failures": failures + 1})
		}
		backoff.Sleep(ctx, c.log.Backoff(failures))
	}
}

// Backoff returns the pause after the given number of earlier failures.
func (l *Log) Backoff(failures int) time.Duration {
	return backoff.Exponential{Min: l.opts.MinBackoff, Max: l.opts.MaxBackoff}.Delay(failures)
}
