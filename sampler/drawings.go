package sampler

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/hone-ml/hone/event"
)

const (
	// leastDraws is how many tasks are drawn and not answered, at the least, and drawsPerUser how many for each
	// annotator who has answered within activeTime: one is being answered, and the next must be there.
	leastDraws   = 3
	drawsPerUser = 2
	activeTime   = 10 * time.Minute
	// designEffect is Drawing.DesignEffect (ADR 35).
	designEffect = 2
)

// DrawLog stores draws. Methods may be called concurrently.
type DrawLog interface {
	// Draws returns those of a project in the order of their numbers.
	Draws(ctx context.Context, p event.ProjectID) ([]event.Draw, error)
	// PutDraws is durable when it returns nil.
	PutDraws(ctx context.Context, p event.ProjectID, draws []event.Draw) error
}

// OddsStatus says how far the draws of a project are.
type OddsStatus struct {
	// On is true while tasks are drawn. Where that is set and cannot be, Reason says why in a sentence.
	On     bool   `json:"on"`
	Reason string `json:"reason,omitempty"`
	// Draws counts all draws, and Open those that may still be answered.
	Draws int `json:"draws"`
	Open  int `json:"open"`
}

// drawings are the draws of one project. One goroutine uses it.
type drawings struct {
	read   bool
	all    []drawnTask
	known  map[event.TaskID]bool // drawn, or labelled before a draw
	active map[event.UserID]time.Time
}

// drawnTask is what stays in memory of a draw.
type drawnTask struct {
	task   event.TaskID
	q      float64
	random bool
}

// saw notes who answered a task, and when.
func (d *drawings) saw(t event.TaskState) {
	for _, a := range t.Annotations {
		if a.CompletedBy > 0 && time.Since(a.UpdatedAt) < activeTime {
			if d.active == nil {
				d.active = map[event.UserID]time.Time{}
			}
			if d.active[a.CompletedBy].Before(a.UpdatedAt) {
				d.active[a.CompletedBy] = a.UpdatedAt
			}
		}
	}
}

// wanted is how many tasks are to be drawn and not answered.
func (d *drawings) wanted() int {
	n := 0
	for user, at := range d.active {
		if time.Since(at) < activeTime {
			n++
		} else {
			delete(d.active, user)
		}
	}
	return max(leastDraws, drawsPerUser*n)
}

// load reads the draws that are stored, once each time the pool is read.
func (d *drawings) load(ctx context.Context, log DrawLog, p event.ProjectID) error {
	if d.read {
		return nil
	}
	draws, err := log.Draws(ctx, p)
	if err != nil {
		return fmt.Errorf("read the draws: %w", err)
	}
	d.all, d.known = nil, map[event.TaskID]bool{}
	for i := range draws {
		d.add(&draws[i])
	}
	d.read = true
	return nil
}

func (d *drawings) add(draw *event.Draw) {
	d.all = append(d.all, drawnTask{draw.Task, draw.Q, draw.Random})
	d.known[draw.Task] = true
	for _, t := range draw.Known {
		d.known[t] = true
	}
}

// unanswered are the draws that may still be answered, in their order.
func (d *drawings) unanswered(pool *taskPool) (out []drawnTask) {
	for _, x := range d.all {
		if _, is := pool.open.get(x.task); is {
			out = append(out, x)
		}
	}
	return out
}

// whyNoOdds says why tasks are not drawn though they are to be; "" when they are.
func whyNoOdds(o Options) string {
	switch {
	case o.Draws == nil:
		return "draws cannot be stored"
	case !CanDraw(o.Strategy):
		return fmt.Sprintf("the strategy %s does not say by how much a task gains, which odds are made of: `hone configure strategy=coverage`", o.Strategy)
	}
	return ""
}

// previewing returns the options by which the places behind the draws are ranked: with odds the random tasks are among
// the draws.
func (w *worker) previewing(o Options) Options {
	if o.Odds && whyNoOdds(o) == "" {
		o.RandomShare = 0
	}
	return o
}

// draw puts the open draws of a project with odds before a queue, and draws as many as lack. What is drawn is stored before it
// is queued; while that cannot be stored no more is drawn, and the status says so. A drawn task stays until it is answered, skipped or
// gone.
func (w *worker) draw(ctx context.Context, o Options, queue *Queue) (OddsStatus, error) {
	if !o.Odds {
		return OddsStatus{}, nil
	}
	if why := whyNoOdds(o); why != "" {
		return OddsStatus{Reason: why}, nil
	}
	d := &w.drawings
	if err := d.load(ctx, o.Draws, w.id); err != nil {
		return OddsStatus{Reason: err.Error()}, ctx.Err()
	}
	st := OddsStatus{On: true}
	open := d.unanswered(w.pool)
	if n := min(d.wanted(), o.QueueSize) - len(open); n > 0 && len(w.pool.open.tasks) > len(open) {
		records, err := w.drawMore(ctx, o, open, n, queue)
		if err != nil {
			return st, err
		}
		if err := o.Draws.PutDraws(ctx, w.id, records); err != nil {
			st = OddsStatus{Reason: err.Error()}
			records = nil
		}
		for i := range records {
			d.add(&records[i])
		}
		open = d.unanswered(w.pool)
	}
	st.Draws, st.Open = len(d.all), len(open)
	return st, w.putFirst(ctx, o, open, queue)
}

// drawMore draws n tasks, fewer when there are not so many.
func (w *worker) drawMore(ctx context.Context, o Options, open []drawnTask, n int, queue *Queue) ([]event.Draw, error) {
	d := &w.drawings
	ranker, err := NewRanker(o)
	if err != nil {
		return nil, err
	}
	drawn := map[event.TaskID]bool{}
	for _, x := range open {
		drawn[x.task] = true
	}
	of := Drawing{Tasks: w.pool.open.tasks, Labelled: w.pool.labelled, Drawn: drawn, Count: n, Number: uint64(len(d.all)), DesignEffect: designEffect}
	draws, err := ranker.Draw(ctx, w.id, of, Draws{coverer: queue.coverer})
	if err != nil {
		return nil, err
	}
	queue.coverer = draws.coverer
	var known []event.TaskID
	for t := range w.pool.labelled {
		if !d.known[t] {
			known = append(known, t)
		}
	}
	slices.Sort(known)
	records := make([]event.Draw, len(draws.Each))
	for i := range records {
		r := draws.Record(i)
		r.Number, r.At = of.Number+uint64(i), time.Now().UTC()
		if i == 0 {
			r.Known = known
		}
		records[i] = r
	}
	return records, nil
}

// putFirst puts draws before the others of a queue. Those are a preview.
func (w *worker) putFirst(ctx context.Context, o Options, open []drawnTask, queue *Queue) error {
	ranker, err := NewRanker(o)
	if err != nil {
		return err
	}
	tasks := make([]event.Task, len(open))
	drawn := make(map[event.TaskID]bool, len(open))
	for i, x := range open {
		tasks[i], _ = w.pool.open.get(x.task)
		drawn[x.task] = true
	}
	scored, err := ranker.scoreAll(ctx, w.id, tasks, nil)
	if err != nil {
		return err
	}
	items := make([]Item, 0, len(queue.Items)+len(open))
	for i, x := range open {
		items = append(items, Item{Task: x.task, Score: scored.all[i].score, Random: x.random, Odds: x.q})
	}
	for _, i := range queue.Items {
		if !drawn[i.Task] {
			i.Random = false // these are no sample that was drawn
			items = append(items, i)
		}
	}
	queue.Items = items[:min(len(items), max(o.QueueSize, len(open)))]
	return nil
}
