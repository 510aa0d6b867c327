package learner

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hone-ml/hone/event"
	"github.com/hone-ml/hone/internal/service"
	"github.com/hone-ml/hone/internal/wake"
	"github.com/hone-ml/hone/learner/features"
	"github.com/hone-ml/hone/learner/report"
	"github.com/hone-ml/hone/learner/stored"
)

// Learner applies events and owns the models of all projects. All methods are safe for
// concurrent use. Calls of Apply for the same project run one after the other, and no project
// waits for another. Methods that read never wait for learning.
type Learner struct {
	o         Options
	store     Store
	metrics   *report.Metrics
	encoders  *features.Encoders
	backfills []features.Backfill // one for each slow encoder: first those of Options.Slow, in this order

	mu    sync.Mutex // guards all below until the blank line; see lane
	byID  map[event.ProjectID]*lane
	lanes []*lane // in the order of ids; replaced, never changed

	snapshots      sync.Map // event.ProjectID to *snapshot
	retrainRuns    sync.Map // event.ProjectID to *retrain, running
	lastRetrains   sync.Map // event.ProjectID to report.LastRetrain
	vectorWaits    sync.Map // event.ProjectID to *vectorWait
	selectionRuns  sync.Map // event.ProjectID to *selectionRun, running
	adaptationHeld atomic.Bool
	trainingTurn   chan struct{} // has a place for the one adapter that is trained at a time: it takes a core and much memory
	adaptationRuns sync.Map      // event.ProjectID to *adaptationRun, running
	troubles       sync.Map      // event.ProjectID to a sentence, why it is not loaded
	runsStarted    atomic.Int64  // number of retrains and selection runs started
	configCache    atomic.Pointer[parsedConfig]

	life      *service.Life
	ctx       context.Context // ends when life does
	finalSave sync.Once       // saves all projects when the learner stops
	wake      wake.Signal
	// cores is a semaphore with a place for each core. Each model that is fitted to compare
	// settings takes one, so that a hundred retrains at once leave time for labels.
	cores chan struct{}
}

// New returns a Learner without projects and without background work: Load the projects,
// Start it, and Stop it in the end. The errors are those of invalid options, of
// Options.NewBackfill and of registering metrics.
func New(store Store, o Options) (*Learner, error) {
	if store == nil {
		return nil, errors.New("learner: the store is missing")
	}
	o.setDefaults()
	if err := o.validate(); err != nil {
		return nil, err
	}
	m, err := report.NewMetrics(o.Registerer)
	if err != nil {
		return nil, fmt.Errorf("learner: %w", err)
	}
	l := &Learner{
		o: o, store: store, metrics: m,
		byID: map[event.ProjectID]*lane{}, life: service.NewLife(),
		wake: wake.New(), cores: make(chan struct{}, runtime.GOMAXPROCS(0)), trainingTurn: make(chan struct{}, 1),
	}
	l.ctx = l.life.Context()
	if err := l.openEncoders(); err != nil {
		return nil, fmt.Errorf("learner: %w", err)
	}
	return l, nil
}

// Load loads projects and publishes their snapshots. It starts the retrains that were pending
// when they were stored. A project that cannot be loaded is tried again in the background and
// is no error. The errors are the vector store's, the context's, and ErrClosed.
func (l *Learner) Load(ctx context.Context, projects []event.ProjectID) error {
	for _, b := range l.backfills {
		if err := b.Load(ctx); err != nil {
			return fmt.Errorf("learner: %w", err)
		}
	}
	for _, id := range projects {
		if err := l.startProject(ctx, l.lane(id)); err != nil {
			return fmt.Errorf("learner: %w", err)
		}
	}
	for i, b := range l.backfills {
		if readers := l.readersOf(i, projects); len(readers) > 0 {
			b.Scan(readers...)
		}
	}
	return nil
}

// Start begins the work in the background, as service.Service says: it optimizes models that
// are not at their optimum, and has missing vectors computed.
func (l *Learner) Start(ctx context.Context) error {
	if err := l.life.Start(ctx, l.runBackground); err != nil {
		return fmt.Errorf("learner: %w", err)
	}
	for _, b := range l.backfills {
		if err := b.Start(ctx); err != nil {
			return fmt.Errorf("learner: %w", err)
		}
	}
	return nil
}

