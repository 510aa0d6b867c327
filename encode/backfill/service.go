package backfill

import (
	"context"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/hone-ml/hone/encode"
	"github.com/hone-ml/hone/event"
	"github.com/hone-ml/hone/internal/backoff"
	"github.com/hone-ml/hone/internal/service"
	"github.com/hone-ml/hone/internal/wake"
)

const (
	// batchTasks is the number of tasks that each core encodes at once: enough for a request,
	// and few enough that the text of a new label is soon encoded.
	batchTasks = 32
	// scanBatch is the number of tasks that are read at once.
	scanBatch = 256
	// scanPortion is the number of tasks that are scanned between two batches.
	scanPortion = 4096
	// flushVectors, a number of vectors, and flushEvery bound what a crash costs, with few
	// writes.
	flushVectors = 512
	flushEvery   = 2 * time.Second
	// publishInterval is the least time between two snapshots because of new vectors.
	publishInterval = 5 * time.Second
	// gcDutyCycle is the ratio of the pause after a garbage collection to its duration.
	gcDutyCycle = 10
)

// Service is the worker of one slow encoder. It makes the stored vectors equal to those that
// tasks need; see the package comment. It is safe for concurrent use.
type Service struct {
	o       Options
	vectors *vectorCache
	wake    wake.Signal
	life    *service.Life // its lock may be taken while mu is held

	mu             sync.Mutex
	projects       map[event.ProjectID]*projectQueue
	busy           bool
	idle           chan struct{} // closed and replaced when the service becomes idle
	textsPerSecond float64       // recent
	firstAttempt   time.Time     // start of the first attempt after lastSuccess; zero if there was none
	lastSuccess    time.Time     // end of the last attempt that succeeded

	// Only the goroutine of run uses the fields below.
	gcPending          bool
	gcAfter, flushedAt time.Time
	lastProject        event.ProjectID // the project whose texts were encoded last
}

// projectQueue is the work to do for a project. Service.mu guards it.
type projectQueue struct {
	arrivals
	failures     int                     // consecutive failures to read its tasks
	retryAt      time.Time               // before this it is skipped
	fullScan     bool                    // all tasks and the label names are to be scanned
	changedTasks []event.TaskID          // tasks to scan
	unscanned    []event.TaskID          // what is left of a scan of all
	tasks        map[event.TaskID]uint64 // hashes of their data
	known        int                     // tasks at the last scan of all
	missing      map[event.TaskID]bool   // tasks with texts to encode; true for labelled ones
	labelNames   []encode.Request        // label names to encode
	// labelled and unlabelled hold the missing tasks in order. Tasks that are no longer
	// missing are skipped.
	labelled, unlabelled []event.TaskID
	publishedAt          time.Time
	unpublished          bool
}

// New returns a service that does nothing yet: Load it, Start it, have it Scan the projects, and
// Stop it in the end. The error names an option that is missing.
func New(o Options) (*Service, error) {
	o.setDefaults()
	if err := o.validate(); err != nil {
		return nil, err
	}
	f := &Service{
		o: o, life: service.NewLife(), vectors: newVectorCache(o.Encoder, o.Vectors, o.Now), wake: wake.New(),
		projects: map[event.ProjectID]*projectQueue{}, idle: make(chan struct{}),
	}
	f.vectors.onCorrupt = f.rescanAll
	f.vectors.onReadError = func(err error) {
		o.Logger.WithError(err).Warn("stored vectors cannot be read; models do without them until they can")
	}
	return f, nil
}

// Load reads the keys of the stored vectors. Before that none is found. The error is the store's.
func (f *Service) Load(ctx context.Context) error { return f.vectors.load(ctx) }

// Start begins the work, as service.Service says.
func (f *Service) Start(ctx context.Context) error { return f.life.Start(ctx, f.run) }

// Stop ends the work, as service.Service says, and stores vectors that were not flushed.
func (f *Service) Stop(ctx context.Context) error { return f.life.Stop(ctx) }

