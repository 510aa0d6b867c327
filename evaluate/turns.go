package evaluate

import (
	"context"
	"maps"
	"slices"
	"sync"

	"github.com/sirupsen/logrus"

	"github.com/hone-ml/hone/event"
	"github.com/hone-ml/hone/internal/service"
	"github.com/hone-ml/hone/internal/wake"
)

// Turns looks at one project after the other, in one goroutine. All methods may be called concurrently.
type Turns struct {
	look   func(context.Context, event.ProjectID) error
	log    *logrus.Entry
	failed string
	life   *service.Life
	wake   wake.Signal

	mu    sync.Mutex
	asked map[event.ProjectID]bool // guarded by mu; to be looked at
}

// NewTurns returns one that calls look, and logs its errors with what has failed, a sentence.
func NewTurns(look func(context.Context, event.ProjectID) error, log *logrus.Entry, failed string) *Turns {
	return &Turns{look: look, log: log, failed: failed, life: service.NewLife(), wake: wake.New(), asked: map[event.ProjectID]bool{}}
}

// Start begins the work, as service.Service says.
func (t *Turns) Start(ctx context.Context) error { return t.life.Start(ctx, t.run) }

// Stop ends the work, as service.Service says.
func (t *Turns) Stop(ctx context.Context) error { return t.life.Stop(ctx) }

var _ service.Service = (*Turns)(nil)

// Ask has a project looked at. It returns at once.
func (t *Turns) Ask(p event.ProjectID) {
	t.mu.Lock()
	t.asked[p] = true
	t.mu.Unlock()
	t.wake.Set()
}

func (t *Turns) run(ctx context.Context) {
	var p event.ProjectID
	for ctx.Err() == nil {
		var ok bool
		if p, ok = t.next(p); !ok {
			select {
			case <-ctx.Done():
			case <-t.wake:
			}
			continue
		}
		if err := t.look(ctx, p); err != nil && ctx.Err() == nil {
			t.log.WithError(err).WithField("project", int64(p)).Warn(t.failed)
		}
	}
}

// next takes one of the projects to look at: the one after the last, so that each has its turn
// however often another is asked about.
func (t *Turns) next(last event.ProjectID) (event.ProjectID, bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	ids := slices.Sorted(maps.Keys(t.asked))
	if len(ids) == 0 {
		return last, false
	}
	at, found := slices.BinarySearch(ids, last)
	if found {
		at++
	}
	p := ids[at%len(ids)]
	delete(t.asked, p)
	return p, true
}