// startRuns starts what is due of a project beside the learning: a retrain, a choice of settings,
// the training of an adapter. The lane's lock is held and its project loaded.
func (l *Learner) startRuns(ln *lane) {
	l.startRetrain(ln)
	l.startSelection(ln)
	l.startAdaptation(ln)
}

func (l *Learner) startProject(ctx context.Context, ln *lane) error {
	defer l.lockLane(ln)()
	p, err := l.ensureLoaded(ctx, ln)
	if err != nil {
		if ctx.Err() != nil || l.isClosed() {
			return err
		}
		l.requestReload(ln, err) // the others go on
		return nil
	}
	if p == nil {
		return nil
	}
	l.settleWithin(ctx, p)
	l.publish(p)
	l.startRuns(ln)
	return nil
}

// Stop ends the work in the background, as service.Service says, and stores checkpoints. When
// the context ends first, nothing is stored and a later call does it. The errors are the
// context's and the store's.
func (l *Learner) Stop(ctx context.Context) (err error) {
	for _, b := range l.backfills {
		err = errors.Join(err, b.Stop(ctx))
	}
	if err = errors.Join(err, l.life.Stop(ctx)); err != nil {
		return fmt.Errorf("learner: stop: %w", err)
	}
	l.finalSave.Do(func() {
		for _, ln := range l.allLanes() {
			err = errors.Join(err, l.saveOnStop(ln))
		}
	})
	return err
}

var _ service.Service = (*Learner)(nil)

// saveOnStop stores the checkpoint of a project. It waits for the lane's lock.
func (l *Learner) saveOnStop(ln *lane) error {
	ln.mu.Lock()
	defer ln.mu.Unlock()
	p := ln.loaded()
	if p == nil || !p.unsaved || len(p.versions) == 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	err := l.store.Commit(ctx, event.Commit{Projects: []event.ProjectCommit{
		p.forCommit(nil, stored.WriteCheckpoint(p.forCheckpoint(), p.features.Name())),
	}})
	if err != nil {
		return fmt.Errorf("learner: save project %d on stopping: %w", ln.id, err)
	}
	return nil
}

// projectBatch is the effect of a batch of events on its project.
type projectBatch struct {
	p           *project // nil when the batch has no effect
	delta       *event.Delta
	goneChanged bool           // whether Label Studio has the project has changed
	applied     bool           // the project in memory has all of the delta
	learned     *event.Learned // nil when there is nothing to publish
	retrainDue  bool           // whether a retrain was due before the batch
}

