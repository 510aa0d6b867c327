package pipeline

import (
	"context"
	"errors"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/hone-ml/hone/internal/backoff"
	"github.com/hone-ml/hone/internal/fault"
	"github.com/hone-ml/hone/internal/panics"
	"github.com/hone-ml/hone/pipeline/boltlog"
	"github.com/sirupsen/logrus"
)

// The middleware of a handler, outermost first.

// detachContext gives the handler a context that outlives the subscription, so that a batch
// in flight finishes when hone stops. It starts no batch after that.
func (c *consumer) detachContext(next message.HandlerFunc) message.HandlerFunc {
	return func(msg *message.Message) ([]*message.Message, error) {
		if !c.p.beginHandling() {
			msg.Nack()
			return nil, nil
		}
		defer c.p.inFlight.Done()
		ctx := context.WithValue(context.WithoutCancel(msg.Context()), deliveryKey{}, &delivery{kind: unreadableKind})
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		defer context.AfterFunc(c.p.work, cancel)()
		msg.SetContext(ctx)
		return next(msg)
	}
}

// nackOnError sends a negative acknowledgement after an error, so that the entry is
// delivered again. It does not return the error, because the router would log every
// attempt, and a disk can be full for hours.
func (c *consumer) nackOnError(next message.HandlerFunc) message.HandlerFunc {
	return func(msg *message.Message) ([]*message.Message, error) {
		out, err := next(msg)
		if err == nil {
			if c.failures > 0 {
				c.logger.WithField("failures", c.failures).Info("handling works again")
				c.failures = 0
			}
			return out, nil
		}
		if c.p.work.Err() == nil {
			c.failures++
			if backoff.ShouldLog(c.failures) {
				withError(c.logger.WithField("failures", c.failures), err).Warn("handling failed, trying again")
			}
		}
		if fault.On(fault.LostRetry) {
			return nil, nil
		}
		msg.Nack()
		return nil, nil
	}
}

func (c *consumer) measure(next message.HandlerFunc) message.HandlerFunc {
	seconds := c.p.metrics.seconds.WithLabelValues(string(c.topic), c.group)
	return func(msg *message.Message) ([]*message.Message, error) {
		start := time.Now()
		out, err := next(msg)
		seconds.Observe(time.Since(start).Seconds())
		d := deliveryOf(msg)
		switch {
		case err != nil:
			c.p.metrics.failed.WithLabelValues(string(c.topic), d.kind).Inc()
		case d.deadLettered:
			c.p.metrics.dead.WithLabelValues(string(c.topic), d.kind).Inc()
		default:
			c.p.metrics.countHandled(c.topic, d.handled)
		}
		return out, err
	}
}

// deadLetterPermanent moves an entry whose error is permanent to the dead letters.
func (c *consumer) deadLetterPermanent(next message.HandlerFunc) message.HandlerFunc {
	return func(msg *message.Message) ([]*message.Message, error) {
		out, err := next(msg)
		if !Permanent(err) {
			return out, err
		}
		if putErr := c.p.deadLetter(c.logger, c.cursor(boltlog.Offset(msg)), msg.Payload, err); putErr != nil {
			return nil, putErr
		}
		deliveryOf(msg).deadLettered = true
		return nil, nil
	}
}

func recoverMiddleware(next message.HandlerFunc) message.HandlerFunc {
	return func(msg *message.Message) (out []*message.Message, err error) {
		err = panics.Catch(func() error {
			out, err = next(msg)
			return err
		})
		return out, err
	}
}

func (c *consumer) timeout(next message.HandlerFunc) message.HandlerFunc {
	limit := c.p.opts.HandlerTimeout
	if limit <= 0 {
		return next
	}
	return func(msg *message.Message) ([]*message.Message, error) {
		ctx, cancel := context.WithTimeout(msg.Context(), limit)
		defer cancel()
		msg.SetContext(ctx)
		return next(msg)
	}
}

// withError adds an error to a log line, and the stack of a panic.
func withError(l *logrus.Entry, err error) *logrus.Entry {
	var p *panics.Error
	if errors.As(err, &p) {
		l = l.WithField("stack", p.Stack)
	}
	return l.WithError(err)
}