// Scan has all tasks of projects scanned. It may be called before Start and never waits.
func (f *Service) Scan(projects ...event.ProjectID) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, id := range projects {
		f.queueFor(id).fullScan = true
	}
	f.wakeUp()
}

// queueFor returns the queue of a project, a new one if there is none. f.mu is held.
func (f *Service) queueFor(id event.ProjectID) *projectQueue {
	p := f.projects[id]
	if p == nil {
		p = &projectQueue{tasks: map[event.TaskID]uint64{}, missing: map[event.TaskID]bool{}}
		f.projects[id] = p
	}
	return p
}

// OnCommit has the tasks scanned that a commit has changed. It never waits.
func (f *Service) OnCommit(id event.ProjectID, d *event.Delta) {
	f.mu.Lock()
	defer f.mu.Unlock()
	p := f.queueFor(id)
	if d.New || d.ConfigChanged || d.Meta.Gone {
		p.fullScan = true
	}
	for _, t := range d.Tasks {
		p.changedTasks = append(p.changedTasks, t.Task.ID)
	}
	f.wakeUp()
}

// rescanAll has all tasks scanned again.
func (f *Service) rescanAll() {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, p := range f.projects {
		p.fullScan = true
	}
	if len(f.projects) > 0 {
		f.wakeUp()
	}
}

var _ service.Service = (*Service)(nil)

// wakeUp records that there is work and ends the sleep of run. f.mu is held.
func (f *Service) wakeUp() {
	f.busy = true
	f.wake.Set()
}

// run does all work until the context ends, and then flushes.
func (f *Service) run(ctx context.Context) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for ctx.Err() == nil {
		wait, err := f.runOnce(ctx)
		if err != nil && ctx.Err() == nil {
			wait = max(retryBackoff.Min, f.vectors.backoffLeft())
			f.o.Metrics.Failures.Inc()
			f.o.Logger.WithError(err).Warnf("texts are not encoded; models do without, and it is tried again in %v", wait.Round(time.Second))
		}
		if wait == 0 {
			continue
		}
		timer.Reset(wait)
		select {
		case <-ctx.Done():
		case <-f.wake:
		case <-timer.C:
		}
	}
	// Vectors that were computed are stored also when hone ends.
	end, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	if err := f.vectors.flush(end); err != nil {
		f.o.Logger.WithError(err).Warn("the last vectors are not stored; they are made again")
	}
}

// idleTimeout is how long run sleeps when there is no work; a wake-up ends it earlier.
const idleTimeout = 24 * time.Hour

// retryBackoff is the pause of a project, or of the encoder, after failures.
var retryBackoff = backoff.Exponential{Min: time.Second, Max: time.Minute}

// runOnce scans, encodes one batch, and does what follows. It returns how long to wait before the
// next call. The error is the encoder's or the store's. The failure of one project is recorded
// with the project and is no error.
func (f *Service) runOnce(ctx context.Context) (time.Duration, error) {
	f.scan(ctx)
	if pause := f.vectors.backoffLeft(); pause > 0 && f.hasWork() {
		return pause, nil
	}
	batch := f.nextBatch(ctx)
	if len(batch.requests) > 0 {
		if err := f.encode(ctx, batch.requests); err != nil {
			return 0, err
		}
	}
	if batch.project != 0 {
		f.recordEncoded(batch)
	}
	now := time.Now()
	if f.vectors.pendingCount() >= flushVectors || now.Sub(f.flushedAt) > flushEvery || batch.project == 0 {
		if err := f.vectors.flush(ctx); err != nil {
			return 0, err
		}
		f.flushedAt = now
	}
	scanning := f.scanning(now)
	f.publishArrivals(now, batch.project == 0 && !scanning)
	if batch.project != 0 || scanning {
		return 0, nil
	}
	if f.gcPending && now.After(f.gcAfter) {
		if err := f.collectGarbage(ctx); err != nil {
			return 0, err
		}
		f.gcAfter = time.Now().Add(gcDutyCycle * time.Since(now))
	}
	wait := idleTimeout
	if !f.markIdle() {
		if wait = f.retryDelay(now); wait == 0 {
			return 0, nil
		}
	}
	if f.gcPending {
		wait = min(wait, max(time.Millisecond, time.Until(f.gcAfter)))
	}
	return wait, nil
}