// Apply applies events of the Changes log, all of one project and in order, and commits them
// in one transaction with cur, the position after the last event. cur.Lane is the project; a
// command for all projects is applied to this one. If cur.Lane is 0 the events name the
// project. After an error nothing is committed: deliver the same events again. Applying
// events twice has the effect of once. Errors that no retry can help wrap
// event.ErrUnreadable. ctx bounds all of it. Calls for the same project wait for each other.
func (l *Learner) Apply(ctx context.Context, batch []event.Event, cur event.Cursor) error {
	ln, err := l.laneOf(batch, cur)
	if err != nil {
		return fmt.Errorf("learner: %w", err)
	}
	defer l.lockLane(ln)()
	if l.isClosed() {
		return ErrClosed
	}
	began := time.Now()
	batch, forgotten := event.AfterForgotten(batch)
	if forgotten {
		if err := l.forget(ctx, ln); err != nil {
			return fmt.Errorf("learner: %w", err)
		}
	}
	var t projectBatch
	commanded := false
	before := ln.metaBefore()
	err = l.applyChanges(ctx, ln, batch, &t)
	settingsFrom := settingsAfter(batch, before, t.delta)
	for i, e := range batch {
		if err != nil {
			break
		}
		switch e := e.(type) {
		case *event.RetrainDue:
			commanded = true
			err = l.applyCommand(ctx, ln, &t, func(p *project) (bool, error) {
				p.requestRetrain(e)
				return false, nil
			})
		case *event.RollbackDue:
			commanded = true
			err = l.applyCommand(ctx, ln, &t, func(p *project) (bool, error) { return l.rollback(p, e.To), nil })
		case *event.Configured:
			if i < settingsFrom {
				continue
			}
			commanded = true
			err = l.applyCommand(ctx, ln, &t, func(p *project) (bool, error) { return l.changeSettings(ctx, p, e, t.delta) })
		}
	}
	if err == nil {
		err = l.finish(ctx, ln, &t, cur)
	}
	if err != nil {
		// Changes may be applied again to the project in memory; commands may not.
		switch {
		case t.p == nil:
		case commanded, t.delta != nil && !t.applied:
			l.requestReload(ln, nil)
		case t.delta != nil:
			if ln.unstored == nil {
				ln.unstored = &unstored{tasks: map[event.TaskID]bool{}}
			}
			ln.unstored.add(t.delta, t.goneChanged)
		}
		return fmt.Errorf("learner: %w", err)
	}
	if t.p == nil {
		return nil
	}
	if t.delta != nil {
		ln.unstored = nil
	}
	l.startRuns(ln)
	if t.delta != nil {
		for i := range t.p.slow().Each {
			l.backfills[i].OnCommit(ln.id, t.delta)
		}
		if t.goneChanged { // one that is back has lost its vectors
			l.scan(ln.id, t.p.slow())
		}
	}
	if t.p.settled && t.delta != nil && !t.delta.Empty() {
		l.metrics.Settle.Observe(time.Since(began).Seconds())
	}
	return nil
}

// laneOf returns the lane of the project that a batch is about.
func (l *Learner) laneOf(batch []event.Event, cur event.Cursor) (*lane, error) {
	id := cur.Lane
	for _, e := range batch {
		if event.ForAll(e) {
			continue
		}
		project := e.ProjectOf()
		if id == 0 {
			id = project
		}
		if project != id {
			return nil, fmt.Errorf("an event of project %d among those of project %d", project, id)
		}
	}
	if id <= 0 {
		return nil, fmt.Errorf("%w: it is about project %d, and there is no such project", event.ErrUnreadable, id)
	}
	return l.lane(id), nil
}

// applyChanges applies the Changed events of a batch to the project in memory and describes
// their effect in t. The lane's lock is held.
func (l *Learner) applyChanges(ctx context.Context, ln *lane, batch []event.Event, t *projectBatch) error {
	var changes []*event.Changed
	var since time.Time
	for _, e := range batch {
		if c, ok := e.(*event.Changed); ok {
			if len(changes) == 0 || c.At.Before(since) {
				since = c.At
			}
			changes = append(changes, c)
		}
	}
	if len(changes) == 0 {
		return nil
	}
	deltas, err := l.store.Plan(ctx, changes)
	if err != nil {
		return err
	}
	if len(deltas) != 1 || deltas[0].Meta.Project != ln.id {
		return fmt.Errorf("the changes of project %d make %d deltas", ln.id, len(deltas))
	}
	d := &deltas[0]
	p, err := l.ensureLoaded(ctx, ln)
	if err != nil {
		return err
	}
	if ln.unstored != nil && !ln.unstored.coveredBy(d) {
		l.requestReload(ln, nil)
		if p, err = l.ensureLoaded(ctx, ln); err != nil {
			return err
		}
	}
	if p == nil || d.New {
		number := sequenceOf(p)
		p = l.newProject(ln.id)
		p.sequence = number
		ln.project = p
	}
	t.p, t.delta, t.retrainDue = p, d, p.pending != nil
	t.goneChanged = d.Meta.Gone != p.meta.Gone
	if err := l.applyDelta(ctx, p, d); err != nil {
		return err
	}
	t.applied = true
	if d.Empty() && !t.goneChanged {
		return nil
	}
	if p.oldestPending.IsZero() || since.Before(p.oldestPending) {
		p.oldestPending = since
	}
	t.learned = &event.Learned{Project: ln.id, All: d.New || d.ConfigChanged || t.goneChanged}
	for _, ts := range d.Tasks {
		t.learned.Tasks = append(t.learned.Tasks, ts.Task.ID)
	}
	return nil
}

