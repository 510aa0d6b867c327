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

// laneEntry is an entry of a lane that is not handled yet.
type laneEntry struct {
	offset  uint64
	at      time.Time
	bytes   int
	event   event.Event // nil if it is none
	err     error       // why it is none
	project event.ProjectID
	forAll  bool // it is for the lane of every project
}

func readLaneEntry(e boltlog.Entry) laneEntry {
	w := laneEntry{offset: e.Offset, at: e.Time, bytes: len(e.Payload)}
	if w.event, w.err = decodeEvent(e.Offset, e.Payload, e.Metadata); w.err != nil {
		w.event = nil
		return w
	}
	w.project, w.forAll = w.event.ProjectOf(), event.ForAll(w.event)
	return w
}

// lane holds the unhandled entries of one project, its position in the log, and its
// failures. One goroutine handles the entries and ends when there are none.
type lane struct {
	lanes  *lanes
	id     event.ProjectID
	logger *logrus.Entry

	// Guarded by lanes.mu.
	queue   []laneEntry // not handled, in order; the first may be in the handler's hands
	bytes   int         // of queue
	count   uint64      // not handled, those that are only in the log too
	done    uint64      // handled up to here
	behind  bool        // what comes after the queue is only in the log,
	scanned uint64      // from after this entry on
	handled time.Time   // when the last one that was handled had been appended
	working bool        // a goroutine is at work
	failing time.Time   // since when; zero when it works
	reason  string      // why it fails

	// The goroutine's own.
	singleUntil uint64 // up to here entries come one by one: they were in a batch that failed
	failures    int
	tries       tryCounter
}

// firstPending returns the offset of the next entry to handle, or one before it. lanes.mu is
// held, and there is such an entry.
func (l *lane) firstPending() uint64 {
	if len(l.queue) > 0 {
		return l.queue[0].offset
	}
	return l.scanned + 1
}

// oldestPending returns about when the next entry to handle was appended.
func (l *lane) oldestPending() time.Time {
	if len(l.queue) > 0 {
		return l.queue[0].at
	}
	return l.handled
}

// enqueue adds an entry to the lane and starts its goroutine. lanes.mu is held.
func (l *lane) enqueue(w laneEntry) {
	if w.offset <= l.done {
		return // before a restart
	}
	s := l.lanes
	l.count++
	s.open[l] = struct{}{}
	if l.behind || len(l.queue) > 0 && (l.bytes+w.bytes > s.maxLaneBytes || s.bytes+w.bytes > s.maxBytes) {
		if !l.behind {
			l.behind, l.scanned = true, w.offset-1
		}
	} else {
		l.append(w)
	}
	if !l.working {
		l.working = true
		ctx := s.ctx
		s.working.Go(func() { l.drain(ctx) })
	}
}

func (l *lane) append(w laneEntry) {
	l.queue = append(l.queue, w)
	l.bytes += w.bytes
	l.lanes.bytes += w.bytes
}

// drain handles entries until there are none.
func (l *lane) drain(ctx context.Context) {
	for {
		batch, err := l.next(ctx)
		if err == nil && batch == nil {
			return
		}
		if err == nil {
			if !l.lanes.p.beginHandling() {
				return
			}
			err = l.attempt(batch)
			l.lanes.p.inFlight.Done()
		}
		if ctx.Err() != nil && l.lanes.p.work.Err() != nil {
			return
		}
		if !l.recordOutcome(err) {
			backoff.Sleep(ctx, l.lanes.p.log.Backoff(l.failures-1))
		}
		if ctx.Err() != nil {
			return
		}
	}
}

// next returns the next batch, nil when there is none; then the goroutine ends.
func (l *lane) next(ctx context.Context) ([]laneEntry, error) {
	s := l.lanes
	for {
		s.mu.Lock()
		if len(l.queue) > 0 {
			batch := l.batch()
			s.mu.Unlock()
			return batch, nil
		}
		if !l.behind {
			l.working = false
			delete(s.open, l)
			s.mu.Unlock()
			s.laneIdle.Set()
			return nil, nil
		}
		s.mu.Unlock()
		if err := l.catchUp(ctx); err != nil {
			return nil, err
		}
	}
}

