package simulate

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"os"
	"time"

	"github.com/hone-ml/hone/encode"
	"github.com/hone-ml/hone/evaluate/guard"
	"github.com/hone-ml/hone/event"
	"github.com/hone-ml/hone/internal/app/core"
	"github.com/hone-ml/hone/learner"
	"github.com/hone-ml/hone/learner/adapt"
	"github.com/hone-ml/hone/sampler"
	"github.com/hone-ml/hone/sampler/strategy"
	"github.com/hone-ml/hone/state"
)

const (
	projectID = 1
	// noLimit is more time than any optimization takes: one that the clock ends would end
	// elsewhere in every run.
	noLimit = 24 * time.Hour
)

// curveRun is the state while one curve is computed.
type curveRun struct {
	*Data
	learner     *learner.Learner
	ranker      *sampler.Ranker
	starter     *sampler.Ranker // ranks before start tasks are labelled
	start       int
	step        int
	queue       sampler.Queue
	open        []event.Task // not labelled yet
	answered    map[event.TaskID]uint64
	at          map[event.TaskID]int
	random      []event.TaskID // labelled, and drawn at random
	labels      int
	asked       []int // numbers of the labelled tasks, in order
	ranking     time.Duration
	annotations int
	offset      uint64
	clock       time.Time
	test        []event.Task

	guard  *guard.Guard // nil where there is nothing to compare
	ports  *guardPorts  // of the guard
	leftAt int          // labels when the strategy was left, 0 while it was not

	drawing *drawing // nil without odds
}

// runCurve computes the points of c.
func (d *Data) runCurve(ctx context.Context, o Options, points []int, c *Curve, onLabels func(int)) (err error) {
	began := time.Now()
	dir, err := os.MkdirTemp(o.Dir, "hone-simulate-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	st, err := state.Open(dir, state.Options{})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, st.Close()) }()
	st.DB().NoSync, st.DB().NoGrowSync = true, true // it goes with the run
	lo := learner.Options{Encoder: o.Encoder, Budget: noLimit, CheckpointEvery: noLimit, SlowWait: noLimit}
	if o.Trainer != nil {
		lo.Adapting = &adapt.Options{Encoder: encode.NewAdapters("adapted"), Trainer: o.Trainer, Store: st}
		if c.Strategy == strategy.NameRandom {
			lo.Adapting.Sample = 1 // nothing is ranked
		}
	}
	hone, err := core.New(st, core.Options{
		WithoutLog: true, // what comes when is not to depend on the log's goroutines
		Learner:    lo,
	})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, hone.Close()) }()
	l := hone.Learner
	if err := l.Start(ctx); err != nil {
		return err
	}
	r, err := d.start(ctx, l, o, c)
	if err != nil {
		return err
	}
	// At random what is asked does not depend on an adapter, so only those of the points are
	// trained.
	holds := c.Strategy == strategy.NameRandom
	for _, n := range points {
		l.HoldAdaptation(holds)
		for r.labels < n {
			gives := min(r.step, n-r.labels)
			if r.labels < r.start { // as many at a time as at random, for the same order
				gives = min(core.LearnBatch, n-r.labels, r.start-r.labels)
			}
			if err := r.labelNext(ctx, gives); err != nil {
				return err
			}
			onLabels(gives)
		}
		l.HoldAdaptation(false)
		if err := l.WaitSettled(ctx); err != nil {
			return err
		}
		p, err := r.measure(ctx)
		if err != nil {
			return err
		}
		if o.Estimate {
			if p.PoolEstimate, err = r.estimate(ctx); err != nil {
				return err
			}
		}
		if r.drawing != nil {
			if p.Drawn, err = r.drawnEstimate(ctx); err != nil {
				return err
			}
		}
		c.Points = append(c.Points, p)
	}
	if c.Guard, err = r.guarded(ctx); err != nil {
		return err
	}
	if o.Asked {
		c.Asked = r.asked
	}
	c.Seconds, c.RankSeconds = time.Since(began).Seconds(), r.ranking.Seconds()
	return nil
}

