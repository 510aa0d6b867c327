// Package poll decides when hone asks Label Studio whether something changed in the projects
// that Label Studio cannot tell it about. What is asked, and what comes of the answer, is
// package reconcile's.
package poll

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/sirupsen/logrus"

	"github.com/hone-ml/hone/event"
	"github.com/hone-ml/hone/internal/logging"
	"github.com/hone-ml/hone/internal/service"
	"github.com/hone-ml/hone/internal/wake"
)

// DefaultInterval is the default of Options.Interval.
const DefaultInterval = time.Second

// Reader reads what changed in Label Studio, and sees to it that it is learned;
// *reconcile.Reconciler implements it. Its methods may be called concurrently.
type Reader interface {
	// Poll makes one request while nothing happens, and returns how much hone did not know.
	Poll(ctx context.Context, p event.ProjectID) (found int, err error)
	// PollProject makes one request and finds what Poll cannot see.
	PollProject(ctx context.Context, p event.ProjectID) error
}

// Options configure a Poller. Reader and Projects are required.
type Options struct {
	Reader Reader
	// Projects returns the projects to poll. It is called once an interval or more often.
	Projects func(ctx context.Context) ([]event.ProjectID, error)
	// Interval is the pause between two polls of a project in which people work; a quiet one
	// is polled half as often. 0 means DefaultInterval.
	Interval   time.Duration
	Logger     *logrus.Entry
	Registerer prometheus.Registerer
}

func (o *Options) setDefaults() {
	if o.Interval == 0 {
		o.Interval = DefaultInterval
	}
	if o.Logger == nil {
		o.Logger = logging.Silent()
	}
}

func (o *Options) validate() error {
	if o.Reader == nil || o.Projects == nil {
		return errors.New("poll: Reader and Projects are needed")
	}
	if o.Interval < 0 {
		return errors.New("poll: the interval must not be negative")
	}
	return nil
}

// Status is how the polls of a project go.
type Status struct {
	// Interval is the least pause between two polls now, in nanoseconds.
	Interval time.Duration
	// Last is when the last poll began that succeeded; zero: none did.
	Last time.Time
	// FailingSince is when the first of the polls failed that failed in a row; zero: the
	// last one did not. Error is why the last one did.
	FailingSince time.Time
	Error        string
}

// Poller polls projects. Its methods may be called concurrently.
type Poller struct {
	o       Options
	life    *service.Life
	metrics *pollMetrics
	ended   wake.Signal // a poll has ended

	mu       sync.Mutex
	projects map[event.ProjectID]*project
	underWay int
	// nextSlot is when the budget allows the next poll.
	nextSlot time.Time
	// favoured: the next poll is of an active project, where one is due.
	favoured bool
}

// New checks the options.
func New(o Options) (*Poller, error) {
	o.setDefaults()
	if err := o.validate(); err != nil {
		return nil, err
	}
	p := &Poller{o: o, life: service.NewLife(), ended: wake.New(), projects: map[event.ProjectID]*project{}}
	var err error
	p.metrics, err = newMetrics(o.Registerer, p.lastPolls)
	return p, err
}

// Start begins to poll, as service.Service says.
func (p *Poller) Start(ctx context.Context) error { return p.life.Start(ctx, p.schedule) }

// Stop ends that, as service.Service says; polls under way are broken off. What they have
// not read is read after the next start.
func (p *Poller) Stop(ctx context.Context) error { return p.life.Stop(ctx) }

var _ service.Service = (*Poller)(nil)

// Status says how the polls of a project go; ok is false when it is not polled.
func (p *Poller) Status(id event.ProjectID) (st Status, ok bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	pr := p.projects[id]
	if pr == nil {
		return Status{}, false
	}
	st = pr.status
	st.Interval = p.interval(pr, time.Now())
	return st, true
}

// lastPolls are the last good polls of all projects.
func (p *Poller) lastPolls() map[event.ProjectID]time.Time {
	p.mu.Lock()
	defer p.mu.Unlock()
	out := make(map[event.ProjectID]time.Time, len(p.projects))
	for id, pr := range p.projects {
		if !pr.status.Last.IsZero() {
			out[id] = pr.status.Last
		}
	}
	return out
}
