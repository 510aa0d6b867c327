package learner

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hone-ml/hone/event"
)

// Learner applies events and owns the heads of all projects. Apply is for one
// caller at a time (a second one waits); everything that reads is safe for any
// number and never waits for learning.
type Learner struct {
	o       Options
	store   Store
	metrics *metrics
	cache   *cache
	filler  *filler // nil without a slow encoder

	mu       sync.Mutex // guards all below until the blank line
	projects map[event.ProjectID]*project
	lost     map[event.ProjectID]*loss // to be loaded again: memory may differ from what is stored
	closed   bool

	snapshots sync.Map     // event.ProjectID to *snapshot
	retrains  sync.Map     // event.ProjectID to *retrain, running
	retrained sync.Map     // event.ProjectID to LastRetrain
	waiting   sync.Map     // event.ProjectID to *vectorWait, of the retrain a project waits with
	choosing  sync.Map     // event.ProjectID to *choosing, under way
	troubles  sync.Map     // event.ProjectID to the sentence why it is not loaded
	begun     atomic.Int64 // retrains and choices ever
	parsed    atomic.Pointer[parsedConfig]

	ctx    context.Context // ends with Close
	cancel context.CancelFunc
	wake   chan struct{}
	work   sync.WaitGroup
}

// New makes a Learner that knows nothing yet; Start it, and Close it in the end.
func New(store Store, o Options) (*Learner, error) {
	if store == nil {
		return nil, errors.New("learner: the store is missing")
	}
	o.fill()
	var v *vectors
	if o.Slow != nil {
		if o.Vectors == nil || o.Tasks == nil {
			return nil, errors.New("learner: a slow encoder needs Vectors and Tasks")
		}
		v = newVectors(o.Slow, o.Vectors, o.Now)
		o.Encoder = &late{o.Encoder, v}
	}
	m, err := newMetrics(o.Registerer)
	if err != nil {
		return nil, fmt.Errorf("learner: %w", err)
	}
	l := &Learner{
		o: o, store: store, metrics: m, cache: newCache(o.CacheBytes),
		projects: map[event.ProjectID]*project{}, lost: map[event.ProjectID]*loss{},
		wake: make(chan struct{}, 1),
	}
	l.ctx, l.cancel = context.WithCancel(context.Background())
	if v != nil {
		l.filler = newFiller(l, v)
		l.cache.arrived = v.has
	}
	l.work.Go(l.idle)
	return l, nil
}

// Start loads projects and publishes their snapshots; what is not at its optimum
// yet goes on in the background, and so does a retrain that was asked for before
// a restart.
func (l *Learner) Start(ctx context.Context, projects []event.ProjectID) error {
	if l.filler != nil {
		if err := l.filler.vectors.load(ctx); err != nil {
			return fmt.Errorf("learner: %w", err)
		}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, id := range projects {
		p, err := l.project(ctx, id)
		if err != nil {
			if ctx.Err() != nil || l.closed {
				return fmt.Errorf("learner: %w", err)
			}
			l.lose(id, err) // the others go on
			continue
		}
		if p == nil {
			continue
		}
		l.budgeted(ctx, p)
		l.publish(p)
		l.beginRetrain(p)
		l.beginChoice(p)
	}
	l.nudge()
	if l.filler != nil && !l.closed {
		l.filler.begin(projects)
	}
	return nil
}

// Close stops the work in the background and saves where it ended. It may be
// called more than once.
func (l *Learner) Close() error {
	l.mu.Lock()
	was := l.closed
	l.closed = true
	l.mu.Unlock()
	l.cancel()
	l.work.Wait()
	if was {
		return nil
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	var c event.Commit
	for id, p := range l.projects {
		if p.unsaved && l.lost[id] == nil && len(p.versions) > 0 {
			c.Projects = append(c.Projects, event.ProjectCommit{
				Project: id, Checkpoint: p.checkpoint(l.o.Encoder.Name()), Versions: p.stored(),
			})
		}
	}
	if len(c.Projects) == 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	if err := l.store.Commit(ctx, c); err != nil {
		return fmt.Errorf("learner: save on closing: %w", err)
	}
	return nil
}

// project returns a project, loading it if need be; nil when nothing is known
// of it.
func (l *Learner) project(ctx context.Context, id event.ProjectID) (*project, error) {
	if l.closed {
		return nil, ErrClosed
	}
	if p := l.projects[id]; p != nil && l.lost[id] == nil {
		return p, nil
	}
	p, err := l.load(ctx, id)
	if err != nil {
		return nil, err
	}
	l.found(id)
	if len(p.versions) == 0 && p.meta.LabelConfig == "" && len(p.heads) == 0 {
		delete(l.projects, id)
		return nil, nil
	}
	l.projects[id] = p
	return p, nil
}

// touched is what a batch does to one project.
type touched struct {
	p     *project
	delta *event.Delta
	told  *event.Learned // nil when there is nothing to tell
}

// Apply applies a batch of the Changes log, in order, and commits it together
// with its cursor; cur is the position after the last event. An error means that
// nothing was committed: deliver the same events again, applying them twice has
// the effect of once. Errors that no retry can help wrap event.ErrUnreadable.
func (l *Learner) Apply(ctx context.Context, batch []event.Event, cur event.Cursor) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return ErrClosed
	}
	began := time.Now()
	all := map[event.ProjectID]*touched{}
	orders := false
	err := l.applyChanges(ctx, batch, all)
	for _, e := range batch {
		if err != nil {
			break
		}
		switch e := e.(type) {
		case *event.RetrainDue:
			orders = true
			err = l.order(ctx, e.Project, all, func(p *project) bool {
				p.orderRetrain(e)
				return false
			})
		case *event.RollbackDue:
			orders = true
			err = l.order(ctx, e.Project, all, func(p *project) bool { return l.rollback(p, e.To) })
		}
	}
	if err == nil {
		err = l.finish(ctx, all, cur)
	}
	if err != nil {
		// Changes may be applied again to what is in memory; orders may not.
		for id, t := range all {
			if orders || t.told == nil && t.delta != nil {
				l.lose(id, nil)
			}
		}
		return fmt.Errorf("learner: %w", err)
	}
	for _, id := range sorted(all) {
		t := all[id]
		l.beginRetrain(t.p)
		l.beginChoice(t.p)
		if l.filler != nil && t.delta != nil {
			l.filler.heard(id, t.delta)
		}
		if t.p.settled && t.delta != nil && !t.delta.Empty() {
			l.metrics.settle.Observe(time.Since(began).Seconds())
		}
	}
	l.nudge()
	return nil
}

