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

// retryDelays are the pauses between attempts after failures.
var retryDelays = backoff.Exponential{Min: 100 * time.Millisecond, Max: 30 * time.Second}

// maxQueuedProjects bounds the queue. More projects than that are replaced by project 0,
// which stands for all.
const maxQueuedProjects = 64

// retryQueue performs an action for projects in the background: soon after a project was
// added, again and again until it succeeds, and at most once in each spacing. A project
// that is added while the action runs for it is handled once more. Its methods may be
// called concurrently.
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

// Add adds a project and the reason; project 0 stands for every project.
func (d *retryQueue) Add(p event.ProjectID, why string) {
	d.mu.Lock()
	d.enqueue(p, why)
	d.mu.Unlock()
	d.wake.Set()
}

// Len returns how many projects wait.
func (d *retryQueue) Len() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return len(d.reasons)
}

// retryNow ends the pause after a failure, because its cause may be gone.
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

// runAll performs the action for all projects that wait now and keeps those for which it
// failed. It returns for how many it succeeded, and whether for all.
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
