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

// detach gives the handler a context that survives the end of the subscription,
// so that a batch in flight finishes when hone stops, and starts none after that.
func (c *consumer) detach(next message.HandlerFunc) message.HandlerFunc {
	return func(msg *message.Message) ([]*message.Message, error) {
		if !c.p.begin() {
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

// refuse asks for the entry again after an error. It does so itself instead of
// returning the error, because the router would log every single attempt, and a
// disk can be full for hours.
func (c *consumer) refuse(next message.HandlerFunc) message.HandlerFunc {
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
				report(c.logger.WithField("failures", c.failures), err).Warn("handling failed, trying again")
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
		case d.buried:
			c.p.metrics.dead.WithLabelValues(string(c.topic), d.kind).Inc()
		default:
			c.p.metrics.countHandled(c.topic, d.handled)
		}
		return out, err
	}
}

// bury moves an entry whose error is permanent to the dead letters.
func (c *consumer) bury(next message.HandlerFunc) message.HandlerFunc {
	return func(msg *message.Message) ([]*message.Message, error) {
		out, err := next(msg)
		if !Permanent(err) {
			return out, err
		}
		if putErr := c.p.bury(c.logger, c.cursor(boltlog.Offset(msg)), msg.Payload, err); putErr != nil {
			return nil, putErr
		}
		deliveryOf(msg).buried = true
		return nil, nil
	}
}

func recovered(next message.HandlerFunc) message.HandlerFunc {
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

// report adds an error to a log line, and the stack of a panic.
func report(l *logrus.Entry, err error) *logrus.Entry {
	var p *panics.Error
	if errors.As(err, &p) {
		l = l.WithField("stack", p.Stack)
	}
	return l.WithError(err)
}