func sequenceOf(p *project) uint64 {
	if p == nil {
		return 0
	}
	return p.sequence
}

// applyCommand runs do on the project of a lane. do reports whether the
// model, or what is suggested, changed. The
// lane's lock is held.
func (l *Learner) applyCommand(ctx context.Context, ln *lane, t *projectBatch, do func(*project) (bool, error)) error {
	p, err := l.ensureLoaded(ctx, ln)
	if err != nil {
		return err
	}
	if p == nil || len(p.versions) == 0 {
		l.o.Logger.WithField("project", ln.id).Warn("asked to retrain, roll back or set up a project hone has never heard of")
		return nil
	}
	if t.p == nil {
		t.retrainDue = p.pending != nil
	}
	t.p = p
	changed, err := do(p)
	if changed && t.learned == nil {
		t.learned = &event.Learned{Project: ln.id}
	}
	return err
}

// finish optimizes within the budget, publishes a snapshot and commits. The lane's lock is held.
func (l *Learner) finish(ctx context.Context, ln *lane, t *projectBatch, cur event.Cursor) error {
	c := event.Commit{Cursor: &cur}
	p := t.p
	if t.learned != nil {
		l.settleWithin(ctx, p)
		l.startSelection(ln) // before publish: the status says whether a selection is running
		l.publishAnnounced(p)
		p.describe(t.learned)
		c.Learned = append(c.Learned, t.learned)
	} else if p != nil && t.retrainDue != (p.pending != nil) {
		l.publish(p) // a reader of Settled must not miss that a retrain is due
	}
	var checkpoint []byte
	if p != nil {
		checkpoint = l.dueCheckpoint(p)
		c.Projects = []event.ProjectCommit{p.forCommit(t.delta, checkpoint)}
	}
	if err := l.store.Commit(ctx, c); err != nil {
		return err
	}
	if p != nil {
		l.markSaved(ctx, p, checkpoint)
	}
	return nil
}

// settleWithin optimizes a project for Options.Budget at most.
func (l *Learner) settleWithin(ctx context.Context, p *project) {
	ctx, cancel := l.withBudget(ctx, l.o.Budget)
	defer cancel()
	p.optimize(ctx, l.o.Tolerance)
}

// withBudget returns a context that ends after d, or after Options.Steps steps if that is set.
func (l *Learner) withBudget(ctx context.Context, d time.Duration) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithTimeout(ctx, d)
	if l.o.Steps > 0 {
		ctx = &stepLimitedContext{ctx, l.o.Steps}
	}
	return ctx, cancel
}

// stepLimitedContext ends after left calls of Err.
type stepLimitedContext struct {
	context.Context
	left int
}

func (c *stepLimitedContext) Err() error {
	if c.left--; c.left < 0 {
		return context.DeadlineExceeded
	}
	return c.Context.Err()
}

// inlineCheckpointLimit is the size in bytes up to which each commit has a checkpoint. A larger
// one is stored when the project has settled, and not more often than
// Options.CheckpointEvery.
const inlineCheckpointLimit = 64 << 10

// dueCheckpoint returns the checkpoint to commit now, nil if none is due.
func (l *Learner) dueCheckpoint(p *project) []byte {
	if !p.unsaved {
		return nil
	}
	large := stored.CheckpointBytes(p.forCheckpoint()) > inlineCheckpointLimit
	if large && (!p.settled || l.o.Now().Sub(p.savedAt) < l.o.CheckpointEvery) {
		return nil
	}
	return stored.WriteCheckpoint(p.forCheckpoint(), p.features.Name())
}

// markSaved records that a commit with this checkpoint is durable.
func (l *Learner) markSaved(ctx context.Context, p *project, checkpoint []byte) {
	l.deleteStaleAdapters(ctx, p)
	if checkpoint != nil {
		p.unsaved = !p.settled // optimizing goes on from here
		p.savedAt = l.o.Now()
	}
	if p.settled {
		p.oldestPending = time.Time{}
	}
}
