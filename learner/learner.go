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
)

// Learner applies events and owns the heads of all projects. Apply is for one caller
// at a time for each project (a second one waits), and no project waits for another;
// everything that reads is safe for any number and never waits for learning.
type Learner struct {
	o         Options
	store     Store
	metrics   *metrics
	features  featurizer
	backfills []Backfill // of the slow encoders, in their order

	mu    sync.Mutex // guards all below until the blank line; see lane
	byID  map[event.ProjectID]*lane
	lanes []*lane // by id; replaced when there is another

	snapshots sync.Map     // event.ProjectID to *snapshot
	retrains  sync.Map     // event.ProjectID to *retrain, running
	retrained sync.Map     // event.ProjectID to LastRetrain
	waiting   sync.Map     // event.ProjectID to *vectorWait, of the retrain a project waits with
	choosing  sync.Map     // event.ProjectID to *choosing, under way
	troubles  sync.Map     // event.ProjectID to the sentence why it is not loaded
	begun     atomic.Int64 // retrains and choices ever
	parsed    atomic.Pointer[parsedConfig]

	life *service.Life
	ctx  context.Context // the life's
	last sync.Once       // of saving where it ended
	wake wake.Signal
	// cores has a place for each model that is being fitted to compare settings by: as
	// many as there are cores, so that a hundred retrains at once leave time for labels.
	cores chan struct{}
}

// New makes a Learner that knows nothing yet and does only what Apply does: Load what it
// is to know, Start it, and Stop it in the end.
func New(store Store, o Options) (*Learner, error) {
	if store == nil {
		return nil, errors.New("learner: the store is missing")
	}
	o.setDefaults()
	if err := o.validate(); err != nil {
		return nil, err
	}
	m, err := newMetrics(o.Registerer)
	if err != nil {
		return nil, fmt.Errorf("learner: %w", err)
	}
	l := &Learner{
		o: o, store: store, metrics: m, features: featurizer{encoder: o.Encoder, cache: newCache(o.CacheBytes)},
		byID: map[event.ProjectID]*lane{}, life: service.NewLife(),
		wake: wake.New(), cores: make(chan struct{}, runtime.GOMAXPROCS(0)),
	}
	l.ctx = l.life.Context()
	if len(o.Slow) > 0 {
		if l.backfills, err = l.newBackfills(); err != nil {
			return nil, fmt.Errorf("learner: %w", err)
		}
		l.features.slow = &composite{Encoder: o.Encoder}
		for _, b := range l.backfills {
			l.features.slow.slow = append(l.features.slow.slow, b)
		}
		l.features.encoder = l.features.slow
		l.features.cache.arrived = func(m missingVector) bool { return l.backfills[m.encoder].Has(m.key) }
	}
	return l, nil
}

// Load loads projects and publishes their snapshots. A retrain that was asked for before
// a restart goes on. The error is the store's, for vectors, and the context's; a project
// that cannot be loaded is tried again in the background.
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
	for _, b := range l.backfills {
		b.Scan(projects...)
	}
	return nil
}

// Start begins the work in the background, as service.Service says: what is not at its
// optimum yet goes on towards it, and missing vectors are made.
func (l *Learner) Start(ctx context.Context) error {
	if err := l.life.Start(ctx, l.idle); err != nil {
		return fmt.Errorf("learner: %w", err)
	}
	for _, b := range l.backfills {
		if err := b.Start(ctx); err != nil {
			return fmt.Errorf("learner: %w", err)
		}
	}
	return nil
}

func (l *Learner) startProject(ctx context.Context, ln *lane) error {
	defer l.hold(ln)()
	p, err := l.project(ctx, ln)
	if err != nil {
		if ctx.Err() != nil || l.isClosed() {
			return err
		}
		l.lose(ln, err) // the others go on
		return nil
	}
	if p == nil {
		return nil
	}
	l.budgeted(ctx, p)
	l.publish(p)
	l.beginRetrain(ln)
	l.beginChoice(ln)
	return nil
}

// Stop ends the work in the background, as service.Service says, and saves where it
// ended. When the context ends first nothing is saved; a later call does it.
func (l *Learner) Stop(ctx context.Context) (err error) {
	for _, b := range l.backfills {
		err = errors.Join(err, b.Stop(ctx))
	}
	if err = errors.Join(err, l.life.Stop(ctx)); err != nil {
		return fmt.Errorf("learner: stop: %w", err)
	}
	l.last.Do(func() {
		for _, ln := range l.allLanes() {
			err = errors.Join(err, l.saveLast(ln))
		}
	})
	return err
}

