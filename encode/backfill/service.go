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
	// batchTasks is how many tasks are encoded at once by each core: enough for a
	// request, and few enough that a new label's text is soon next.
	batchTasks = 32
	// scanBatch is how many are looked at in one piece.
	scanBatch = 256
	// flushVectors and flushEvery bound what a crash costs, and spare the disk.
	flushVectors = 512
	flushEvery   = 2 * time.Second
	// publishInterval is how often readers hear of new vectors of tasks without labels.
	publishInterval = 5 * time.Second
	// gcDutyCycle is how many times longer than a sweep the pause after it is.
	gcDutyCycle = 10
)

// Service has every text of every task encoded by the slow encoder, once: first
// the label names and the labelled texts, then what is asked next, then the rest.
// It makes what is stored equal to what the tasks need, whatever happened before.
// It is safe for concurrent use.
type Service struct {
	o       Options
	vectors *vectorCache
	wake    wake.Signal
	life    *service.Life // its lock may be taken while mu is held

	mu             sync.Mutex
	projects       map[event.ProjectID]*projectQueue
	busy           bool
	idle           chan struct{} // closed and replaced when it comes to rest
	textsPerSecond float64       // texts a second, lately
	firstAttempt   time.Time     // when the first attempt began since the last that succeeded; zero if none did
	lastSuccess    time.Time     // when an attempt last succeeded

	// The rest belongs to the goroutine.
	gcPending          bool
	gcAfter, flushedAt time.Time
	lastProject        event.ProjectID // whose texts were encoded last
}

// projectQueue is what is to do in a project. It is guarded by Service.mu.
type projectQueue struct {
	arrivals
	failures     int                     // of reading its tasks, in a row
	retryAt      time.Time               // it is left alone until then
	fullScan     bool                    // all tasks and the label names are to be scanned
	changedTasks []event.TaskID          // these are to be scanned
	tasks        map[event.TaskID]uint64 // hashes of their data
	missing      map[event.TaskID]bool   // tasks with texts to encode; true for labelled ones
	labelNames   []encode.Request        // label names to encode
	// labelled and rest are the missing ones in order; those that are not missing
	// any more are skipped.
	labelled, unlabelled []event.TaskID
	publishedAt          time.Time
	unpublished          bool
}

// New makes a service that does nothing yet: Load it, Start it, have it Scan what is there,
// and Stop it in the end.
func New(o Options) (*Service, error) {
	o.setDefaults()
	if err := o.validate(); err != nil {
		return nil, err
	}
	f := &Service{
		o: o, life: service.NewLife(), vectors: newVectorCache(o.Encoder, o.Vectors, o.Now), wake: wake.New(), gcPending: true,
		projects: map[event.ProjectID]*projectQueue{}, idle: make(chan struct{}),
	}
	f.vectors.onCorrupt = f.rescanAll
	f.vectors.onReadError = func(err error) {
		o.Logger.WithError(err).Warn("stored vectors cannot be read; models do without them until they can")
	}
	return f, nil
}

// Load reads which vectors are stored; before that none is found. The error is the
// store's.
func (f *Service) Load(ctx context.Context) error { return f.vectors.load(ctx) }

// Start begins the work, as service.Service says.
func (f *Service) Start(ctx context.Context) error { return f.life.Start(ctx, f.run) }

// Stop ends the work, as service.Service says, and stores what was encoded.
func (f *Service) Stop(ctx context.Context) error { return f.life.Stop(ctx) }

// Scan has all tasks of projects looked at, before Start or after it.
func (f *Service) Scan(projects ...event.ProjectID) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, id := range projects {
		f.queueFor(id).fullScan = true
	}
	f.wakeUp()
}

func (f *Service) queueFor(id event.ProjectID) *projectQueue {
	p := f.projects[id]
	if p == nil {
		p = &projectQueue{tasks: map[event.TaskID]uint64{}, missing: map[event.TaskID]bool{}}
		f.projects[id] = p
	}
	return p
}

// OnCommit takes note of what a commit has changed. It never waits.
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

// rescanAll has all tasks looked at again.
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

// wakeUp notes that there is something to do. f.mu is held.
func (f *Service) wakeUp() {
	f.busy = true
	f.wake.Set()
}

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
	// What was encoded is worth the disk also when hone ends.
	end, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	if err := f.vectors.flush(end); err != nil {
		f.o.Logger.WithError(err).Warn("the last vectors are not stored; they are made again")
	}
}

// idleTimeout is how long run sleeps when there is no work; a wake-up ends it earlier.
const idleTimeout = 24 * time.Hour

// retryBackoff is how long a project is left alone after a failure, and the encoder.
var retryBackoff = backoff.Exponential{Min: time.Second, Max: time.Minute}

// runOnce does one piece of work and says how long to wait before the next, 0 for
// not at all. An error is the encoder's or the disk's; the trouble of one project is
// noted with it and keeps no other waiting.
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
	f.publishArrivals(now, batch.project == 0)
	if batch.project != 0 {
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

// hasWork reports whether something is to be encoded.
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

// markIdle notes that nothing is left to do, unless something has been heard since.
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

// pending reports whether the worker has something to do for the project.
func (p *projectQueue) pending() bool {
	return p.fullScan || len(p.changedTasks) > 0 || len(p.missing) > 0 || len(p.labelNames) > 0 || p.unpublished
}

// retryDelay is how long to wait when there is work that cannot be done now: what is being
// taken in wakes the worker, and projects in trouble have their time. It is 0 when there
// is other work.
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

// recordFailure notes that a project's tasks cannot be read: it is left alone for a while.
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

// clearFailures ends a project's trouble. f.mu is held.
func (p *projectQueue) clearFailures() { p.failures, p.retryAt = 0, time.Time{} }

// encode meets needs, on several cores at once.
func (f *Service) encode(ctx context.Context, needs []encode.Request) error {
	began := time.Now()
	f.mu.Lock()
	if f.firstAttempt.IsZero() {
		f.firstAttempt = began
	}
	f.mu.Unlock()
	g, ctx := errgroup.WithContext(ctx)
	cores := f.o.Cores
	for part := range slices.Chunk(needs, (len(needs)+cores-1)/cores) {
		g.Go(func() error { return f.vectors.encode(ctx, part, true) })
	}
	if err := g.Wait(); err != nil {
		return err
	}
	f.o.Metrics.Encoded.Add(float64(len(needs)))
	rate := float64(len(needs)) / max(time.Since(began).Seconds(), 1e-6)
	f.mu.Lock()
	defer f.mu.Unlock()
	f.firstAttempt, f.lastSuccess = time.Time{}, time.Now()
	if f.textsPerSecond == 0 {
		f.textsPerSecond = rate
	}
	f.textsPerSecond += 0.2 * (rate - f.textsPerSecond)
	return nil
}
