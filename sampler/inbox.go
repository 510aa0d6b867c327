package sampler

import (
	"context"
	"sync"
	"time"

	"github.com/hone-ml/hone/event"
	"github.com/hone-ml/hone/internal/wake"
	"github.com/hone-ml/hone/sampler/push"
)

// pending holds changes of a project that are not in its queue yet. The zero value only
// requests that the queue be ranked again.
type pending struct {
	wholePool bool // read all tasks again
	tasks     map[event.TaskID]struct{}
	relist    bool      // ask Label Studio again what it holds
	prelabel  time.Time // when predictions for all tasks were asked for; zero if they were not
	changes   changeInterval
	model     modelState
}

// modelState is the state of the learner that a Learned named; the zero value is none.
type modelState struct {
	version  string
	labels   int
	snapshot uint64
}

// learned returns the changes that a Learned event brings.
func learned(l *event.Learned) pending {
	p := pending{
		wholePool: l.All, tasks: make(map[event.TaskID]struct{}, len(l.Tasks)),
		changes: changeInterval{l.Since, l.Since}, model: modelState{l.Version, l.Labels, l.Snapshot},
	}
	for _, t := range l.Tasks {
		p.tasks[t] = struct{}{}
	}
	return p
}

// merge adds what was heard after p.
func (p *pending) merge(later pending) {
	p.wholePool = p.wholePool || later.wholePool
	p.relist = p.relist || later.relist
	if !later.prelabel.IsZero() {
		p.prelabel = later.prelabel
	}
	if p.tasks == nil {
		p.tasks = later.tasks
	} else {
		for t := range later.tasks {
			p.tasks[t] = struct{}{}
		}
	}
	p.changes.widen(later.changes)
	if later.model.version != "" {
		p.model = later.model
	}
}

// inbox holds what a project's worker has to do next. Its methods may be called
// concurrently.
type inbox struct {
	wake wake.Signal // set with every enqueue

	mu      sync.Mutex
	waiting bool    // guarded by mu: pending is to be dealt with
	pending pending // guarded by mu; the zero value unless waiting
}

// newInbox makes an inbox with first in it.
func newInbox(first pending) *inbox {
	return &inbox{wake: wake.New(), waiting: true, pending: first}
}

func (i *inbox) enqueue(p pending) {
	i.mu.Lock()
	i.pending.merge(p)
	i.waiting = true
	i.mu.Unlock()
	i.wake.Set()
}

// drain takes all out; ok is false when nothing waits.
func (i *inbox) drain() (p pending, ok bool) {
	i.mu.Lock()
	defer i.mu.Unlock()
	p, ok = i.pending, i.waiting
	i.pending, i.waiting = pending{}, false
	return p, ok
}

// requeue puts back what was drained and could not be used.
func (i *inbox) requeue(p pending) {
	i.mu.Lock()
	defer i.mu.Unlock()
	p.merge(i.pending)
	i.pending, i.waiting = p, true
}

// Pending implements push.Interrupt.
func (i *inbox) Pending() bool {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.waiting
}

// WaitQuiet implements push.Interrupt. The worker's goroutine calls it.
func (i *inbox) WaitQuiet(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	for !i.Pending() {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-t.C:
			return nil
		case <-i.wake:
		}
	}
	return push.ErrSuperseded
}

var _ push.Interrupt = quietScan{}
