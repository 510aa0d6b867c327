package pipeline

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/hone-ml/hone/event"
	"github.com/hone-ml/hone/internal/backoff"
	"github.com/hone-ml/hone/internal/fault"
	"github.com/hone-ml/hone/internal/wake"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/sirupsen/logrus"
)

// Lanes are the options of HandleLanes. Only Known is required.
type Lanes struct {
	// Known are the projects that an event for all of them reaches, beside those that
	// have been met since the start.
	Known func(context.Context) ([]event.ProjectID, error)
	// MaxBehind is how many entries of the log, those of all projects counted, a lane
	// that fails may keep from being deleted; 100,000 if zero. Then the lane passes its
	// entries over, but for the last order of each kind, and Anew is published.
	MaxBehind uint64
	// Anew asks for everything about a project that passed entries over; nil for nothing.
	Anew func(event.ProjectID) event.Event
}

const (
	defaultMaxBehind = 100_000
	// readChunk is how many entries are read at once.
	readChunk = 256
	// maxLaneBytes and maxBytes bound the entries that wait in memory, of one lane and
	// of all. What is beyond is read again from the log when its turn comes.
	maxLaneBytes = 4 << 20
	maxBytes     = 64 << 20
	// baseEvery is how long the base may stay behind when all lanes have come to rest.
	baseEvery = time.Second
)

// noProject is the lane of entries that belong to no project, such as bytes that are no
// event.
const noProject = event.ProjectID(0)

// lanes follows a topic, and gives each entry to the lane of its project. Lanes do not
// wait for each other.
//
// Locks: mu is held for moments, never over the disk, a handler or another lock.
type lanes struct {
	p        *Pipeline
	group    string
	topic    event.Topic
	maxBatch int
	handler  Handler
	o        Lanes
	logger   *logrus.Entry
	seconds  prometheus.Observer // how long a batch took
	laneIdle wake.Signal         // a lane has nothing left to do
	working  sync.WaitGroup
	// What may wait in memory, of a lane and of all.
	maxLaneBytes, maxBytes int
	baseEvery              time.Duration

	mu     sync.Mutex
	ctx    context.Context // ends when no further batch may begin; nil before the start
	all    map[event.ProjectID]*lane
	open   map[*lane]struct{} // those with entries that are not handled
	bytes  int                // of all that wait in memory
	read   uint64             // all entries up to this one were given to their lanes
	base   uint64             // as it is stored
	beyond map[event.ProjectID]uint64
}

// HandleLanes lets h handle a topic as consumer group group, project by project: every
// project has its own order, its own retries and its own position in the log, and
// none waits for another. h is called for several projects at once, and with events of
// one project only; cur.Lane names it. An event for all projects comes once in each
// lane. What else holds of a Handler holds within a lane. Call it before Run, once
// for each (group, topic).
func (p *Pipeline) HandleLanes(group string, topic event.Topic, maxBatch int, o Lanes, h Handler) {
	if o.MaxBehind == 0 {
		o.MaxBehind = defaultMaxBehind
	}
	s := &lanes{
		p: p, group: group, topic: topic, maxBatch: max(maxBatch, 1), handler: h, o: o,
		logger:  p.logger.WithFields(logrus.Fields{"topic": topic, "group": group}),
		seconds: p.metrics.seconds.WithLabelValues(string(topic), group), laneIdle: wake.New(), maxLaneBytes: maxLaneBytes, maxBytes: maxBytes, baseEvery: baseEvery,
		all: map[event.ProjectID]*lane{}, open: map[*lane]struct{}{},
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.laneGroups = append(p.laneGroups, s)
}

// load reads the stored positions of the lanes.
func (s *lanes) load() error {
	base, beyond, err := s.p.log.Lanes(string(s.topic), s.group)
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.read, s.base, s.beyond = base, base, beyond
	return nil
}

// follow handles the entries of the topic until the context ends or the log is closed, and returns when
// no lane is at work any more.
func (s *lanes) follow(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer s.working.Wait()
	defer cancel()
	s.mu.Lock()
	s.ctx = ctx
	s.mu.Unlock()
	for failures := 0; ; {
		news := s.p.log.Appended(string(s.topic))
		found, err := s.readNext(ctx)
		switch {
		case ctx.Err() != nil:
			return nil
		case err != nil:
			if backoff.ShouldLog(failures + 1) {
				s.logger.WithError(err).WithField("failures", failures+1).Error("cannot read the log, trying again")
			}
			backoff.Sleep(ctx, s.p.log.Backoff(failures))
			failures++
			continue
		}
		failures = 0
		if found {
			continue
		}
		if closed := s.waitForEntries(ctx, news); closed {
			return errors.New("its log was closed")
		}
	}
}

// waitForEntries waits until entries are appended. When all lanes are idle it stores the
// base.
func (s *lanes) waitForEntries(ctx context.Context, news <-chan struct{}) (closed bool) {
	timer := time.NewTimer(s.baseEvery)
	defer timer.Stop()
	for {
		var late <-chan time.Time
		if s.baseLags() {
			late = timer.C
			timer.Reset(s.baseEvery)
		}
		select {
		case <-news:
			return false
		case <-ctx.Done():
			return false
		case <-s.p.log.Closed():
			return ctx.Err() == nil
		case <-s.laneIdle:
		case <-late:
			cur := s.cursor()
			if err := s.p.log.Advance(cur); err == nil {
				s.advanced(cur)
			} else {
				s.logger.WithError(err).Debug("the position of all lanes is not stored, trying again")
			}
		}
	}
}

// baseLags reports whether all lanes are idle and the stored base is behind them.
func (s *lanes) baseLags() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.open) == 0 && s.base < s.read
}

