package pipeline

import (
	"context"
	"fmt"
	"time"

	"github.com/hone-ml/hone/event"
	"github.com/hone-ml/hone/internal/backoff"
	"github.com/hone-ml/hone/internal/fault"
	"github.com/hone-ml/hone/internal/panics"
	"github.com/hone-ml/hone/pipeline/boltlog"
	"github.com/sirupsen/logrus"
)

// waiting is an entry that is not handled.
type waiting struct {
	offset  uint64
	at      time.Time
	bytes   int
	event   event.Event // nil if it is none
	err     error       // why it is none
	project event.ProjectID
	forAll  bool // it is for the lane of every project
}

func hear(e boltlog.Entry) waiting {
	w := waiting{offset: e.Offset, at: e.Time, bytes: len(e.Payload)}
	if w.event, w.err = decode(e.Offset, e.Payload, e.Metadata); w.err != nil {
		w.event = nil
		return w
	}
	w.project, w.forAll = w.event.Of(), event.ForAll(w.event)
	return w
}

// lane is the order, the position and the trouble of one project. One goroutine works
// while there is something to handle.
type lane struct {
	of     *lanes
	id     event.ProjectID
	logger *logrus.Entry

	// Guarded by of.mu.
	queue   []waiting // not handled, in order; the first may be in the handler's hands
	bytes   int       // of queue
	count   uint64    // not handled, those that are only in the log too
	done    uint64    // handled up to here
	behind  bool      // what comes after the queue is only in the log,
	scanned uint64    // from after this entry on
	handled time.Time // when the last one that was handled had been appended
	at      bool      // a goroutine is at work
	failing time.Time // since when; zero when it works
	reason  string    // why it fails

	// The goroutine's own.
	soloUntil uint64 // up to here entries come one by one: they were in a batch that failed
	failures  int
	tries     tries
}

// first is the entry that is to be handled next, or one before it. of.mu is held, and
// there is such an entry.
func (l *lane) first() uint64 {
	if len(l.queue) > 0 {
		return l.queue[0].offset
	}
	return l.scanned + 1
}

// since is when the next one was appended, about.
func (l *lane) since() time.Time {
	if len(l.queue) > 0 {
		return l.queue[0].at
	}
	return l.handled
}

// add has the lane handle an entry. of.mu is held.
func (l *lane) add(w waiting) {
	if w.offset <= l.done {
		return // before a restart
	}
	s := l.of
	l.count++
	s.open[l] = struct{}{}
	if l.behind || len(l.queue) > 0 && (l.bytes+w.bytes > s.maxLaneBytes || s.bytes+w.bytes > s.maxBytes) {
		if !l.behind {
			l.behind, l.scanned = true, w.offset-1
		}
	} else {
		l.push(w)
	}
	if !l.at {
		l.at = true
		ctx := s.ctx
		s.working.Go(func() { l.work(ctx) })
	}
}

func (l *lane) push(w waiting) {
	l.queue = append(l.queue, w)
	l.bytes += w.bytes
	l.of.bytes += w.bytes
}

// work handles what there is, and ends when there is nothing.
func (l *lane) work(ctx context.Context) {
	for {
		batch, err := l.next(ctx)
		if err == nil && batch == nil {
			return
		}
		if err == nil {
			if !l.of.p.begin() {
				return
			}
			err = l.try(batch)
			l.of.p.inFlight.Done()
		}
		if ctx.Err() != nil && l.of.p.work.Err() != nil {
			return
		}
		if !l.judge(err) {
			backoff.Sleep(ctx, l.of.p.log.Backoff(l.failures-1))
		}
		if ctx.Err() != nil {
			return
		}
	}
}

// next is the batch to handle next, nil when there is none; then the goroutine ends.
func (l *lane) next(ctx context.Context) ([]waiting, error) {
	s := l.of
	for {
		s.mu.Lock()
		if len(l.queue) > 0 {
			batch := l.batch()
			s.mu.Unlock()
			return batch, nil
		}
		if !l.behind {
			l.at = false
			delete(s.open, l)
			s.mu.Unlock()
			s.rested.Set()
			return nil, nil
		}
		s.mu.Unlock()
		if err := l.catchUp(ctx); err != nil {
			return nil, err
		}
	}
}

// batch is the front of the queue. What is no event comes alone. of.mu is held.
func (l *lane) batch() []waiting {
	n := 1
	for n < min(len(l.queue), l.of.most) && l.queue[0].err == nil && l.queue[n].err == nil && l.queue[n-1].offset > l.soloUntil {
		n++
	}
	return l.queue[:n:n]
}

// catchUp reads from the log what did not wait in memory.
func (l *lane) catchUp(ctx context.Context) error {
	s := l.of
	s.mu.Lock()
	from := l.scanned
	s.mu.Unlock()
	entries, err := s.p.log.Read(string(s.topic), from, readChunk)
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(entries) == 0 {
		l.scanned = s.read
	}
	for _, e := range entries {
		l.scanned = min(e.Offset, s.read)
		if e.Offset > s.read {
			break // it will be given
		}
		if w := hear(e); w.forAll || w.project == l.id {
			l.push(w)
		}
	}
	l.behind = l.scanned < s.read
	return ctx.Err()
}