// batch returns the front of the queue. An entry that is no event is a batch of its own.
// lanes.mu is held.
func (l *lane) batch() []laneEntry {
	n := 1
	for n < min(len(l.queue), l.lanes.maxBatch) && l.queue[0].err == nil && l.queue[n].err == nil && l.queue[n-1].offset > l.singleUntil {
		n++
	}
	return l.queue[:n:n]
}

// catchUp reads entries from the log that were not kept in memory.
func (l *lane) catchUp(ctx context.Context) error {
	s := l.lanes
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
		if w := readLaneEntry(e); w.forAll || w.project == l.id {
			l.append(w)
		}
	}
	l.behind = l.scanned < s.read
	return ctx.Err()
}

// handle calls the handler with a batch, unless the batch is an entry that is no event. It
// returns the events and the lane's position after them.
func (l *lane) handle(ctx context.Context, batch []laneEntry) ([]event.Event, event.Cursor, error) {
	cur := l.cursor(batch)
	if batch[0].err != nil {
		return nil, cur, batch[0].err
	}
	events := make([]event.Event, len(batch))
	for i, w := range batch {
		events[i] = w.event
	}
	if limit := l.lanes.p.opts.HandlerTimeout; limit > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, limit)
		defer cancel()
	}
	err := panics.Catch(func() error { return l.lanes.handler(ctx, events, cur) })
	return events, cur, err
}

// cursor returns the lane's position after a batch.
func (l *lane) cursor(batch []laneEntry) event.Cursor {
	s := l.lanes
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

// attempt handles a batch, or its first entry alone if the batch fails for good.
func (l *lane) attempt(batch []laneEntry) error {
	s := l.lanes
	began := time.Now()
	defer s.p.inForeground()()
	ctx := s.p.work
	events, cur, err := l.handle(ctx, batch)
	if len(batch) > 1 && err != nil && !Passing(err) {
		l.singleUntil = batch[len(batch)-1].offset
		withError(l.logger.WithField("events", len(batch)), err).Warn("a batch cannot be handled, handling its events one by one")
		batch = batch[:1]
		events, cur, err = l.handle(ctx, batch)
	}
	kind := unreadableKind
	if e := batch[0].event; e != nil {
		kind = event.Kind(e)
	}
	dead := false
	if err = l.tries.classify(cur.Offset, err); Permanent(err) {
		if putErr := l.deadLetter(cur, err); putErr != nil {
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
	l.dequeue(len(batch), cur)
	return nil
}

// dequeue removes the first n entries, which were handled, from the queue.
func (l *lane) dequeue(n int, cur event.Cursor) {
	s := l.lanes
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

// deadLetter moves the entry at a cursor to the dead letters.
func (l *lane) deadLetter(cur event.Cursor, reason error) error {
	e, ok, err := l.lanes.p.log.Get(string(cur.Topic), cur.Offset)
	if err != nil {
		return err
	}
	if !ok {
		return fmt.Errorf("entry %d of topic %s is not in the log any more", cur.Offset, cur.Topic)
	}
	return l.lanes.p.deadLetter(l.logger, cur, e.Payload, reason)
}

// recordOutcome records how an attempt ended and reports whether to go on at once.
func (l *lane) recordOutcome(err error) bool {
	s := l.lanes
	if err == nil {
		if l.failures > 0 {
			l.logger.WithField("failures", l.failures).Info("handling works again")
		}
		l.failures = 0
	} else {
		l.failures++
		if backoff.ShouldLog(l.failures) {
			withError(l.logger.WithField("failures", l.failures), err).Warn("handling failed, trying again; other projects go on")
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
	tooFar := err != nil && s.read-l.firstPending() >= s.o.MaxBehind && l.id != noProject
	s.mu.Unlock()
	if tooFar {
		l.skipBacklog()
	}
	return err == nil
}