// scanning reports whether tasks of a project are to be scanned that need not wait after a failure.
func (f *Service) scanning(now time.Time) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, id := range f.roundRobin(now) {
		if f.projects[id].scanning() {
			return true
		}
	}
	return false
}

// hasWork reports whether tasks or label names are missing.
func (f *Service) hasWork() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, p := range f.projects {
		if len(p.missing) > 0 || len(p.labelNames) > 0 {
			return true
		}
	}
	return false
}

// markIdle marks the service idle and ends WaitIdle. It returns false when there is work.
func (f *Service) markIdle() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, p := range f.projects {
		if p.pending() || p.consuming {
			return false
		}
	}
	f.busy = false
	close(f.idle)
	f.idle = make(chan struct{})
	return true
}

// pending reports whether the worker has work to do for the project.
func (p *projectQueue) pending() bool {
	return p.scanning() || len(p.missing) > 0 || len(p.labelNames) > 0 || p.unpublished
}

// scanning reports whether tasks are to be scanned.
func (p *projectQueue) scanning() bool {
	return p.fullScan || len(p.changedTasks) > 0 || len(p.unscanned) > 0
}

// retryDelay returns how long to wait for the first project that is to be tried again, 0 when a
// project has work that can be done now. The end of a consumption wakes the worker itself.
func (f *Service) retryDelay(now time.Time) time.Duration {
	f.mu.Lock()
	defer f.mu.Unlock()
	wait := idleTimeout
	for _, p := range f.projects {
		if !p.pending() {
			continue
		}
		if !p.retryAt.After(now) {
			return 0
		}
		wait = min(wait, p.retryAt.Sub(now))
	}
	return wait
}

// recordFailure records that the tasks of a project cannot be read. The project is skipped for a
// pause.
func (f *Service) recordFailure(id event.ProjectID, err error) {
	f.o.Metrics.Failures.Inc()
	f.mu.Lock()
	p := f.queueFor(id)
	pause := retryBackoff.Delay(p.failures)
	p.failures++
	p.retryAt = time.Now().Add(pause)
	n := p.failures
	f.mu.Unlock()
	if backoff.ShouldLog(n) {
		f.o.Logger.WithError(err).WithField("project", id).Warnf("the texts of a project cannot be read; others go on, and it is tried again in %v", pause)
	}
}

// clearFailures ends the pause of a project. f.mu is held.
func (p *projectQueue) clearFailures() { p.failures, p.retryAt = 0, time.Time{} }

// encode encodes requests, on several cores at once. The error is the encoder's.
func (f *Service) encode(ctx context.Context, requests []encode.Request) error {
	began := time.Now()
	f.mu.Lock()
	if f.firstAttempt.IsZero() {
		f.firstAttempt = began
	}
	f.mu.Unlock()
	g, ctx := errgroup.WithContext(ctx)
	cores := f.o.Cores
	for part := range slices.Chunk(requests, (len(requests)+cores-1)/cores) {
		g.Go(func() error { return f.vectors.encode(ctx, part, true) })
	}
	if err := g.Wait(); err != nil {
		return err
	}
	f.o.Metrics.Encoded.Add(float64(len(requests)))
	rate := float64(len(requests)) / max(time.Since(began).Seconds(), 1e-6)
	f.mu.Lock()
	defer f.mu.Unlock()
	f.firstAttempt, f.lastSuccess = time.Time{}, time.Now()
	if f.textsPerSecond == 0 {
		f.textsPerSecond = rate
	}
	f.textsPerSecond += 0.2 * (rate - f.textsPerSecond)
	return nil
}