// handle has the handler handle a batch, unless it is no event. It returns the events, and
// where the lane is after them.
func (l *lane) handle(ctx context.Context, batch []waiting) ([]event.Event, event.Cursor, error) {
	cur := l.cursor(batch)
	if batch[0].err != nil {
		return nil, cur, batch[0].err
	}
	events := make([]event.Event, len(batch))
	for i, w := range batch {
		events[i] = w.event
	}
	if limit := l.of.p.opts.HandlerTimeout; limit > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, limit)
		defer cancel()
	}
	err := panics.Catch(func() error { return l.of.handler(ctx, events, cur) })
	return events, cur, err
}

// cursor is where the lane is after a batch.
func (l *lane) cursor(batch []waiting) event.Cursor {
	s := l.of
	s.mu.Lock()
	defer s.mu.Unlock()
	cur := event.Cursor{Topic: s.topic, Group: s.group, Lane: l.id, Offset: batch[len(batch)-1].offset}
	own := s.read
	switch {
	case len(l.queue) > len(batch):
		own = l.queue[len(batch)].offset - 1
	case l.behind:
		own = l.scanned
	}
	cur.Base = s.lowest(l, own)
	return cur
}

// try handles a batch, or if that fails for good its first entry alone.
func (l *lane) try(batch []waiting) error {
	s := l.of
	began := time.Now()
	ctx := s.p.work
	events, cur, err := l.handle(ctx, batch)
	if len(batch) > 1 && err != nil && !Passing(err) {
		l.soloUntil = batch[len(batch)-1].offset
		report(l.logger.WithField("events", len(batch)), err).Warn("a batch cannot be handled, handling its events one by one")
		batch = batch[:1]
		events, cur, err = l.handle(ctx, batch)
	}
	kind := unreadableKind
	if e := batch[0].event; e != nil {
		kind = event.Kind(e)
	}
	dead := false
	if err = l.tries.judge(cur.Offset, err); Permanent(err) {
		if putErr := l.bury(cur, err); putErr != nil {
			err = putErr
		} else {
			dead, err = true, nil
		}
	}
	if err == nil || fault.On(fault.LostRetry) {
		// Most handlers have stored it themselves; then this writes nothing.
		if advanceErr := s.p.log.Advance(cur); advanceErr != nil {
			err = advanceErr
		}
	}
	s.seconds.Observe(time.Since(began).Seconds())
	switch {
	case err != nil:
		s.p.metrics.failed.WithLabelValues(string(s.topic), kind).Inc()
		if !fault.On(fault.LostRetry) {
			return err
		}
	case dead:
		s.p.metrics.dead.WithLabelValues(string(s.topic), kind).Inc()
	default:
		s.p.metrics.countHandled(s.topic, events)
	}
	l.pass(len(batch), cur)
	return nil
}

// pass takes handled entries off the queue.
func (l *lane) pass(n int, cur event.Cursor) {
	s := l.of
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, w := range l.queue[:n] {
		l.bytes -= w.bytes
		s.bytes -= w.bytes
		l.handled = w.at
	}
	clear(l.queue[:n]) // let go of the events
	l.queue = l.queue[n:]
	l.count -= uint64(n) //nolint:gosec // a batch
	l.done = cur.Offset
	s.base = max(s.base, cur.Base)
}

// bury moves the entry of a cursor to the dead letters.
func (l *lane) bury(cur event.Cursor, reason error) error {
	e, ok, err := l.of.p.log.Get(string(cur.Topic), cur.Offset)
	if err != nil {
		return err
	}
	if !ok {
		return fmt.Errorf("entry %d of topic %s is not in the log any more", cur.Offset, cur.Topic)
	}
	return l.of.p.bury(l.logger, cur, e.Payload, reason)
}

// judge notes how a try ended, and reports whether to go on at once.
func (l *lane) judge(err error) bool {
	s := l.of
	if err == nil {
		if l.failures > 0 {
			l.logger.WithField("failures", l.failures).Info("handling works again")
		}
		l.failures = 0
	} else {
		l.failures++
		if backoff.ShouldLog(l.failures) {
			report(l.logger.WithField("failures", l.failures), err).Warn("handling failed, trying again; other projects go on")
		}
	}
	s.mu.Lock()
	switch {
	case err == nil:
		l.failing, l.reason = time.Time{}, ""
	default:
		if l.failing.IsZero() {
			l.failing = time.Now()
		}
		l.reason = err.Error()
	}
	tooFar := err != nil && s.read-l.first() >= s.o.MaxBehind && l.id != noProject
	s.mu.Unlock()
	if tooFar {
		l.leave()
	}
	return err == nil
}