func (l *Learner) applyChanges(ctx context.Context, batch []event.Event, all map[event.ProjectID]*touched) error {
	var changes []*event.Changed
	since := map[event.ProjectID]time.Time{}
	for _, e := range batch {
		if c, ok := e.(*event.Changed); ok {
			changes = append(changes, c)
			if s, ok := since[c.Project]; !ok || c.At.Before(s) {
				since[c.Project] = c.At
			}
		}
	}
	if len(changes) == 0 {
		return nil
	}
	deltas, err := l.store.Plan(ctx, changes)
	if err != nil {
		return err
	}
	for i := range deltas {
		d := &deltas[i]
		id := d.Meta.Project
		p, err := l.project(ctx, id)
		if err != nil {
			return err
		}
		if p == nil || d.New {
			number := numberOf(p)
			p = newProject(id)
			p.number = number
			l.projects[id] = p
		}
		t := &touched{p: p, delta: d}
		all[id] = t
		went := d.Meta.Gone != p.meta.Gone
		if err := l.apply(ctx, p, d); err != nil {
			return err
		}
		if d.Empty() && !went {
			continue
		}
		if p.since.IsZero() || since[id].Before(p.since) {
			p.since = since[id]
		}
		t.told = &event.Learned{Project: id, All: d.New || d.ConfigChanged || went}
		for _, ts := range d.Tasks {
			t.told.Tasks = append(t.told.Tasks, ts.Task.ID)
		}
	}
	return nil
}

func numberOf(p *project) uint64 {
	if p == nil {
		return 0
	}
	return p.number
}

// order does something to a project, or to every one for project 0. do reports
// whether the model is another one now.
func (l *Learner) order(ctx context.Context, id event.ProjectID, all map[event.ProjectID]*touched, do func(*project) bool) error {
	ids := []event.ProjectID{id}
	if id == 0 {
		ids = ids[:0]
		for id := range l.projects {
			ids = append(ids, id)
		}
		slices.Sort(ids)
	}
	for _, id := range ids {
		p, err := l.project(ctx, id)
		if err != nil {
			return err
		}
		if p == nil || len(p.versions) == 0 {
			l.o.Logger.WithField("project", id).Warn("asked to retrain or roll back a project hone has never heard of")
			continue
		}
		t := all[id]
		if t == nil {
			t = &touched{p: p}
			all[id] = t
		}
		if do(p) && t.told == nil {
			t.told = &event.Learned{Project: id}
		}
	}
	return nil
}

// finish spends the budget, publishes and commits.
func (l *Learner) finish(ctx context.Context, all map[event.ProjectID]*touched, cur event.Cursor) error {
	c := event.Commit{Cursor: &cur}
	for _, id := range sorted(all) {
		t := all[id]
		p := t.p
		if t.told != nil {
			l.budgeted(ctx, p)
			l.beginChoice(p) // first, since what is published says whether one is under way
			l.publish(p)
			t.told.Version, t.told.Labels = p.version(), p.labels()
			t.told.Since = p.since
			c.Learned = append(c.Learned, t.told)
		}
		c.Projects = append(c.Projects, event.ProjectCommit{
			Project: id, Delta: t.delta, Versions: p.stored(), Checkpoint: l.save(p),
		})
	}
	if err := l.store.Commit(ctx, c); err != nil {
		return err
	}
	for i, pc := range c.Projects {
		l.saved(all[pc.Project].p, c.Projects[i].Checkpoint)
	}
	return nil
}

func sorted(all map[event.ProjectID]*touched) []event.ProjectID {
	ids := make([]event.ProjectID, 0, len(all))
	for id := range all {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	return ids
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
	return p.checkpoint(l.o.Encoder.Name())
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

func (l *Learner) nudge() {
	select {
	case l.wake <- struct{}{}:
	default:
	}
}
