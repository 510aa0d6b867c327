package evaluate

import (
	"cmp"
	"context"
	"encoding/binary"
	"errors"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/cespare/xxhash/v2"
	"github.com/sirupsen/logrus"

	"github.com/hone-ml/hone/event"
	"github.com/hone-ml/hone/internal/logging"
	"github.com/hone-ml/hone/internal/service"
)

// every is the number of labels of which one more has the accuracy estimated again. With more
// labels it takes as many more, in proportion.
const every = 50

// budget bounds about how long each head is evaluated.
const budget = 2 * time.Second

// Models predicts labelled tasks by models that have not learned them.
type Models interface {
	// Progress returns how many annotations a project's models have learned from, and the
	// number of their snapshot. It must not wait for learning.
	Progress(p event.ProjectID) (labels int, snapshot uint64)
	// LeaveOneOut predicts the first of these tasks that are labelled: a bounded number, and
	// fewer when a head takes longer than the budget.
	LeaveOneOut(ctx context.Context, p event.ProjectID, tasks []event.TaskID, budget time.Duration) (event.LeftOut, error)
}

// Pool says how confident the models are over the tasks that nobody has labelled, by control.
type Pool interface {
	Confidence(p event.ProjectID) map[string]event.Confidence
}

// Store keeps how tasks were asked, and the estimates. What it puts is durable.
type Store interface {
	Acquisitions(ctx context.Context, p event.ProjectID) (map[event.TaskID]event.Acquisition, error)
	PutAccuracy(ctx context.Context, p event.ProjectID, point event.AccuracyPoint) error
	AccuracyHistory(ctx context.Context, p event.ProjectID) ([]event.AccuracyPoint, error)
}

// Options configure an Evaluator.
type Options struct {
	Models Models
	Pool   Pool
	Store  Store
	Logger *logrus.Entry
}

func (o *Options) setDefaults() {
	if o.Logger == nil {
		o.Logger = logging.Silent()
	}
}

func (o *Options) validate() error {
	if o.Models == nil || o.Pool == nil || o.Store == nil {
		return errors.New("evaluate: Models, Pool and Store are needed")
	}
	return nil
}

// Evaluator estimates the accuracy of one project after the other, in one goroutine, so that it
// never takes more than one core: Ask for those whose model or labels may have changed. All methods may be called concurrently.
type Evaluator struct {
	*Turns
	o Options

	mu     sync.Mutex
	latest map[event.ProjectID]measurement // guarded by mu
}

// measurement is the last point of a project, and the snapshot it is of; 0 for one of an earlier
// run.
type measurement struct {
	event.AccuracyPoint
	snapshot uint64
}

// New checks the options.
func New(o Options) (*Evaluator, error) {
	o.setDefaults()
	if err := o.validate(); err != nil {
		return nil, err
	}
	e := &Evaluator{o: o, latest: map[event.ProjectID]measurement{}}
	e.Turns = NewTurns(e.evaluate, o.Logger, "the accuracy cannot be estimated; the next label tries it again")
	return e, nil
}

var _ service.Service = (*Evaluator)(nil)

// Latest returns the last point of a project, that of an earlier run included; ok is false when
// there is none.
func (e *Evaluator) Latest(p event.ProjectID) (point event.AccuracyPoint, ok bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	m, ok := e.latest[p]
	return m.AccuracyPoint, ok
}

// evaluate estimates the accuracy of a project, if enough has changed.
func (e *Evaluator) evaluate(ctx context.Context, p event.ProjectID) error {
	last, err := e.last(ctx, p)
	if err != nil {
		return err
	}
	if labels, snapshot := e.o.Models.Progress(p); labels == 0 || !last.isStale(labels, snapshot) {
		return nil
	}
	drawn, err := e.drawn(ctx, p)
	if err != nil {
		return err
	}
	now, err := e.o.Models.LeaveOneOut(ctx, p, drawn, budget)
	if err != nil || now.Labels == 0 {
		return err
	}
	point := event.AccuracyPoint{Labels: now.Labels, At: time.Now().UTC(), Heads: []event.Accuracy{}, Asked: now.Asked}
	pool := e.o.Pool.Confidence(p)
	for _, control := range slices.Sorted(maps.Keys(now.Heads)) {
		if a, ok := Estimate(now.Heads[control], pool[control]); ok {
			a.Control = control
			point.Heads = append(point.Heads, a)
		}
	}
	e.mu.Lock()
	e.latest[p] = measurement{point, now.Snapshot}
	e.mu.Unlock()
	return e.o.Store.PutAccuracy(ctx, p, point)
}

// last returns the last measurement of a project, reading that of an earlier run the first
// time.
func (e *Evaluator) last(ctx context.Context, p event.ProjectID) (measurement, error) {
	e.mu.Lock()
	m, ok := e.latest[p]
	e.mu.Unlock()
	if ok {
		return m, nil
	}
	history, err := e.o.Store.AccuracyHistory(ctx, p)
	if err != nil || len(history) == 0 {
		return m, err
	}
	newest := slices.MaxFunc(history, func(a, b event.AccuracyPoint) int { return a.At.Compare(b.At) })
	m = measurement{AccuracyPoint: newest}
	e.mu.Lock()
	e.latest[p] = m
	e.mu.Unlock()
	return m, nil
}

// isStale reports whether models have changed enough since a measurement.
func (m measurement) isStale(labels int, snapshot uint64) bool {
	if labels == m.Labels {
		return snapshot != m.snapshot && labels <= every
	}
	return max(labels-m.Labels, m.Labels-labels)*every >= labels
}

// drawn returns the tasks that were drawn at random, in an order that depends on nothing but
// their ids: which of many are predicted must not depend on when they were labelled.
func (e *Evaluator) drawn(ctx context.Context, p event.ProjectID) ([]event.TaskID, error) {
	acquired, err := e.o.Store.Acquisitions(ctx, p)
	if err != nil {
		return nil, err
	}
	var out []event.TaskID
	for t, a := range acquired {
		if a.Random {
			out = append(out, t)
		}
	}
	slices.SortFunc(out, func(a, b event.TaskID) int { return cmp.Or(cmp.Compare(hashTask(a), hashTask(b)), cmp.Compare(a, b)) })
	return out, nil
}

func hashTask(t event.TaskID) uint64 {
	return xxhash.Sum64(binary.BigEndian.AppendUint64(nil, uint64(t)))
}
