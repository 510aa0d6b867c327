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
	"github.com/hone-ml/hone/internal/wake"
)

const (
	// batchTasks is how many tasks are encoded at once by each core: enough for a
	// request, and few enough that a new label's text is soon next.
	batchTasks = 32
	// lookTasks is how many are looked at in one piece.
	lookTasks = 256
	// flushVectors and flushEvery bound what a crash costs, and spare the disk.
	flushVectors = 512
	flushEvery   = 2 * time.Second
	// tellEvery is how often readers hear of new vectors of tasks without labels.
	tellEvery = 5 * time.Second
	// sweepShare is how many times longer than a sweep the pause after it is.
	sweepShare = 10
)

// Service has every text of every task encoded by the slow encoder, once: first
// the label names and the labelled texts, then what is asked next, then the rest.
// It makes what is stored equal to what the tasks need, whatever happened before.
// It is safe for concurrent use.
type Service struct {
	o       Options
	vectors *vectors
	wake    wake.Signal

	ctx    context.Context // ends with Stop
	cancel context.CancelFunc
	work   sync.WaitGroup
	life   sync.Mutex // guards the two below; taken for moments, also while mu is held
	begun  bool
	ended  bool

	mu       sync.Mutex
	projects map[event.ProjectID]*fill
	busy     bool
	changed  chan struct{} // closed and replaced when it comes to rest
	rate     float64       // texts a second, lately
	tried    time.Time     // when the first attempt began since the last that succeeded; zero if none did
	arrived  time.Time     // when an attempt last succeeded

	// The rest belongs to the goroutine.
	unswept          bool
	sweepAt, flushed time.Time
	turn             event.ProjectID // whose texts were encoded last
}

// fill is what is to do in a project. It is guarded by Service.mu.
type fill struct {
	arrivals
	failures int                     // of reading its tasks, in a row
	retryAt  time.Time               // it is left alone until then
	relist   bool                    // look at all tasks and at the label names
	fresh    []event.TaskID          // look at these
	tasks    map[event.TaskID]uint64 // hashes of their data
	missing  map[event.TaskID]bool   // tasks with texts to encode; true for labelled ones
	names    []encode.Request        // label names to encode
	// labelled and rest are the missing ones in order; those that are not missing
	// any more are skipped.
	labelled, rest []event.TaskID
	told           time.Time
	untold         bool
}

// New makes a service that does nothing yet: Load it, Start it, and Stop it in the end.
func New(o Options) *Service {
	f := &Service{
		o: o, vectors: newVectors(o.Encoder, o.Vectors, o.Now), wake: wake.New(), unswept: true,
		projects: map[event.ProjectID]*fill{}, changed: make(chan struct{}),
	}
	f.ctx, f.cancel = context.WithCancel(context.Background())
	f.vectors.spoilt = f.again
	f.vectors.complain = func(err error) {
		o.Logger.WithError(err).Warn("stored vectors cannot be read; models do without them until they can")
	}
	return f
}

// Load reads which vectors are stored; before that none is found. The error is the
// store's.
func (f *Service) Load(ctx context.Context) error { return f.vectors.load(ctx) }

// Start begins the work on the projects that are known. A second call has them looked at
// again; after Stop it does nothing.
func (f *Service) Start(projects []event.ProjectID) {
	f.mu.Lock()
	f.busy = true
	for _, id := range projects {
		f.of(id).relist = true
	}
	f.mu.Unlock()
	f.life.Lock()
	begun := f.begun
	f.begun = true
	f.life.Unlock()
	if begun {
		f.wake.Set()
		return
	}
	f.spawn(f.run)
}

// Stop ends the work and stores what was encoded. It returns when that is done, and may be
// called more than once.
func (f *Service) Stop() {
	f.life.Lock()
	f.ended = true
	f.life.Unlock()
	f.cancel()
	f.work.Wait()
}

// spawn runs do in a goroutine that Stop waits for, and reports whether it did: not after
// Stop has begun.
func (f *Service) spawn(do func()) bool {
	f.life.Lock()
	defer f.life.Unlock()
	if f.ended {
		return false
	}
	f.work.Go(do)
	return true
}

func (f *Service) of(id event.ProjectID) *fill {
	p := f.projects[id]
	if p == nil {
		p = &fill{tasks: map[event.TaskID]uint64{}, missing: map[event.TaskID]bool{}}
		f.projects[id] = p
	}
	return p
}

// OnCommit takes note of what a commit has changed. It never waits.
func (f *Service) OnCommit(id event.ProjectID, d *event.Delta) {
	f.mu.Lock()
	defer f.mu.Unlock()
	p := f.of(id)
	if d.New || d.ConfigChanged || d.Meta.Gone {
		p.relist = true
	}
	for _, t := range d.Tasks {
		p.fresh = append(p.fresh, t.Task.ID)
	}
	f.stir()
}