var _ service.Service = (*Learner)(nil)

// saveLast saves where a project ended. It waits for what is being done to it.
func (l *Learner) saveLast(ln *lane) error {
	ln.mu.Lock()
	defer ln.mu.Unlock()
	p := ln.live()
	if p == nil || !p.unsaved || len(p.versions) == 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	err := l.store.Commit(ctx, event.Commit{Projects: []event.ProjectCommit{
		p.forCommit(nil, p.checkpoint(l.features.encoder.Name())),
	}})
	if err != nil {
		return fmt.Errorf("learner: save project %d on stopping: %w", ln.id, err)
	}
	return nil
}

// touched is what a batch does to its project.
type touched struct {
	p       *project // nil when the batch does nothing
	delta   *event.Delta
	went    bool           // the project is gone, or is there again
	applied bool           // memory has all of the delta
	told    *event.Learned // nil when there is nothing to tell
	pending bool           // a retrain was due before the batch
}

// Apply applies a batch of one project's entries in the Changes log, in order, and
// commits it together with its position; cur is the position after the last event, and
// its Lane the project: an order for all projects is applied to that one. Without a
// Lane it is the project that the events are about. An error means that
// nothing was committed: deliver the same events again, applying them twice has
// the effect of once. Errors that no retry can help wrap event.ErrUnreadable.
func (l *Learner) Apply(ctx context.Context, batch []event.Event, cur event.Cursor) error {
	ln, err := l.laneOf(batch, cur)
	if err != nil {
		return fmt.Errorf("learner: %w", err)
	}
	defer l.hold(ln)()
	if l.isClosed() {
		return ErrClosed
	}
	began := time.Now()
	var t touched
	orders := false
	before := ln.metaBefore()
	err = l.applyChanges(ctx, ln, batch, &t)
	settingsFrom := settingsAfter(batch, before, t.delta)
	for i, e := range batch {
		if err != nil {
			break
		}
		switch e := e.(type) {
		case *event.RetrainDue:
			orders = true
			err = l.order(ctx, ln, &t, func(p *project) (bool, error) {
				p.orderRetrain(e)
				return false, nil
			})
		case *event.RollbackDue:
			orders = true
			err = l.order(ctx, ln, &t, func(p *project) (bool, error) { return l.rollback(p, e.To), nil })
		case *event.Configured:
			if i < settingsFrom {
				continue
			}
			orders = true
			err = l.order(ctx, ln, &t, func(p *project) (bool, error) { return l.changeSettings(ctx, p, e, t.delta) })
		}
	}
	if err == nil {
		err = l.finish(ctx, ln, &t, cur)
	}
	if err != nil {
		// Changes may be applied again to what is in memory; orders may not.
		switch {
		case t.p == nil:
		case orders, t.delta != nil && !t.applied:
			l.lose(ln, nil)
		case t.delta != nil:
			if ln.unstored == nil {
				ln.unstored = &unstored{tasks: map[event.TaskID]bool{}}
			}
			ln.unstored.add(t.delta, t.went)
		}
		return fmt.Errorf("learner: %w", err)
	}
	if t.p == nil {
		return nil
	}
	if t.delta != nil {
		ln.unstored = nil
	}
	l.beginRetrain(ln)
	l.beginChoice(ln)
	for _, b := range l.backfills {
		if t.delta != nil {
			b.OnCommit(ln.id, t.delta)
		}
	}
	if t.p.settled && t.delta != nil && !t.delta.Empty() {
		l.metrics.settle.Observe(time.Since(began).Seconds())
	}
	return nil
}

// laneOf is the lane of a batch.
func (l *Learner) laneOf(batch []event.Event, cur event.Cursor) (*lane, error) {
	id := cur.Lane
	for _, e := range batch {
		if event.ForAll(e) {
			continue
		}
		of := e.Of()
		if id == 0 {
			id = of
		}
		if of != id {
			return nil, fmt.Errorf("an event of project %d among those of project %d", of, id)
		}
	}
	if id <= 0 {
		return nil, fmt.Errorf("%w: it is about project %d, and there is no such project", event.ErrUnreadable, id)
	}
	return l.lane(id), nil
}

