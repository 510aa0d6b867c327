// Package reconcile compares what Label Studio holds with what hone has learned
// and states the difference as events, so that a lost webhook is found. It
// learns nothing and writes nothing itself but its own mark of how far it has
// read.
package reconcile

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/sirupsen/logrus"

	"github.com/hone-ml/hone/event"
	"github.com/hone-ml/hone/internal/logging"
	"github.com/hone-ml/hone/internal/service"
	"github.com/hone-ml/hone/internal/wake"
	"github.com/hone-ml/hone/labelstudio"
)

// Index returns what hone knows of Label Studio. Its methods may be called concurrently.
type Index interface {
	// Projects are all projects ever heard of, those that are gone included.
	Projects(ctx context.Context) ([]event.Meta, error)
	// Known are the ids of a project's tasks and annotations.
	Known(ctx context.Context, p event.ProjectID) ([]event.KnownTask, error)
	// Tasks are tasks whole, in the order of ids; unknown ones come back Deleted.
	Tasks(ctx context.Context, p event.ProjectID, ids []event.TaskID) ([]event.TaskState, error)
}

// Marks keep, durably, up to which of Label Studio's updated_at a project has
// been read; zero before the first full reading.
type Marks interface {
	Watermark(ctx context.Context, p event.ProjectID) (time.Time, error)
	SetWatermark(ctx context.Context, p event.ProjectID, at time.Time) error
	// Confirm says that a reading that began after the change at a position has
	// compared all ids.
	Confirm(ctx context.Context, p event.ProjectID, from uint64) error
}

// Log returns positions in the log of changes.
type Log interface {
	// Heard returns the position of the last change heard. Applied returns the position up
	// to which Index contains all changes of a project. Both are 0 before the first.
	Heard() (uint64, error)
	Applied(p event.ProjectID) (uint64, error)
}

// Source reads from Label Studio; *labelstudio.Client implements it.
type Source interface {
	Project(ctx context.Context, p event.ProjectID) (labelstudio.Project, error)
	Projects(ctx context.Context) ([]labelstudio.Project, error)
	WhoAmI(ctx context.Context) (labelstudio.User, error)
	TasksPage(ctx context.Context, p event.ProjectID, q labelstudio.TaskQuery) (labelstudio.TaskPage, error)
	KnownTasks(ctx context.Context, p event.ProjectID) ([]event.KnownTask, error)
}

// Publisher stores events; they are durable when Publish returns nil.
type Publisher interface {
	Publish(ctx context.Context, events ...event.Event) error
}

// Options configure a Reconciler. Zero values of the last group mean the defaults named.
type Options struct {
	Index     Index
	Marks     Marks
	Log       Log
	Publisher Publisher
	// Source may be nil: nothing is compared then until SetSource is called.
	Source Source

	// Polled reports whether hone polls a project: what a comparison reads of it is then no
	// missed webhook, and none is waited for. It is called often and from several goroutines.
	// Nil: no project is polled.
	Polled func(event.ProjectID) bool
	// Count counts the tasks that hone holds of a project, and their annotations, skips
	// included. PollProject compares that with Label Studio's own count; nil: it does not.
	Count func(ctx context.Context, p event.ProjectID) (Counts, error)

	// Overlap is read again each time, on Label Studio's clock: a change is
	// stamped before it is committed. Default 5 s.
	Overlap time.Duration
	// PollOverlap is the same for a poll, whose page it makes larger; what is committed
	// later is found by the next run. Default 2 s.
	PollOverlap time.Duration
	// FullEvery is the longest time between two comparisons of all ids and times.
	// Default 1 h.
	FullEvery time.Duration
	// Spacing is the least time from one run of a project to its next. Default 1 s.
	Spacing time.Duration
	// Delivery is how long a webhook may take to arrive after its change. Default
	// 1.5 s: Label Studio gives up after one second.
	Delivery time.Duration
	// Patience is how long a run waits for what was heard before it to be learned.
	// Default 10 min.
	Patience time.Duration
	// PageSize is how many tasks are read, and stated in one event. Default 500.
	PageSize int

	// Skip, when not nil, says which projects a request for all leaves out. It must answer
	// at once.
	Skip func(event.ProjectID) bool
	// Observer, when not nil, is called after each run. It must return at once.
	Observer   func(event.ProjectID, Status)
	Logger     *logrus.Entry
	Registerer prometheus.Registerer
}

