// Package pipeline moves events: it publishes them durably to the log and runs
// their handlers, with retries, dead letters and metrics in one place.
//
// A topic is followed by Handle, all of it in order, or by HandleLanes, project by
// project. What holds for a handler, in the latter case within each project:
//   - It sees every event of its topic at least once and in order, and never two
//     batches at a time. Handling an event twice must be harmless.
//   - An error of the disk, the network or of stopping (Passing) brings the same
//     events again after a growing pause, for as long as it takes.
//   - An error that trying again cannot cure (Permanent), a panic, or bytes that are
//     not an event, move the one event they are about to the dead letters, in the
//     same transaction in which the group's cursor passes it. Any other error does
//     so after a few tries.
package pipeline

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/hone-ml/hone/event"
	"github.com/hone-ml/hone/internal/logging"
	"github.com/hone-ml/hone/pipeline/boltlog"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/sirupsen/logrus"
	"go.etcd.io/bbolt"
	"golang.org/x/sync/errgroup"
)

// ErrStorage is wrapped by errors of the disk, a full one for example. Nothing
// of the failed call was stored, and trying again later can succeed.
var ErrStorage = boltlog.ErrStorage

// Options of a Pipeline. The zero value is usable.
type Options struct {
	// Logger gets one line for each dead letter and, ever more rarely, for
	// handlers that keep failing. Nil for none.
	Logger *logrus.Entry
	// Registerer gets the metrics; nil for none.
	Registerer prometheus.Registerer
	// CloseTimeout is how long a handler may finish its batch after Run's context
	// ended, before the handler's own context ends too. 10 s by default.
	CloseTimeout time.Duration
	// HandlerTimeout bounds a single call of a handler by its context; 0 for no
	// bound. A handler that gives up because of it is called again.
	HandlerTimeout time.Duration
	// Foreground, unless nil, counts what is being published and what is being handled in lanes.
	Foreground Foreground
}

func (o *Options) setDefaults() {
	if o.CloseTimeout <= 0 {
		o.CloseTimeout = 10 * time.Second
	}
	if o.Logger == nil {
		o.Logger = logging.Silent()
	}
}

// Handler handles events of one topic, in order. cur is the position after the
// last of the batch: commit it together with what the batch changed, or leave it
// to the pipeline, which moves the cursor there after a nil return. ctx lives
// until the handler is done; it ends early only when stopping takes too long.
type Handler func(ctx context.Context, batch []event.Event, cur event.Cursor) error

// Pipeline is the router, its middleware, and publishing. Its methods are safe
// for concurrent use, but Handle must come before Run.
type Pipeline struct {
	log     *boltlog.Log
	opts    Options
	logger  *logrus.Entry
	router  *message.Router
	metrics *pipelineMetrics

	mu         sync.Mutex
	consumers  []*consumer
	laneGroups []*lanes
	stopping   bool
	inFlight   sync.WaitGroup
	running    chan struct{} // closed once every handler is subscribed

	// work is the handlers' context; it is cancelled when stopping takes too long.
	work     context.Context //nolint:containedctx // the pipeline's lifetime, not a call's
	stopWork context.CancelFunc
}

// handlerGrace is how long handlers may take to return after their context was cancelled.
const handlerGrace = time.Second

// New builds a pipeline on a log, which it does not close.
func New(log *boltlog.Log, o Options) (*Pipeline, error) {
	o.setDefaults()
	p := &Pipeline{log: log, opts: o, logger: o.Logger, running: make(chan struct{})}
	var err error
	p.router, err = message.NewRouter(message.RouterConfig{CloseTimeout: o.CloseTimeout + handlerGrace}, NewLogger(p.logger))
	if err != nil {
		return nil, fmt.Errorf("build the router: %w", err)
	}
	if p.metrics, err = newMetrics(o.Registerer, p); err != nil {
		return nil, fmt.Errorf("register the pipeline's metrics: %w", err)
	}
	p.work, p.stopWork = context.WithCancel(context.Background())
	return p, nil
}

// Publish stores events in their topics, all of them or none, and returns nil
// once they are on disk. It works before and after Run. It looks at ctx before
// it writes, not while the disk is at work, so that its answer is always true.
func (p *Pipeline) Publish(ctx context.Context, events ...event.Event) error {
	if len(events) == 0 {
		return nil
	}
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("publish: %w", err)
	}
	defer p.inForeground()()
	write, err := p.PublishTx(nil, events...)
	if err != nil {
		return err
	}
	if err := p.log.Update(write); err != nil {
		return fmt.Errorf("publish to topic %s: %w", events[0].Topic(), err)
	}
	return nil
}

// PublishTx encodes events and returns a function that appends them, and moves the cursor
// unless it is nil, inside the caller's transaction. With it a handler commits its state, its
// cursor and the events that follow together. The function may be called more than once.
func (p *Pipeline) PublishTx(cur *event.Cursor, events ...event.Event) (func(tx *bbolt.Tx) error, error) {
	payloads := make([][]byte, len(events))
	for i, e := range events {
		var err error
		if payloads[i], err = event.Encode(e); err != nil {
			return nil, fmt.Errorf("publish: %w", err)
		}
	}
	return func(tx *bbolt.Tx) error {
		for i, e := range events {
			if err := p.log.AppendTx(tx, string(e.Topic()), payloads[i]); err != nil {
				return err
			}
		}
		if cur != nil {
			if err := p.log.AdvanceTx(tx, *cur); err != nil {
				return err
			}
		}
		tx.OnCommit(func() {
			for _, e := range events {
				p.metrics.published.WithLabelValues(string(e.Topic()), event.Kind(e)).Inc()
			}
		})
		return nil
	}, nil
}

