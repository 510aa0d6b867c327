package webhook

import (
	"context"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/hone-ml/hone/event"
	"github.com/hone-ml/hone/internal/backoff"
	"github.com/hone-ml/hone/internal/wake"
)

// retryDelays are those between attempts to pay.
var retryDelays = backoff.Exponential{Min: 100 * time.Millisecond, Max: 30 * time.Second}

// maxQueuedProjects bounds what is remembered; more than that many projects are all
// projects.
const maxQueuedProjects = 64

// retryQueue remembers which projects are owed something, and a loop pays: soon
// after a debt is made, again and again until it succeeds, and never more often
// than the spacing. A debt made while one is being paid is paid anew.
type retryQueue struct {
	perform     func(context.Context, event.ProjectID, string) error
	spacing     time.Duration
	mu          sync.Mutex
	reasons     map[event.ProjectID]string // why
	wake        wake.Signal
	retrySignal wake.Signal // ends a pause after a failure
}

func newRetryQueue(spacing time.Duration, perform func(context.Context, event.ProjectID, string) error) *retryQueue {
	return &retryQueue{
		perform:     perform,
		spacing:     spacing,
		reasons:     make(map[event.ProjectID]string),
		wake:        wake.New(),
		retrySignal: wake.New(),
	}
}

// Add remembers a debt; project 0 stands for every project.
func (d *retryQueue) Add(p event.ProjectID, why string) {
	d.mu.Lock()
	d.enqueue(p, why)
	d.mu.Unlock()
	d.wake.Set()
}

// Len is how many projects are owed something.
func (d *retryQueue) Len() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return len(d.reasons)
}

// retryNow ends a wait after a failure: what made it fail may be over.
func (d *retryQueue) retryNow() { d.retrySignal.Set() }

func (d *retryQueue) enqueue(p event.ProjectID, why string) {
	if _, all := d.reasons[0]; all {
		return
	}
	if p == 0 || len(d.reasons) >= maxQueuedProjects {
		clear(d.reasons)
		p = 0
	}
	d.reasons[p] = why
}

func (d *retryQueue) run(ctx context.Context) {
	for {
		select {
		case <-d.wake:
		case <-ctx.Done():
			return
		}
		paid := 0
		for attempt := 0; ; attempt++ {
			n, all := d.runAll(ctx)
			paid += n
			if all {
				break
			}
			if !backoff.SleepOrWake(ctx, retryDelays.Delay(attempt), d.retrySignal) {
				return
			}
		}
		if paid > 0 && !backoff.Sleep(ctx, d.spacing) {
			return
		}
	}
}

// runAll pays what is owed now and keeps what could not be paid. It returns how
// many debts it paid, and whether those were all.
func (d *retryQueue) runAll(ctx context.Context) (paid int, all bool) {
	d.mu.Lock()
	owed := maps.Clone(d.reasons)
	clear(d.reasons)
	d.mu.Unlock()
	all = true
	for _, p := range slices.Sorted(maps.Keys(owed)) {
		why := owed[p]
		if d.perform(ctx, p, why) == nil {
			paid++
			continue
		}
		all = false
		d.mu.Lock()
		d.enqueue(p, why)
		d.mu.Unlock()
	}
	return paid, all
}
