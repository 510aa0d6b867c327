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
	p        *Pipeline
	group    string
	topic    event.Topic
	maxBatch int
	handler  Handler
	logger   *logrus.Entry

	// Entries up to singleUntil were in a batch that failed. They are handled one by one;
	// otherwise those before the bad one would fail with it again.
	singleUntil uint64
	failures    int
	tries       tryCounter
}

// tryCounter counts the failed attempts to handle one entry.
type tryCounter struct {
	offset uint64
	n      int
}

// classify counts an attempt whose error is neither permanent nor passing, and marks the
// error as permanent after the last attempt.
func (t *tryCounter) classify(at uint64, err error) error {
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

// delivery carries results of a handler to the middleware around it.
type delivery struct {
	kind         string
	handled      []event.Event
	deadLettered bool
}

const unreadableKind = "unreadable"

type deliveryKey struct{}

func deliveryOf(msg *message.Message) *delivery {
	if d, ok := msg.Context().Value(deliveryKey{}).(*delivery); ok {
		return d
	}
	return &delivery{kind: unreadableKind}
}

// handle is the innermost handler. It makes a batch of the delivered entry and those after
// it, calls the Handler, and moves the cursor past the batch.
func (c *consumer) handle(msg *message.Message) error {
	d, at := deliveryOf(msg), boltlog.Offset(msg)
	first, err := decodeEvent(at, msg.Payload, msg.Metadata)
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
		c.singleUntil = last
		withError(c.logger.WithField("events", len(batch)), err).Warn("a batch cannot be handled, handling its events one by one")
		batch, last = batch[:1:1], at
		err = c.call(msg.Context(), batch, last)
	}
	if err != nil {
		return c.tries.classify(at, err)
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
	if c.maxBatch == 1 || at <= c.singleUntil {
		return batch, at, nil
	}
	entries, err := c.p.log.Read(string(c.topic), at, c.maxBatch-1)
	if err != nil {
		return nil, 0, err
	}
	for _, e := range entries {
		ev, err := decodeEvent(e.Offset, e.Payload, e.Metadata)
		if err != nil {
			break
		}
		batch, at = append(batch, ev), e.Offset
	}
	return batch, at, nil //nolint:nilerr // What cannot be read is delivered alone, later.
}

func decodeEvent(at uint64, payload []byte, metadata map[string]string) (event.Event, error) {
	if why := metadata[boltlog.UnreadableKey]; why != "" {
		return nil, fmt.Errorf("%w: %s", event.ErrUnreadable, why)
	}
	e, err := event.Decode(payload)
	if c, ok := e.(*event.Changed); ok {
		c.Position = at
	}
	return e, err
}