// again has all tasks looked at again.
func (f *Service) again() {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, p := range f.projects {
		p.relist = true
	}
	if len(f.projects) > 0 {
		f.stir()
	}
}

// stir notes that there is something to do. f.mu is held.
func (f *Service) stir() {
	f.busy = true
	f.wake.Set()
}

func (f *Service) run() {
	ctx := f.ctx
	timer := time.NewTimer(0)
	defer timer.Stop()
	for ctx.Err() == nil {
		wait, err := f.round(ctx)
		if err != nil && ctx.Err() == nil {
			wait = max(retry.Min, f.vectors.pause())
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

// forever is until something is heard.
const forever = 24 * time.Hour

// retry is how long a project is left alone after a failure, and the encoder.
var retry = backoff.Exponential{Min: time.Second, Max: time.Minute}

// round does one piece of work and says how long to wait before the next, 0 for
// not at all. An error is the encoder's or the disk's; the trouble of one project is
// noted with it and keeps no other waiting.
func (f *Service) round(ctx context.Context) (time.Duration, error) {
	f.look(ctx)
	if pause := f.vectors.pause(); pause > 0 && f.hasWork() {
		return pause, nil
	}
	batch := f.next(ctx)
	if len(batch.needs) > 0 {
		if err := f.encode(ctx, batch.needs); err != nil {
			return 0, err
		}
	}
	if batch.project != 0 {
		f.arrive(batch)
	}
	now := time.Now()
	if f.vectors.waiting() >= flushVectors || now.Sub(f.flushed) > flushEvery || batch.project == 0 {
		if err := f.vectors.flush(ctx); err != nil {
			return 0, err
		}
		f.flushed = now
	}
	f.tell(now, batch.project == 0)
	if batch.project != 0 {
		return 0, nil
	}
	if f.unswept && now.After(f.sweepAt) {
		if err := f.sweep(ctx); err != nil {
			return 0, err
		}
		f.sweepAt = time.Now().Add(sweepShare * time.Since(now))
	}
	wait := forever
	if !f.rest() {
		if wait = f.retryIn(now); wait == 0 {
			return 0, nil
		}
	}
	if f.unswept {
		wait = min(wait, max(time.Millisecond, time.Until(f.sweepAt)))
	}
	return wait, nil
}

// hasWork reports whether something is to be encoded.
func (f *Service) hasWork() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, p := range f.projects {
		if len(p.missing) > 0 || len(p.names) > 0 {
			return true
		}
	}
	return false
}

// rest notes that nothing is left to do, unless something has been heard since.
func (f *Service) rest() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, p := range f.projects {
		if p.pending() || p.absorbing {
			return false
		}
	}
	f.busy = false
	close(f.changed)
	f.changed = make(chan struct{})
	return true
}

// pending reports whether the worker has something to do for the project.
func (p *fill) pending() bool {
	return p.relist || len(p.fresh) > 0 || len(p.missing) > 0 || len(p.names) > 0 || p.untold
}

// retryIn is how long to wait when there is work that cannot be done now: what is being
// taken in wakes the worker, and projects in trouble have their time. It is 0 when there
// is other work.
func (f *Service) retryIn(now time.Time) time.Duration {
	f.mu.Lock()
	defer f.mu.Unlock()
	wait := forever
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

// trouble notes that a project's tasks cannot be read: it is left alone for a while.
func (f *Service) trouble(id event.ProjectID, err error) {
	f.o.Metrics.Failures.Inc()
	f.mu.Lock()
	p := f.of(id)
	pause := retry.Delay(p.failures)
	p.failures++
	p.retryAt = time.Now().Add(pause)
	n := p.failures
	f.mu.Unlock()
	if n&(n-1) == 0 { // the 1st, 2nd, 4th … time
		f.o.Logger.WithError(err).WithField("project", id).Warnf("the texts of a project cannot be read; others go on, and it is tried again in %v", pause)
	}
}

// well ends a project's trouble. f.mu is held.
func (p *fill) well() { p.failures, p.retryAt = 0, time.Time{} }

// encode meets needs, on several cores at once.
func (f *Service) encode(ctx context.Context, needs []encode.Request) error {
	began := time.Now()
	f.mu.Lock()
	if f.tried.IsZero() {
		f.tried = began
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
	f.tried, f.arrived = time.Time{}, time.Now()
	if f.rate == 0 {
		f.rate = rate
	}
	f.rate += 0.2 * (rate - f.rate)
	return nil
}
