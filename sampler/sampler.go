package sampler

import (
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/sirupsen/logrus"
	"golang.org/x/time/rate"

	"github.com/hone-ml/hone/event"
)

// Sampler ranks the pool of every project it hears of and keeps Label Studio's
// order in step. All methods may be called concurrently.
type Sampler struct {
	o       Options
	ranker  *Ranker
	log     *logrus.Entry
	metrics *metrics
	limit   *rate.Limiter

	mu       sync.Mutex
	ls       LabelStudio
	projects map[event.ProjectID]*worker
	start    func(*worker) // set while Run runs
}

// New checks the options; the error names every fault.
func New(o Options) (*Sampler, error) {
	if err := o.validate(); err != nil {
		return nil, err
	}
	m, err := newMetrics(o.Registerer)
	if err != nil {
		return nil, err
	}
	ranker, err := NewRanker(o)
	if err != nil {
		return nil, err
	}
	if o.Jitter == nil {
		o.Jitter = rand.Float64
	}
	log := o.Logger
	if log == nil {
		quiet := logrus.New()
		quiet.SetOutput(io.Discard)
		log = logrus.NewEntry(quiet)
	}
	return &Sampler{
		o: o, ranker: ranker, log: log, metrics: m, ls: o.LabelStudio,
		limit:    rate.NewLimiter(rate.Limit(o.PushRate), o.Head),
		projects: map[event.ProjectID]*worker{},
	}, nil
}

// Run works until ctx is done and returns nil then. Each project has a worker of
// its own, so that one that cannot be reached does not hold up the others; they
// share the limit on writes. Run may be called once at a time.
func (s *Sampler) Run(ctx context.Context) error {
	var all sync.WaitGroup
	s.mu.Lock()
	if s.start != nil {
		s.mu.Unlock()
		return errors.New("sampler: it is running already")
	}
	s.start = func(w *worker) { all.Go(func() { w.run(ctx) }) }
	for _, w := range s.projects {
		s.start(w)
	}
	s.mu.Unlock()

	<-ctx.Done()
	s.mu.Lock()
	s.start = nil
	s.mu.Unlock()
	all.Wait()
	return nil
}

// Learned takes notice of new snapshots and returns at once; it is the handler
// of the Snapshots log. Events of one project that come while its worker is busy
// become one.
func (s *Sampler) Learned(_ context.Context, batch []event.Event, _ event.Cursor) error {
	for _, e := range batch {
		if l, ok := e.(*event.Learned); ok && l.Project > 0 {
			s.tell(l.Project, func(n *news) { n.learned(l) })
		}
	}
	return nil
}

// Refresh has projects read anew: the pool from the state, and what Label Studio
// holds from Label Studio. Call it for every project on start, and when
// something may have gone wrong on the way.
func (s *Sampler) Refresh(projects ...event.ProjectID) {
	for _, p := range projects {
		s.tell(p, func(n *news) { n.all, n.relist = true, true })
	}
}

// Asked says that Label Studio asked /predict about tasks. It asks only where it
// holds no prediction of the live version. If the queue was written for one of
// them, somebody has deleted that prediction, of which Label Studio sends no
// event: what it holds is listed anew. It returns at once.
func (s *Sampler) Asked(p event.ProjectID, tasks []event.Task) {
	s.mu.Lock()
	w := s.projects[p]
	s.mu.Unlock()
	if w != nil && w.believes(tasks) {
		w.hear(func(n *news) { n.relist = true })
	}
}

// SetLabelStudio replaces the connection, for example when the credentials have
// changed; nil stops the pushing. Every project is pushed anew.
func (s *Sampler) SetLabelStudio(ls LabelStudio) {
	s.mu.Lock()
	s.ls = ls
	var known []event.ProjectID
	for p := range s.projects {
		known = append(known, p)
	}
	s.mu.Unlock()
	s.Refresh(known...)
}

// Next is the queue of a project, best first, in a slice of the caller's own. Its
// first Options.Head places are the ranking's; those behind are kept where they
// were while they rank well. It is empty before the first ranking.
func (s *Sampler) Next(p event.ProjectID) []Item {
	st, _ := s.Status(p)
	return st.Queue
}

// Status says how a project stands; ok is false for one never heard of.
func (s *Sampler) Status(p event.ProjectID) (st Status, ok bool) {
	s.mu.Lock()
	w := s.projects[p]
	s.mu.Unlock()
	if w == nil {
		return Status{}, false
	}
	return w.snapshot(), true
}

// tell gives a project's worker news. A new worker has its first news before it
// starts; otherwise it might do everything for nothing, and then again.
func (s *Sampler) tell(p event.ProjectID, add func(*news)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	w, known := s.projects[p]
	if !known {
		w = newWorker(s, p)
		s.projects[p] = w
	}
	w.hear(add)
	if !known && s.start != nil {
		s.start(w)
	}
}

func (s *Sampler) labelStudio() LabelStudio {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.ls
}

// Status is how the sampler stands in one project.
type Status struct {
	Strategy string `json:"strategy"`
	// Version is the model version the queue was ranked with.
	Version string `json:"version"`
	// Labels is how many labels the model knew, at the least, that ranked it.
	Labels int `json:"labels"`
	// Pool counts the tasks nobody has labelled or skipped.
	Pool    int `json:"pool"`
	Skipped int `json:"skipped"`
	// Queue is what to ask next, best first.
	Queue []Item `json:"queue"`
	// Pushed is how many places of the queue, from the front, Label Studio has.
	Pushed int `json:"pushed"`
	// Rank counts the rankings so far.
	Rank     uint64    `json:"rank"`
	LastRank time.Time `json:"last_rank,omitzero"`
	LastPush time.Time `json:"last_push,omitzero"`
	// ReadyLag and HeadLag, in nanoseconds, are those of the last queue that an
	// annotation caused: until it was ranked, and until Label Studio had its first task.
	ReadyLag time.Duration `json:"ready_lag"`
	HeadLag  time.Duration `json:"head_lag"`
	// Note says in a sentence why Label Studio does not have the queue; it is
	// empty when all is well.
	Note string `json:"note,omitempty"`
}
