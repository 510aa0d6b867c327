// Package boltlog is an append-only log per topic in a bbolt file, spoken to as
// a watermill Publisher and Subscriber.
//
// Each topic is a bucket whose keys are offsets 1, 2, 3 …, and each (topic,
// consumer group) has a cursor: everything up to and including it is handled.
// Because log and cursors live in the caller's bbolt file, a handler can commit
// its own state, the cursor and further entries in one transaction.
//
// What holds:
//   - Publish and Append return after the entries are on disk (fsync). Concurrent
//     calls share one commit.
//   - Order is kept per topic. A group has one entry in flight at a time, however
//     many subscribers it has in this process; a negative acknowledgement
//     redelivers the same entry after a growing pause, and later ones wait.
//   - Delivery is at least once. An entry is delivered again only if it was not
//     acknowledged, or the cursor could not be written before a crash.
//   - Entries below the lowest cursor of a topic's groups are deleted, a bounded
//     number in a transaction. A topic without a group keeps everything.
package boltlog

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/ThreeDotsLabs/watermill"
	"github.com/ThreeDotsLabs/watermill/message"
	"go.etcd.io/bbolt"
)

var (
	// ErrStorage is wrapped by every error that comes from the disk or the
	// database file: nothing of the failed call was stored, and trying again
	// later can succeed.
	ErrStorage = errors.New("storage")
	// ErrClosed is returned by a log, publisher or subscriber that was closed.
	ErrClosed = errors.New("log is closed")
)

// Options of a Log. The zero value is usable.
type Options struct {
	// Logger is told about storage errors a subscriber waits out; nil for none.
	Logger watermill.LoggerAdapter
	// MinBackoff is the pause before the first redelivery of an entry, doubling
	// up to MaxBackoff. Defaults: 10 ms and 30 s.
	MinBackoff, MaxBackoff time.Duration
	// BeforeAppend, when not nil, is called inside the transaction before entries are
	// added to a topic; its error is one of the disk. For tests.
	BeforeAppend func(topic string) error
}

func (o *Options) setDefaults() {
	if o.Logger == nil {
		o.Logger = watermill.NopLogger{}
	}
	if o.MinBackoff <= 0 {
		o.MinBackoff = 10 * time.Millisecond
	}
	if o.MaxBackoff <= 0 {
		o.MaxBackoff = 30 * time.Second
	}
	o.MaxBackoff = max(o.MaxBackoff, o.MinBackoff)
}

// Log holds every topic of one database file. There must be only one Log for a
// file. All methods are safe for concurrent use.
type Log struct {
	db     *bbolt.DB
	commit *committer
	opts   Options

	// ctx ends when the log is closed; every subscription hangs on it.
	ctx     context.Context //nolint:containedctx // the log's lifetime, not a call's
	cancel  context.CancelFunc
	running sync.WaitGroup

	mu       sync.Mutex
	closed   bool
	appended map[string]chan struct{}
	leases   map[groupKey]*lease
}

type groupKey struct{ topic, group string }