func (o *Options) setDefaults() {
	for value, byDefault := range map[*time.Duration]time.Duration{
		&o.Overlap: 5 * time.Second, &o.PollOverlap: 2 * time.Second, &o.FullEvery: time.Hour, &o.Spacing: time.Second, &o.Delivery: 1500 * time.Millisecond, &o.Patience: 10 * time.Minute,
	} {
		if *value == 0 {
			*value = byDefault
		}
	}
	if o.PageSize == 0 {
		o.PageSize = 500
	}
	if o.Polled == nil {
		o.Polled = func(event.ProjectID) bool { return false }
	}
	if o.Logger == nil {
		o.Logger = logging.Silent()
	}
}

func (o *Options) validate() error {
	if o.Index == nil || o.Marks == nil || o.Log == nil || o.Publisher == nil {
		return errors.New("reconcile: Index, Marks, Log and Publisher are needed")
	}
	if o.Overlap < 0 || o.PollOverlap < 0 || o.FullEvery < 0 || o.Spacing < 0 || o.Delivery < 0 || o.PageSize < 0 {
		return errors.New("reconcile: overlap, full_every, spacing, delivery and page size must not be negative")
	}
	return nil
}

// Status is how the last run of a project went.
type Status struct {
	Project event.ProjectID `json:"project"`
	Running bool            `json:"running"`
	// LastRun is when the last run began that ended well and read more than single
	// tasks, LastFull when all ids were compared, LastContents when everything was,
	// LastAnew when everything was read anew.
	LastRun      time.Time `json:"last_run,omitzero"`
	LastFull     time.Time `json:"last_full,omitzero"`
	LastContents time.Time `json:"last_contents,omitzero"`
	LastAnew     time.Time `json:"last_anew,omitzero"`
	// Took is how long the last run took, in nanoseconds.
	Took time.Duration `json:"took"`
	// Read counts the tasks the last run read, or the one that runs has so far, of
	// Total. Stated are the tasks, annotations and deletions it found hone did not
	// know. Some of these may have been on their way already; Missed counts what no
	// webhook ever told, over all runs.
	Read   int `json:"read"`
	Total  int `json:"total"`
	Stated int `json:"stated"`
	// Left is about how long the run that runs still takes, in nanoseconds; 0 of none.
	Left   time.Duration `json:"left,omitzero"`
	Missed uint64        `json:"missed"`
	// ModelVersion and Sampling are the project's settings as last read.
	ModelVersion string `json:"model_version"`
	Sampling     string `json:"sampling"`
	Runs         int    `json:"runs"`
	Failures     int    `json:"failures"`
	// Error is why the last run failed; empty when it did not.
	Error string `json:"error,omitempty"`
}

// Reconciler runs comparisons, one at a time for each project. All methods may
// be called concurrently.
type Reconciler struct {
	o       Options
	metrics *runMetrics
	life    *service.Life // its lock may be taken while mu is held

	mu            sync.Mutex
	source        Source
	pendingForAll *request // asked for every project, and not yet handed out
	allWake       wake.Signal
	projects      map[event.ProjectID]*projectRunner
	started       bool // projects run
}

// New checks the options.
func New(o Options) (*Reconciler, error) {
	o.setDefaults()
	if err := o.validate(); err != nil {
		return nil, err
	}
	r := &Reconciler{
		o: o, life: service.NewLife(), source: o.Source,
		allWake: wake.New(), projects: map[event.ProjectID]*projectRunner{},
	}
	var err error
	r.metrics, err = newMetrics(o.Registerer, r.Statuses)
	return r, err
}

// Handle queues the requests of ReconcileDue events and returns nil at once; it is the
// handler of the Reconciles topic. One run answers all requests for a project, and it begins
// after the last of them. A request that is lost because hone stops is replaced by the one
// hone makes when it starts.
func (r *Reconciler) Handle(_ context.Context, batch []event.Event, _ event.Cursor) error {
	for _, e := range batch {
		if d, ok := e.(*event.ReconcileDue); ok {
			r.ask(d.Project, requestOf(d))
		}
	}
	return nil
}

// Ask asks for a run of a project, 0 for all, without going through the log.
// full compares all ids.
func (r *Reconciler) Ask(p event.ProjectID, full bool) { r.ask(p, request{changed: true, full: full}) }

