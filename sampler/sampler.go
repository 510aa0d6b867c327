package sampler

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/hone-ml/hone/event"
	"github.com/hone-ml/hone/internal/service"
	"github.com/hone-ml/hone/sampler/push"
)

// Sampler ranks the pool of every project it hears of and keeps Label Studio's
// order in step. All methods may be called concurrently.
type Sampler struct {
	o       Options
	metrics *samplerMetrics
	pusher  *push.Pusher
	spaces  *spaces
	life    *service.Life // its lock may be taken while mu is held

	mu       sync.Mutex
	projects map[event.ProjectID]*worker // guarded by mu
	begin    func(*worker)               // guarded by mu; nil before Start
}

// New checks the options; the error names every fault.
func New(o Options) (*Sampler, error) {
	o.setDefaults()
	if err := o.validate(); err != nil {
		return nil, err
	}
	m, err := newMetrics(o.Registerer)
	if err != nil {
		return nil, err
	}
	var tasks push.Tasks
	if o.Suggester != nil {
		tasks = o.Pool
	}
	pusher, err := push.New(push.Options{
		LabelStudio: o.LabelStudio, Predictor: o.Predictor, Suggester: o.Suggester, Tasks: tasks, Fits: o.Fits,
		QueueSize: o.QueueSize, Front: o.Front, Settle: o.Settle, GiveWay: o.Settle / 4, PushRate: o.PushRate, BackgroundWrites: o.BackgroundWrites,
		ManageModelVersion: o.ManageModelVersion, CheckEvery: o.CheckEvery, BulkAbove: o.BulkAbove,
		Logger: o.Logger, Metrics: m.push(),
	})
	if err != nil {
		return nil, err
	}
	s := &Sampler{
		o: o, metrics: m, life: service.NewLife(), pusher: pusher, spaces: newSpaces(spacesBudget),
		projects: map[event.ProjectID]*worker{},
	}
	if o.Registerer != nil {
		kept := prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "hone_sampler_kept_bytes", Help: "What projects keep of the samples that coverage and its like look at, from one ranking to the next.",
		}, func() float64 { return float64(s.spaces.used()) })
		if err := errors.Join(o.Registerer.Register(differingCollector{s}), o.Registerer.Register(kept)); err != nil {
			return nil, err
		}
	}
	return s, nil
}

// Start begins the work, as service.Service says. Each project has a worker of its own,
// so that one that cannot be reached does not hold up the others; they share the limit
// on writes.
func (s *Sampler) Start(ctx context.Context) error {
	return s.life.Start(ctx, func(context.Context) {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.begin = func(w *worker) { s.life.Go(w.run) }
		for _, w := range s.projects {
			s.begin(w)
		}
	})
}

// Stop ends the work, as service.Service says. What was not written is written by the
// next start.
func (s *Sampler) Stop(ctx context.Context) error { return s.life.Stop(ctx) }

var _ service.Service = (*Sampler)(nil)

// Learned records new snapshots and returns at once; it is the handler of the Snapshots
// topic. Events of one project that come while its worker is busy are merged.
func (s *Sampler) Learned(_ context.Context, batch []event.Event, _ event.Cursor) error {
	for _, e := range batch {
		if l, ok := e.(*event.Learned); ok && l.Project > 0 {
			s.enqueue(l.Project, learned(l))
		}
	}
	return nil
}

// Refresh has projects read anew: the pool from the state, and what Label Studio
// holds from Label Studio. Call it for every project on start, and when
// something may have gone wrong on the way.
func (s *Sampler) Refresh(projects ...event.ProjectID) {
	for _, p := range projects {
		s.enqueue(p, pending{wholePool: true, relist: true})
	}
}

// Prelabel has predictions made for all tasks of a project that have none beside the
// queue's. It returns when that is stored: hone goes on with it after a restart too.
// asked is the Asked by which Status says how far it is. Asking again while it goes on
// begins with those that lack.
func (s *Sampler) Prelabel(ctx context.Context, p event.ProjectID) (asked time.Time, err error) {
	asked = time.Now().UTC()
	if s.o.Marks != nil {
		if err := s.o.Marks.SetPrelabelDue(ctx, p, asked); err != nil {
			return time.Time{}, err
		}
	}
	s.enqueue(p, pending{prelabel: asked, relist: true})
	return asked, nil
}

// OnPredictRequest says that Label Studio asked /predict about tasks. It asks only where it
// holds no prediction of the live version. If the queue was written for one of
// them, somebody has deleted that prediction, of which Label Studio sends no
// event: what it holds is listed anew. It returns at once.
func (s *Sampler) OnPredictRequest(p event.ProjectID, tasks []event.Task) {
	s.mu.Lock()
	w := s.projects[p]
	s.mu.Unlock()
	if w != nil && w.status.holdsQueued(tasks) {
		w.inbox.enqueue(pending{relist: true})
	}
}

// SetLabelStudio replaces the connection, for example when the credentials have
// changed; nil stops the pushing. Every project is pushed anew.
func (s *Sampler) SetLabelStudio(ls push.LabelStudio) {
	s.pusher.SetLabelStudio(ls)
	s.mu.Lock()
	var known []event.ProjectID
	for p := range s.projects {
		known = append(known, p)
	}
	s.mu.Unlock()
	s.Refresh(known...)
}

// Next is the queue of a project, best first, in a slice of the caller's own. Its
// first Options.Front places are the ranking's; those behind are kept where they
// were while they rank well. It is empty before the first ranking.
func (s *Sampler) Next(p event.ProjectID) []Item {
	st, _ := s.Status(p)
	return st.Queue
}

// Status returns the state of a project's queue; ok is false for an unknown project.
func (s *Sampler) Status(p event.ProjectID) (st Status, ok bool) {
	s.mu.Lock()
	w := s.projects[p]
	s.mu.Unlock()
	if w == nil {
		return Status{}, false
	}
	return w.status.get(), true
}

// Forget drops a project: its worker ends, and nothing is ranked or written any more until
// the project is heard of again. The error is the context's, when the worker goes on for so
// long.
func (s *Sampler) Forget(ctx context.Context, p event.ProjectID) error {
	s.mu.Lock()
	w, began := s.projects[p], s.begin != nil
	delete(s.projects, p)
	s.mu.Unlock()
	if w == nil {
		return nil
	}
	w.forget()
	if !began {
		return nil
	}
	select {
	case <-w.ended:
		s.spaces.take(p)
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// enqueue gives a project's worker something to do. A new worker has it before it
// starts; otherwise it might do everything for nothing, and then again.
func (s *Sampler) enqueue(p event.ProjectID, what pending) {
	s.mu.Lock()
	defer s.mu.Unlock()
	w, known := s.projects[p]
	if !known {
		w = newWorker(s, p)
		s.projects[p] = w
	}
	w.inbox.enqueue(what)
	if !known && s.begin != nil {
		s.begin(w)
	}
}