// Handle lets h handle a topic as consumer group group. With maxBatch above 1
// the handler gets up to so many events at once, as many as wait in the log.
// Should such a batch fail with an error that does not pass, its events come one by one, so that only
// the one at fault becomes a dead letter. Call it before Run, once for each
// (group, topic).
func (p *Pipeline) Handle(group string, topic event.Topic, maxBatch int, h Handler) {
	c := &consumer{
		p: p, group: group, topic: topic, maxBatch: max(maxBatch, 1), handler: h,
		logger: p.logger.WithFields(logrus.Fields{"topic": topic, "group": group}),
	}
	p.mu.Lock()
	p.consumers = append(p.consumers, c)
	p.mu.Unlock()
	// A subscriber of its own: the router closes it together with the handler.
	p.router.AddConsumerHandler(group+"/"+string(topic), string(topic), p.log.Subscriber(group), c.handle).
		AddMiddleware(c.detachContext, c.nackOnError, c.measure, c.deadLetterPermanent, recoverMiddleware, c.timeout)
}

func (p *Pipeline) allLaneGroups() []*lanes {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.laneGroups)
}

func (p *Pipeline) allConsumers() []*consumer {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.consumers)
}

// Run handles events until ctx ends, lets handlers finish (see CloseTimeout), and
// returns nil. It returns an error when it cannot start or a handler does not
// end. Call it once.
func (p *Pipeline) Run(ctx context.Context) error {
	defer p.stopWork()
	// All groups first: from here on nothing is deleted that one of them needs.
	if err := p.registerGroups(); err != nil {
		return err
	}
	follow, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	ended := p.startHandlers(follow)
	// The router must have started before it can be closed.
	select {
	case <-p.router.Running():
	case err := <-ended:
		return fmt.Errorf("start the pipeline: %w", err)
	}
	close(p.running)
	var early error
	select {
	case <-ctx.Done():
	case err := <-ended:
		early = errors.Join(errors.New("the pipeline ended by itself, its log was closed"), err)
		ended <- nil
	}
	late := time.AfterFunc(p.opts.CloseTimeout, p.stopWork)
	defer late.Stop()
	deadline := time.After(p.opts.CloseTimeout + handlerGrace)
	p.mu.Lock()
	p.stopping = true
	p.mu.Unlock()
	stop()
	err := p.router.Close()
	// The router does not wait for an event that was handed over while it closed.
	idle := make(chan struct{})
	go func() {
		p.inFlight.Wait()
		close(idle)
	}()
	select {
	case <-idle:
		return errors.Join(early, err, <-ended)
	case <-deadline:
		return errors.Join(early, fmt.Errorf("stop the pipeline: a handler did not end within %v", p.opts.CloseTimeout+handlerGrace))
	}
}

// registerGroups keeps all entries that some group needs from being deleted from now on, and
// reads the positions of lanes.
func (p *Pipeline) registerGroups() error {
	for _, c := range p.allConsumers() {
		if err := p.log.Register(string(c.topic), c.group); err != nil {
			return err
		}
	}
	for _, s := range p.allLaneGroups() {
		if err := p.log.Register(string(s.topic), s.group); err != nil {
			return err
		}
		if err := s.load(); err != nil {
			return err
		}
	}
	return nil
}

// startHandlers starts all handlers. The returned channel receives their error, or nil, when
// all have ended.
func (p *Pipeline) startHandlers(ctx context.Context) chan error {
	var g errgroup.Group
	g.Go(func() error { return p.router.Run(context.WithoutCancel(ctx)) })
	for _, s := range p.allLaneGroups() {
		g.Go(func() error {
			err := s.follow(ctx)
			if err != nil {
				_ = p.router.Close() // they end together
			}
			return err
		})
	}
	ended := make(chan error, 1)
	go func() { ended <- g.Wait() }()
	return ended
}

// beginHandling reports whether a handler may still start; if so, call p.inFlight.Done when
// it has ended.
func (p *Pipeline) beginHandling() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.stopping {
		return false
	}
	p.inFlight.Add(1)
	return true
}

// Running returns a channel that is closed once every handler is subscribed.
func (p *Pipeline) Running() <-chan struct{} { return p.running }

// Lag says how far a handler's group is behind.
type Lag struct {
	Topic event.Topic `json:"topic"`
	Group string      `json:"group"`
	// Entries are those not handled yet; Since is when the oldest was published,
	// zero when there is none.
	Entries uint64    `json:"entries"`
	Since   time.Time `json:"since,omitzero"`
}

// Lag returns the lag of every handler, in the order of HandleLanes and Handle.
func (p *Pipeline) Lag() ([]Lag, error) {
	var lags []Lag
	for _, s := range p.allLaneGroups() {
		entries, since, running, err := s.lag()
		if err == nil && !running {
			entries, since, err = p.log.Lag(string(s.topic), s.group)
		}
		if err != nil {
			return nil, fmt.Errorf("lag of group %s, topic %s: %w", s.group, s.topic, err)
		}
		lags = append(lags, Lag{Topic: s.topic, Group: s.group, Entries: entries, Since: since})
	}
	for _, c := range p.allConsumers() {
		entries, since, err := p.log.Lag(string(c.topic), c.group)
		if err != nil {
			return nil, fmt.Errorf("lag of group %s, topic %s: %w", c.group, c.topic, err)
		}
		lags = append(lags, Lag{Topic: c.topic, Group: c.group, Entries: entries, Since: since})
	}
	return lags, nil
}
