package pipeline

import (
	"context"
	"fmt"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/hone-ml/hone/event"
	"github.com/hone-ml/hone/internal/panics"
	"github.com/hone-ml/hone/pipeline/boltlog"
	"github.com/sirupsen/logrus"
)

// consumer is one handler. The log has one of its entries in flight at a time,
// so its fields need no lock.
type consumer struct {
	p       *Pipeline
	group   string
	topic   event.Topic
	most    int
	handler Handler
	logger  *logrus.Entry

	// Entries up to soloUntil were in a batch that could not be handled: they come one
	// by one, or each of those before the bad one would fail in a batch again.
	soloUntil uint64
	failures  int
	tries     tries
}

// tries counts how often an entry was handled in vain.
type tries struct {
	offset uint64
	n      int
}

// judge counts the tries of an entry whose error may or may not pass, and calls it
// permanent after the last.
func (t *tries) judge(at uint64, err error) error {
	if err == nil || Passing(err) || Permanent(err) {
		return err
	}
	if t.offset != at {
		t.offset, t.n = at, 0
	}
	if t.n++; t.n < maxTries {
		return err
	}
	return MarkPermanent(fmt.Errorf("tried %d times: %w", t.n, err))
}

// delivery is what the middleware around a handler learns from inside.
type delivery struct {
	kind    string
	handled []event.Event
	buried  bool
}

const unreadableKind = "unreadable"

type deliveryKey struct{}

func deliveryOf(msg *message.Message) *delivery {
	if d, ok := msg.Context().Value(deliveryKey{}).(*delivery); ok {
		return d
	}
	return &delivery{kind: unreadableKind}
}

// handle is the innermost: it makes a batch of the delivered entry and those
// after it, has it handled, and passes the cursor over it.
func (c *consumer) handle(msg *message.Message) error {
	d, at := deliveryOf(msg), boltlog.Offset(msg)
	first, err := decode(at, msg.Payload, msg.Metadata)
	if err != nil {
		return err
	}
	d.kind = event.Kind(first)
	batch, last, err := c.readAhead(first, at)
	if err != nil {
		return err
	}
	err = c.call(msg.Context(), batch, last)
	if len(batch) > 1 && err != nil && !Passing(err) {
		c.soloUntil = last
		report(c.logger.WithField("events", len(batch)), err).Warn("a batch cannot be handled, handling its events one by one")
		batch, last = batch[:1:1], at
		err = c.call(msg.Context(), batch, last)
	}
	if err != nil {
		return c.tries.judge(at, err)
	}
	// Most handlers have committed it themselves; then this writes nothing.
	if err := c.p.log.Advance(c.cursor(last)); err != nil {
		return err
	}
	d.handled = batch
	return nil
}

func (c *consumer) call(ctx context.Context, batch []event.Event, last uint64) error {
	return panics.Catch(func() error { return c.handler(ctx, batch, c.cursor(last)) })
}

func (c *consumer) cursor(offset uint64) event.Cursor {
	return event.Cursor{Topic: c.topic, Group: c.group, Offset: offset}
}

// readAhead adds the entries that wait after the first one. An entry that cannot
// be decoded ends the batch before it: it will be delivered by itself.
func (c *consumer) readAhead(first event.Event, at uint64) ([]event.Event, uint64, error) {
	batch := []event.Event{first}
	if c.most == 1 || at <= c.soloUntil {
		return batch, at, nil
	}
	entries, err := c.p.log.Read(string(c.topic), at, c.most-1)
	if err != nil {
		return nil, 0, err
	}
	for _, e := range entries {
		ev, err := decode(e.Offset, e.Payload, e.Metadata)
		if err != nil {
			break
		}
		batch, at = append(batch, ev), e.Offset
	}
	return batch, at, nil //nolint:nilerr // What cannot be read is delivered alone, later.
}

func decode(at uint64, payload []byte, metadata map[string]string) (event.Event, error) {
	if why := metadata[boltlog.UnreadableKey]; why != "" {
		return nil, fmt.Errorf("%w: %s", event.ErrUnreadable, why)
	}
	e, err := event.Decode(payload)
	if c, ok := e.(*event.Changed); ok {
		c.Position = at
	}
	return e, err
}