// cursor returns the position that every lane has reached.
func (s *lanes) cursor() event.Cursor {
	s.mu.Lock()
	defer s.mu.Unlock()
	return event.Cursor{Topic: s.topic, Group: s.group, Offset: s.lowest(nil, s.read)}
}

func (s *lanes) advanced(cur event.Cursor) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.base = max(s.base, cur.Offset)
}

// lowest returns the offset up to which all lanes have handled the log, with the position of
// lane but, unless nil, taken to be own. mu is held.
func (s *lanes) lowest(but *lane, own uint64) uint64 {
	low := min(own, s.read)
	for l := range s.open {
		if l != but {
			low = min(low, l.firstPending()-1)
		}
	}
	return low
}

// readNext reads the next entries of the log, distributes them to their lanes and reports
// whether there were any.
func (s *lanes) readNext(ctx context.Context) (bool, error) {
	s.mu.Lock()
	after := s.read
	s.mu.Unlock()
	entries, err := s.p.log.Read(string(s.topic), after, readChunk)
	if err != nil || len(entries) == 0 {
		return false, err
	}
	var known []event.ProjectID
	heard := make([]laneEntry, len(entries))
	for i, e := range entries {
		heard[i] = readLaneEntry(e)
		if c, ok := heard[i].event.(*event.Changed); ok && i > 0 && fault.On(fault.WrongProject) {
			heard[i].project, c.Project = heard[i-1].project, heard[i-1].project
		}
		if heard[i].forAll && known == nil {
			if known, err = s.o.Known(ctx); err != nil {
				return false, fmt.Errorf("list the projects: %w", err)
			}
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, w := range heard {
		s.distribute(w, known)
	}
	s.read = entries[len(entries)-1].Offset
	return true, nil
}

// distribute adds an entry to its lane, or to all. mu is held.
func (s *lanes) distribute(w laneEntry, known []event.ProjectID) {
	if !w.forAll {
		s.lane(w.project).enqueue(w)
		return
	}
	for _, id := range known {
		s.lane(id)
	}
	for id, l := range s.all {
		if id != noProject {
			l.enqueue(w)
		}
	}
}

// lane returns the lane of a project and makes it if needed. mu is held.
func (s *lanes) lane(id event.ProjectID) *lane {
	l := s.all[id]
	if l == nil {
		l = &lane{lanes: s, id: id, done: s.beyond[id], logger: s.logger.WithField("project", id)}
		s.all[id] = l
	}
	return l
}

// lag returns how many entries the lanes have not handled, and about when the oldest of them
// was appended. running is false before the start.
func (s *lanes) lag() (entries uint64, since time.Time, running bool, err error) {
	last, err := s.p.log.Last(string(s.topic))
	if err != nil {
		return 0, time.Time{}, false, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ctx == nil {
		return 0, time.Time{}, false, nil
	}
	if last > s.read {
		entries, since = last-s.read, time.Now()
	}
	for l := range s.open {
		entries += l.count
		if t := l.oldestPending(); since.IsZero() || t.Before(since) {
			since = t
		}
	}
	return entries, since, true, nil
}

// Lane is the state of a project's lane.
type Lane struct {
	// Entries are those not handled yet; Since is about when the oldest was published,
	// zero when there is none.
	Entries uint64
	Since   time.Time
	// Failing is since when handling fails, with the reason; zero while it works.
	Failing time.Time
	Reason  string
}

// Lane returns the state of a project's lane in a group that follows a topic by lanes.
// Entries that have not been distributed to lanes yet count as the project's.
func (p *Pipeline) Lane(group string, topic event.Topic, id event.ProjectID) (Lane, error) {
	s := p.lanesOf(group, topic)
	if s == nil {
		return Lane{}, nil
	}
	last, err := p.log.Last(string(topic))
	if err != nil {
		return Lane{}, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	var out Lane
	if l := s.all[id]; l != nil && l.count > 0 {
		out = Lane{Entries: l.count, Since: l.oldestPending(), Failing: l.failing, Reason: l.reason}
	}
	if last > s.read {
		out.Entries += last - s.read
	}
	return out, nil
}

// Handled returns the offset up to which a group that follows a topic by lanes has handled
// all entries that concern a project.
func (p *Pipeline) Handled(group string, topic event.Topic, id event.ProjectID) (uint64, error) {
	s := p.lanesOf(group, topic)
	if s == nil {
		return p.log.Cursor(string(topic), group)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ctx == nil {
		return s.base, nil
	}
	if l := s.all[id]; l != nil && l.count > 0 {
		return l.firstPending() - 1, nil
	}
	return s.read, nil
}

func (p *Pipeline) lanesOf(group string, topic event.Topic) *lanes {
	for _, s := range p.allLaneGroups() {
		if s.group == group && s.topic == topic {
			return s
		}
	}
	return nil
}