func (r *Reconciler) ask(p event.ProjectID, d request) {
	if p != 0 {
		r.project(p).enqueueAndWake(d)
		return
	}
	r.mu.Lock()
	if r.pendingForAll == nil {
		r.pendingForAll = &request{}
	}
	r.pendingForAll.merge(d)
	r.mu.Unlock()
	r.allWake.Set()
}

// SetSource replaces the connection, for example when the credentials have
// changed, and has every project compared.
func (r *Reconciler) SetSource(s Source) {
	r.mu.Lock()
	r.source = s
	r.mu.Unlock()
	if s != nil {
		r.Ask(0, false)
	}
}

// Status says how a project's last run went; ok is false when there was none.
func (r *Reconciler) Status(p event.ProjectID) (st Status, ok bool) {
	r.mu.Lock()
	w := r.projects[p]
	r.mu.Unlock()
	if w == nil {
		return Status{}, false
	}
	return w.snapshot(), true
}

// Statuses are those of all projects, in no order.
func (r *Reconciler) Statuses() []Status {
	r.mu.Lock()
	all := make([]*projectRunner, 0, len(r.projects))
	for _, w := range r.projects {
		all = append(all, w)
	}
	r.mu.Unlock()
	out := make([]Status, len(all))
	for i, w := range all {
		out[i] = w.snapshot()
	}
	return out
}

// Start begins the work, as service.Service says. Projects run side by side, so that
// reading a large one for the first time does not hold up the others.
func (r *Reconciler) Start(ctx context.Context) error { return r.life.Start(ctx, r.run) }

// Stop ends the work, as service.Service says. What was not compared is compared by the
// next start.
func (r *Reconciler) Stop(ctx context.Context) error { return r.life.Stop(ctx) }

var _ service.Service = (*Reconciler)(nil)

func (r *Reconciler) run(ctx context.Context) {
	r.mu.Lock()
	r.started = true
	for _, w := range r.projects {
		r.life.Go(w.serve)
	}
	r.mu.Unlock()
	for ctx.Err() == nil {
		select {
		case <-ctx.Done():
		case <-r.allWake:
			r.fanOut(ctx)
		}
	}
}

// fanOut turns a request for all projects into one for each project that is not gone.
func (r *Reconciler) fanOut(ctx context.Context) {
	r.mu.Lock()
	d := r.pendingForAll
	r.pendingForAll = nil
	r.mu.Unlock()
	if d == nil {
		return
	}
	metas, err := r.o.Index.Projects(ctx)
	if err != nil {
		if ctx.Err() == nil {
			r.metrics.runs.WithLabelValues("failed").Inc()
			r.o.Logger.WithError(fmt.Errorf("list the known projects: %w", err)).Warn("reconcile: cannot begin; it is tried again at the next occasion")
		}
		return
	}
	for _, m := range metas {
		if !m.Gone && (r.o.Skip == nil || !r.o.Skip(m.Project)) {
			r.project(m.Project).enqueueAndWake(*d)
		}
	}
}

func (r *Reconciler) project(p event.ProjectID) *projectRunner {
	r.mu.Lock()
	defer r.mu.Unlock()
	w := r.projects[p]
	if w == nil {
		w = &projectRunner{r: r, id: p, log: r.o.Logger.WithField("project", int64(p)), wake: wake.New(), status: Status{Project: p}, compared: comparedTimes{pairs: map[event.TaskID]timePair{}}, running: make(chan struct{}, 1), poll: pollState{polling: make(chan struct{}, 1)}}
		r.projects[p] = w
		if r.started {
			r.life.Go(w.serve)
		}
	}
	return w
}

// Hold waits for the run and the poll of a project that go on, and keeps others from
// beginning until release is called. With forget, release drops what is known of runs too.
func (r *Reconciler) Hold(ctx context.Context, p event.ProjectID) (release func(forget bool), err error) {
	w := r.project(p)
	select {
	case <-ctx.Done():
		return nil, ctx.Err()
	case w.running <- struct{}{}:
	}
	if err := w.poll.lock(ctx); err != nil {
		<-w.running
		return nil, err
	}
	return func(forget bool) {
		if forget {
			w.mu.Lock()
			w.status, w.pending = Status{Project: p}, nil
			w.mu.Unlock()
			w.compared.clear()
			w.poll.reset()
		}
		w.poll.unlock()
		<-w.running
	}, nil
}

func (r *Reconciler) currentSource() Source {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.source
}
