package learner

import (
	"context"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/hone-ml/hone/event"
	"github.com/hone-ml/hone/learner/feature"
)

// TaskStore reads tasks.
type TaskStore interface {
	// Known are all tasks of a project.
	Known(ctx context.Context, p event.ProjectID) ([]event.KnownTask, error)
	// Tasks are those asked for, in order; what is not there is Deleted.
	Tasks(ctx context.Context, p event.ProjectID, ids []event.TaskID) ([]event.TaskState, error)
}

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

// filler has every text of every task encoded by the slow encoder, once: first
// the label names and the labelled texts, then what is asked next, then the rest.
// It makes what is stored equal to what the tasks need, whatever happened before.
type filler struct {
	l       *Learner
	vectors *vectors
	wake    chan struct{}

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

// fill is what is to do in a project. It is guarded by filler.mu.
type fill struct {
	arrivals
	failures int                     // of reading its tasks, in a row
	retryAt  time.Time               // it is left alone until then
	relist   bool                    // look at all tasks and at the label names
	fresh    []event.TaskID          // look at these
	tasks    map[event.TaskID]uint64 // hashes of their data
	missing  map[event.TaskID]bool   // tasks with texts to encode; true for labelled ones
	names    []feature.Need          // label names to encode
	// labelled and rest are the missing ones in order; those that are not missing
	// any more are skipped.
	labelled, rest []event.TaskID
	told           time.Time
	untold         bool
}

func newFiller(l *Learner, v *vectors) *filler {
	f := &filler{
		l: l, vectors: v, wake: make(chan struct{}, 1), unswept: true,
		projects: map[event.ProjectID]*fill{}, changed: make(chan struct{}),
	}
	v.spoilt = f.again
	v.complain = func(err error) {
		l.o.Logger.WithError(err).Warn("stored vectors cannot be read; models do without them until they can")
	}
	return f
}

// begin starts the work on the projects that are known.
func (f *filler) begin(projects []event.ProjectID) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.busy = true
	for _, id := range projects {
		f.of(id).relist = true
	}
	f.l.spawn(f.run)
}

func (f *filler) of(id event.ProjectID) *fill {
	p := f.projects[id]
	if p == nil {
		p = &fill{tasks: map[event.TaskID]uint64{}, missing: map[event.TaskID]bool{}}
		f.projects[id] = p
	}
	return p
}

// heard takes note of what a commit has changed.
func (f *filler) heard(id event.ProjectID, d *event.Delta) {
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
func (f *filler) again() {
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
func (f *filler) stir() {
	f.busy = true
	select {
	case f.wake <- struct{}{}:
	default:
	}
}

func (f *filler) run() {
	ctx := f.l.ctx
	timer := time.NewTimer(0)
	defer timer.Stop()
	for ctx.Err() == nil {
		wait, err := f.round(ctx)
		if err != nil && ctx.Err() == nil {
			wait = max(retryAfter, f.vectors.pause())
			f.l.metrics.encodeFailures.Inc()
			f.l.o.Logger.WithError(err).Warnf("texts are not encoded; models do without, and it is tried again in %v", wait.Round(time.Second))
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
		f.l.o.Logger.WithError(err).Warn("the last vectors are not stored; they are made again")
	}
}

// forever is until something is heard.
const forever = 24 * time.Hour

// round does one piece of work and says how long to wait before the next, 0 for
// not at all. An error is the encoder's or the disk's; the trouble of one project is
// noted with it and keeps no other waiting.
func (f *filler) round(ctx context.Context) (time.Duration, error) {
	f.look(ctx)
	if pause := f.vectors.pause(); pause > 0 && f.work() {
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

// work reports whether something is to be encoded.
func (f *filler) work() bool {
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
func (f *filler) rest() bool {
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
func (f *filler) retryIn(now time.Time) time.Duration {
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
func (f *filler) trouble(id event.ProjectID, err error) {
	f.l.metrics.encodeFailures.Inc()
	f.mu.Lock()
	p := f.of(id)
	pause := min(retryAfter<<min(p.failures, 10), maxReloadPause)
	p.failures++
	p.retryAt = time.Now().Add(pause)
	n := p.failures
	f.mu.Unlock()
	if n&(n-1) == 0 { // the 1st, 2nd, 4th … time
		f.l.o.Logger.WithError(err).WithField("project", id).Warnf("the texts of a project cannot be read; others go on, and it is tried again in %v", pause)
	}
}

// well ends a project's trouble. f.mu is held.
func (p *fill) well() { p.failures, p.retryAt = 0, time.Time{} }

// encode meets needs, on several cores at once.
func (f *filler) encode(ctx context.Context, needs []feature.Need) error {
	began := time.Now()
	f.mu.Lock()
	if f.tried.IsZero() {
		f.tried = began
	}
	f.mu.Unlock()
	g, ctx := errgroup.WithContext(ctx)
	cores := f.l.o.SlowCores
	for part := range slices.Chunk(needs, (len(needs)+cores-1)/cores) {
		g.Go(func() error { return f.vectors.encode(ctx, part, true) })
	}
	if err := g.Wait(); err != nil {
		return err
	}
	f.l.metrics.encoded.Add(float64(len(needs)))
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
