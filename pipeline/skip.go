package pipeline

import (
	"maps"
	"slices"
	"time"

	"github.com/hone-ml/hone/event"
)

// skipBacklog skips the unhandled entries of a lane that fails and so keeps too much of the
// log from being deleted. The project is then read anew from Label Studio, so that no change
// is lost, and the last command of each kind is published again; of changes of settings all
// of them, as one.
func (l *lane) skipBacklog() {
	s := l.lanes
	s.mu.Lock()
	first, to, count := l.firstPending(), s.read, l.count
	cur := event.Cursor{Topic: s.topic, Group: s.group, Lane: l.id, Offset: to, Base: s.lowest(l, to)}
	s.mu.Unlock()
	err := l.publishInstead(first, cur)
	if err != nil {
		l.logger.WithError(err).Warn("a project that is too far behind cannot be given up on yet")
		return
	}
	l.logger.WithField("events", count).Error("a project whose events cannot be handled was too far behind; it passes them over and is read anew from Label Studio")
	s.mu.Lock()
	defer s.mu.Unlock()
	n := 0
	for ; n < len(l.queue) && l.queue[n].offset <= to; n++ {
		l.bytes -= l.queue[n].bytes
		s.bytes -= l.queue[n].bytes
	}
	clear(l.queue[:n])
	l.queue = l.queue[n:]
	l.count -= count
	l.done, l.handled = to, time.Now()
	if l.behind {
		l.scanned = max(l.scanned, to)
		l.behind = l.scanned < s.read
	}
	s.base = max(s.base, cur.Base)
}

// publishInstead moves the lane's position to cur and publishes the events that replace its
// entries from first on.
func (l *lane) publishInstead(first uint64, cur event.Cursor) error {
	s := l.lanes
	orders := map[string]laneEntry{}
	for after := first - 1; after < cur.Offset; {
		entries, err := s.p.log.Read(string(s.topic), after, readChunk)
		if err != nil {
			return err
		}
		if len(entries) == 0 {
			break
		}
		for _, e := range entries {
			after = e.Offset
			w := readLaneEntry(e)
			if _, change := w.event.(*event.Changed); w.event == nil || change || after > cur.Offset || w.project != l.id && !w.forAll {
				continue
			}
			orders[event.Kind(w.event)] = w.after(orders[event.Kind(w.event)])
		}
	}
	var events []event.Event
	for _, kind := range slices.Sorted(maps.Keys(orders)) {
		if w := orders[kind]; !w.forAll { // the schedule's comes again by itself
			events = append(events, w.event)
		}
	}
	if s.o.Anew != nil {
		events = append(events, s.o.Anew(l.id))
	}
	write, err := s.p.PublishTx(&cur, events...)
	if err != nil {
		return err
	}
	return s.p.log.Update(write)
}

// after returns an order as it stands behind an earlier one of its kind: it takes the place
// of that, but for a change of settings, which changes only those that it names.
func (w laneEntry) after(earlier laneEntry) laneEntry {
	first, had := earlier.event.(*event.Configured)
	if then, is := w.event.(*event.Configured); had && is {
		w.event = first.Then(then)
	}
	return w
}