// New prepares the buckets of a log in db.
func New(db *bbolt.DB, opts Options) (*Log, error) {
	opts.setDefaults()
	err := db.Update(func(tx *bbolt.Tx) error {
		for _, name := range [][]byte{entriesBucket, cursorsBucket, lanesBucket} {
			if _, err := tx.CreateBucketIfNotExists(name); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("%w: prepare the log in %s: %w", ErrStorage, db.Path(), err)
	}
	l := &Log{db: db, commit: &committer{db: db}, opts: opts, appended: map[string]chan struct{}{}, leases: map[groupKey]*lease{}}
	l.ctx, l.cancel = context.WithCancel(context.Background())
	return l, nil
}

// Close stops every subscriber, waits for them, and refuses further appends. An
// entry in flight is delivered again by the next process unless its handler has
// advanced the cursor. Close does not close the database, and may be called
// again.
func (l *Log) Close() error {
	l.mu.Lock()
	l.closed = true
	l.mu.Unlock()
	l.cancel()
	l.running.Wait()
	return nil
}

// Update runs fn in a read-write transaction that is shared with concurrent
// calls (one fsync for all), and returns after it is on disk. fn may be called
// more than once, as others' failures in the same transaction make it run again;
// only the last call counts. An error of fn is returned as it is; an error of
// the database wraps ErrStorage.
func (l *Log) Update(fn func(tx *bbolt.Tx) error) error {
	var own error
	err := l.commit.commit(func(tx *bbolt.Tx) error {
		own = fn(tx)
		return own
	})
	switch {
	case err == nil:
		return nil
	case own != nil:
		return own
	default:
		return fmt.Errorf("%w: %w", ErrStorage, err)
	}
}

// Append adds payloads to a topic in one transaction and returns the offset of
// the last one after it is on disk. The payloads are copied.
func (l *Log) Append(topic string, payloads ...[]byte) (uint64, error) {
	return l.appendValues(topic, encodePayloads(payloads))
}

// AppendTx adds payloads to a topic inside the caller's transaction; subscribers
// wake when it commits. The payloads are copied.
func (l *Log) AppendTx(tx *bbolt.Tx, topic string, payloads ...[]byte) error {
	_, err := l.appendTx(tx, topic, encodePayloads(payloads))
	return err
}

func encodePayloads(payloads [][]byte) [][]byte {
	now := time.Now()
	values := make([][]byte, len(payloads))
	for i, p := range payloads {
		values[i] = encodeEntry(Entry{Time: now, Payload: p})
	}
	return values
}

func (l *Log) appendValues(topic string, values [][]byte) (last uint64, err error) {
	if l.ctx.Err() != nil {
		return 0, fmt.Errorf("append to topic %s: %w", topic, ErrClosed)
	}
	err = l.Update(func(tx *bbolt.Tx) error {
		last, err = l.appendTx(tx, topic, values)
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("append to topic %s: %w", topic, err)
	}
	return last, nil
}

func (l *Log) appendTx(tx *bbolt.Tx, topic string, values [][]byte) (uint64, error) {
	if err := checkName("topic", topic); err != nil {
		return 0, err
	}
	if before := l.opts.BeforeAppend; before != nil {
		if err := before(topic); err != nil {
			return 0, fmt.Errorf("%w: %w", ErrStorage, err)
		}
	}
	b, err := tx.Bucket(entriesBucket).CreateBucketIfNotExists([]byte(topic))
	if err != nil {
		return 0, fmt.Errorf("%w: %w", ErrStorage, err)
	}
	b.FillPercent = appendFillPercent
	var last uint64
	for _, v := range values {
		if last, err = b.NextSequence(); err == nil {
			err = b.Put(offsetKey(last), v)
		}
		if err != nil {
			return 0, fmt.Errorf("%w: %w", ErrStorage, err)
		}
	}
	tx.OnCommit(func() { l.notifyAppend(topic) })
	return last, nil
}

// Closed returns a channel that is closed when the log is.
func (l *Log) Closed() <-chan struct{} { return l.ctx.Done() }

// RemoveTx deletes one entry and reports whether it was there. It is meant for
// topics that no group follows, since it leaves a hole in the numbering.
func (l *Log) RemoveTx(tx *bbolt.Tx, topic string, offset uint64) (bool, error) {
	b := tx.Bucket(entriesBucket).Bucket([]byte(topic))
	if b == nil || b.Get(offsetKey(offset)) == nil {
		return false, nil
	}
	if err := b.Delete(offsetKey(offset)); err != nil {
		return false, fmt.Errorf("%w: remove entry %d of topic %s: %w", ErrStorage, offset, topic, err)
	}
	return true, nil
}

// Appended returns a channel that is closed at the next commit that adds to the topic. Call
// it before reading the topic, so that no entry in between is missed.
func (l *Log) Appended(topic string) <-chan struct{} {
	l.mu.Lock()
	defer l.mu.Unlock()
	ch, ok := l.appended[topic]
	if !ok {
		ch = make(chan struct{})
		l.appended[topic] = ch
	}
	return ch
}

func (l *Log) notifyAppend(topic string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if ch, ok := l.appended[topic]; ok {
		close(ch)
		delete(l.appended, topic)
	}
}

// Publisher returns a publisher whose Publish stores all its messages in one
// transaction and returns after they are on disk. Closing it stops only itself.
func (l *Log) Publisher() message.Publisher { return &publisher{log: l} }

// Subscriber returns a subscriber of a consumer group. Subscribers of one group
// share its cursor and take turns. Closing it stops only its own subscriptions.
func (l *Log) Subscriber(group string) message.Subscriber {
	s := &subscriber{log: l, group: group}
	s.ctx, s.cancel = context.WithCancel(l.ctx)
	return s
}

const maxNameBytes = 255

func checkName(what, name string) error {
	if name == "" || len(name) > maxNameBytes {
		return fmt.Errorf("%s name %q: must have 1 to %d bytes", what, name, maxNameBytes)
	}
	return nil
}
