package boltlog

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
)

type publisher struct {
	log    *Log
	closed atomic.Bool
}

func (p *publisher) Publish(topic string, messages ...*message.Message) error {
	if p.closed.Load() {
		return fmt.Errorf("publish to topic %s: %w", topic, ErrClosed)
	}
	if len(messages) == 0 {
		return nil
	}
	now := time.Now()
	values := make([][]byte, len(messages))
	for i, m := range messages {
		values[i] = encodeEntry(Entry{Time: now, UUID: m.UUID, Metadata: m.Metadata, Payload: m.Payload})
	}
	_, err := p.log.appendValues(topic, values)
	return err
}

func (p *publisher) Close() error {
	p.closed.Store(true)
	return nil
}

type subscriber struct {
	log     *Log
	group   string
	ctx     context.Context //nolint:containedctx // the subscriber's lifetime, not a call's
	cancel  context.CancelFunc
	running sync.WaitGroup
}

// SubscribeInitialize registers the group, so that everything published from
// now on is kept for it.
func (s *subscriber) SubscribeInitialize(topic string) error {
	return s.log.Register(topic, s.group)
}

func (s *subscriber) Subscribe(ctx context.Context, topic string) (<-chan *message.Message, error) {
	if err := s.log.Register(topic, s.group); err != nil {
		return nil, err
	}
	l := s.log
	// Under the lock, so that no subscription starts after Close began to wait.
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed || s.ctx.Err() != nil {
		return nil, fmt.Errorf("subscribe to topic %s: %w", topic, ErrClosed)
	}
	key := groupKey{topic, s.group}
	if l.leases[key] == nil {
		l.leases[key] = &lease{held: make(chan struct{}, 1)}
	}
	ctx, cancel := context.WithCancel(ctx)
	unhook := context.AfterFunc(s.ctx, cancel)
	c := &consumer{log: l, topic: topic, group: s.group, lease: l.leases[key], out: make(chan *message.Message)}
	l.running.Add(1)
	s.running.Add(1)
	go func() {
		defer l.running.Done()
		defer s.running.Done()
		defer close(c.out)
		defer cancel()
		defer unhook()
		c.consume(ctx)
	}()
	return c.out, nil
}

// Close ends the subscriptions and waits for them; it does not wait for
// handlers. It may be called again.
func (s *subscriber) Close() error {
	s.log.mu.Lock()
	s.cancel()
	s.log.mu.Unlock()
	s.running.Wait()
	return nil
}