// start makes the project and its tasks known to the learner.
func (d *Data) start(ctx context.Context, l *learner.Learner, o Options, c *Curve) (*curveRun, error) {
	r := &curveRun{Data: d, learner: l, step: o.Batch, start: min(o.Start, len(d.pool)), at: map[event.TaskID]int{}, answered: map[event.TaskID]uint64{}, clock: time.Unix(1_700_000_000, 0).UTC()}
	so := sampler.Defaults()
	so.Vectors, so.Pool, so.Sketcher = l, r, l
	so.Scorer, so.Strategy, so.RandomShare, so.Seed = l, c.Strategy, o.RandomShare, uint64(c.Seed)
	if o.Odds {
		r.drawing = &drawing{effect: o.DesignEffect}
	} else if c.Strategy == strategy.NameRandom {
		// What is asked does not depend on what is learned, so the learner may
		// take the labels as it takes a backlog.
		r.step = core.LearnBatch
	}
	so.RankWhole = o.RankWhole
	so.QueueSize, so.Front = max(o.QueueSize, r.step), max(o.Front, r.step)
	if o.scorer != nil {
		so.Scorer = o.scorer(so.Scorer)
	}
	var err error
	if r.ranker, err = sampler.NewRanker(so); err != nil {
		return nil, err
	}
	// Its queues are as long as those of the strategy random, so that the order is the same.
	first := so
	first.Strategy, first.QueueSize, first.Front = strategy.NameRandom, max(o.QueueSize, core.LearnBatch), max(o.Front, core.LearnBatch)
	if r.starter, err = sampler.NewRanker(first); err != nil {
		return nil, err
	}
	for i, it := range d.pool {
		r.at[it.task.ID] = i
		r.open = append(r.open, it.task)
	}
	for _, it := range d.test {
		r.test = append(r.test, it.task)
	}
	// In chunks, as webhooks and reconcile bring them.
	for from := 0; from < len(r.open); from += core.LearnBatch {
		c := event.Changed{LabelConfig: d.Config, Tasks: r.open[from:min(from+core.LearnBatch, len(r.open))]}
		if err := r.applyChanges(ctx, &c); err != nil {
			return nil, err
		}
	}
	if text := d.descriptions.String(); text != "" {
		e := &event.Configured{Project: projectID, At: r.clock, Set: map[string]string{"descriptions": text}}
		if err := r.apply(ctx, e); err != nil {
			return nil, err
		}
	}
	if err := l.WaitSettled(ctx); err != nil || o.Unguarded {
		return r, err
	}
	return r, r.watch(ctx, so)
}

// applyChanges passes changes to the learner as the log does.
func (r *curveRun) applyChanges(ctx context.Context, changes ...*event.Changed) error {
	batch := make([]event.Event, len(changes))
	for i, c := range changes {
		r.clock = r.clock.Add(time.Second)
		c.Project, c.Source, c.At = projectID, event.FromWebhook, r.clock
		for j := range c.Annotations {
			c.Annotations[j].UpdatedAt = r.clock
		}
		batch[i] = c
	}
	return r.apply(ctx, batch...)
}

// apply passes events to the learner as the log does.
func (r *curveRun) apply(ctx context.Context, batch ...event.Event) error {
	r.offset += uint64(len(batch))
	return r.learner.Apply(ctx, batch, event.Cursor{Topic: event.Changes, Group: core.LearnerGroup, Offset: r.offset})
}

// labelNext labels the next n tasks and has them learned.
func (r *curveRun) labelNext(ctx context.Context, n int) error {
	began := time.Now()
	items, err := r.nextItems(ctx, n)
	r.ranking += time.Since(began)
	if err != nil {
		return err
	}
	changes := make([]*event.Changed, n)
	asked := make(map[event.TaskID]bool, n)
	for i, q := range items[:n] {
		asked[q.Task] = true
		r.asked = append(r.asked, r.pool[r.at[q.Task]].number)
		r.noteAsked(i+1, q)
		r.answered[q.Task] = 0
		if q.Random {
			r.random = append(r.random, q.Task)
		}
		c := &event.Changed{}
		for j, result := range r.pool[r.at[q.Task]].results {
			c.Annotations = append(c.Annotations, event.Annotation{
				// In the order in which they are made, as in Label Studio.
				ID:   event.AnnotationID(r.annotations + 1),
				Task: q.Task, Result: result, CompletedBy: event.UserID(j + 1),
			})
			r.annotations++
		}
		changes[i] = c
	}
	left := r.open[:0]
	for _, t := range r.open {
		if !asked[t.ID] {
			left = append(left, t)
		}
	}
	r.open = left
	r.labels += n
	if err := r.applyChanges(ctx, changes...); err != nil {
		return err
	}
	if err := r.learner.WaitSettled(ctx); err != nil || r.guard == nil { // what comes next must not depend on a race
		return err
	}
	return r.guard.Check(ctx, projectID)
}

// nextItems ranks the pool, or draws from it, and returns what to ask next: at least n tasks.
func (r *curveRun) nextItems(ctx context.Context, n int) (items []sampler.Item, err error) {
	if r.drawing != nil {
		items, err = r.drawNext(ctx, n)
	} else {
		ranker := r.ranker
		if r.labels < r.start {
			ranker = r.starter
		}
		r.queue, err = ranker.Rank(ctx, projectID, r.open, r.answered, r.queue)
		items = r.queue.Items
	}
	if err == nil && len(items) < n {
		err = fmt.Errorf("the queue has %d tasks, %d are wanted", len(items), n)
	}
	return items, err
}

// AllTasks implements sampler.Pool.
func (r *curveRun) AllTasks(context.Context, event.ProjectID) iter.Seq2[event.TaskState, error] {
	return func(yield func(event.TaskState, error) bool) {
		for _, it := range r.pool {
			if !yield(event.TaskState{Task: it.task}, nil) {
				return
			}
		}
	}
}

// Tasks implements sampler.Pool.
func (r *curveRun) Tasks(_ context.Context, _ event.ProjectID, ids []event.TaskID) ([]event.TaskState, error) {
	out := make([]event.TaskState, len(ids))
	for i, id := range ids {
		out[i].Task = r.pool[r.at[id]].task
	}
	return out, nil
}