// applyChanges applies the changes of a batch. The lane's lock is held.
func (l *Learner) applyChanges(ctx context.Context, ln *lane, batch []event.Event, t *touched) error {
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
	p, err := l.project(ctx, ln)
	if err != nil {
		return err
	}
	if ln.unstored != nil && !ln.unstored.coveredBy(d) {
		l.lose(ln, nil)
		if p, err = l.project(ctx, ln); err != nil {
			return err
		}
	}
	if p == nil || d.New {
		number := numberOf(p)
		p = newProject(ln.id, l.o.Settings)
		p.number = number
		ln.p = p
	}
	t.p, t.delta, t.pending = p, d, p.pending != nil
	t.went = d.Meta.Gone != p.meta.Gone
	if err := l.apply(ctx, p, d); err != nil {
		return err
	}
	t.applied = true
	if d.Empty() && !t.went {
		return nil
	}
	if p.since.IsZero() || since.Before(p.since) {
		p.since = since
	}
	t.told = &event.Learned{Project: ln.id, All: d.New || d.ConfigChanged || t.went}
	for _, ts := range d.Tasks {
		t.told.Tasks = append(t.told.Tasks, ts.Task.ID)
	}
	return nil
}

func numberOf(p *project) uint64 {
	if p == nil {
		return 0
	}
	return p.number
}

// order does something to a project. do reports whether the model is another one now.
// The lane's lock is held.
func (l *Learner) order(ctx context.Context, ln *lane, t *touched, do func(*project) (bool, error)) error {
	p, err := l.project(ctx, ln)
	if err != nil {
		return err
	}
	if p == nil || len(p.versions) == 0 {
		l.o.Logger.WithField("project", ln.id).Warn("asked to retrain, roll back or set up a project hone has never heard of")
		return nil
	}
	if t.p == nil {
		t.pending = p.pending != nil
	}
	t.p = p
	changed, err := do(p)
	if changed && t.told == nil {
		t.told = &event.Learned{Project: ln.id}
	}
	return err
}

// finish spends the budget, publishes and commits. The lane's lock is held.
func (l *Learner) finish(ctx context.Context, ln *lane, t *touched, cur event.Cursor) error {
	c := event.Commit{Cursor: &cur}
	p := t.p
	if t.told != nil {
		l.budgeted(ctx, p)
		l.beginChoice(ln) // first, since what is published says whether one is under way
		l.publishTold(p)
		p.tell(t.told)
		c.Learned = append(c.Learned, t.told)
	} else if p != nil && t.pending != (p.pending != nil) {
		l.publish(p) // whoever reads that it has settled must not find a retrain due
	}
	var checkpoint []byte
	if p != nil {
		checkpoint = l.save(p)
		c.Projects = []event.ProjectCommit{p.forCommit(t.delta, checkpoint)}
	}
	if err := l.store.Commit(ctx, c); err != nil {
		return err
	}
	if p != nil {
		l.saved(p, checkpoint)
	}
	return nil
}

// budgeted walks towards the optimum for at most the budget.
func (l *Learner) budgeted(ctx context.Context, p *project) {
	ctx, cancel := l.bounded(ctx, l.o.Budget)
	defer cancel()
	p.settle(ctx, l.o.Tolerance)
}

// bounded is a context that ends after d, or where steps are counted after those.
func (l *Learner) bounded(ctx context.Context, d time.Duration) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithTimeout(ctx, d)
	if l.o.Steps > 0 {
		ctx = &counted{ctx, l.o.Steps}
	}
	return ctx, cancel
}

// counted ends when it has been asked so many times whether it has.
type counted struct {
	context.Context
	left int
}

func (c *counted) Err() error {
	if c.left--; c.left < 0 {
		return context.DeadlineExceeded
	}
	return c.Context.Err()
}

// smallCheckpoint is what every commit may carry; a larger one waits until the
// project has settled and the last is a while ago.
const smallCheckpoint = 64 << 10

// save is the checkpoint to commit now, nil for none.
func (l *Learner) save(p *project) []byte {
	if !p.unsaved {
		return nil
	}
	large := p.checkpointBytes() > smallCheckpoint
	if large && (!p.settled || l.o.Now().Sub(p.savedAt) < l.o.CheckpointEvery) {
		return nil
	}
	return p.checkpoint(l.features.encoder.Name())
}

// saved notes that a commit with this checkpoint is durable.
func (l *Learner) saved(p *project, checkpoint []byte) {
	if checkpoint != nil {
		p.unsaved = !p.settled // the walk goes on from here
		p.savedAt = l.o.Now()
	}
	if p.settled {
		p.since = time.Time{}
	}
}
