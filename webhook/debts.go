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

// pauses are those between attempts to pay.
var pauses = backoff.Exponential{Min: 100 * time.Millisecond, Max: 30 * time.Second}

// maxDebtors bounds what is remembered; more than that many projects are all
// projects.
const maxDebtors = 64

// debts remembers which projects are owed something, and a loop pays: soon
// after a debt is made, again and again until it succeeds, and never more often
// than the spacing. A debt made while one is being paid is paid anew.
type debts struct {
	pay     func(context.Context, event.ProjectID, string) error
	spacing time.Duration
	mu      sync.Mutex
	owed    map[event.ProjectID]string // why
	wake    wake.Signal
	hurry   wake.Signal // ends a pause after a failure
}

func newDebts(spacing time.Duration, pay func(context.Context, event.ProjectID, string) error) *debts {
	return &debts{
		pay:     pay,
		spacing: spacing,
		owed:    make(map[event.ProjectID]string),
		wake:    wake.New(),
		hurry:   wake.New(),
	}
}

// owe remembers a debt; project 0 stands for every project.
func (d *debts) owe(p event.ProjectID, why string) {
	d.mu.Lock()
	d.add(p, why)
	d.mu.Unlock()
	d.wake.Set()
}

// outstanding is how many projects are owed something.
func (d *debts) outstanding() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return len(d.owed)
}

// retry ends a wait after a failure: what made it fail may be over.
func (d *debts) retry() { d.hurry.Set() }

func (d *debts) add(p event.ProjectID, why string) {
	if _, all := d.owed[0]; all {
		return
	}
	if p == 0 || len(d.owed) >= maxDebtors {
		clear(d.owed)
		p = 0
	}
	d.owed[p] = why
}

func (d *debts) run(ctx context.Context) {
	for {
		select {
		case <-d.wake:
		case <-ctx.Done():
			return
		}
		paid := 0
		for attempt := 0; ; attempt++ {
			n, all := d.payAll(ctx)
			paid += n
			if all {
				break
			}
			if !backoff.SleepOrWake(ctx, pauses.Delay(attempt), d.hurry) {
				return
			}
		}
		if paid > 0 && !backoff.Sleep(ctx, d.spacing) {
			return
		}
	}
}

// payAll pays what is owed now and keeps what could not be paid. It returns how
// many debts it paid, and whether those were all.
func (d *debts) payAll(ctx context.Context) (paid int, all bool) {
	d.mu.Lock()
	owed := maps.Clone(d.owed)
	clear(d.owed)
	d.mu.Unlock()
	all = true
	for _, p := range slices.Sorted(maps.Keys(owed)) {
		why := owed[p]
		if d.pay(ctx, p, why) == nil {
			paid++
			continue
		}
		all = false
		d.mu.Lock()
		d.add(p, why)
		d.mu.Unlock()
	}
	return paid, all
}
