package core

import (
	"context"
	"errors"

	"github.com/hone-ml/hone/encode/backfill"
	"github.com/hone-ml/hone/event"
	"github.com/hone-ml/hone/learner"
)

// BackfillOptions are what the workers of slow encoders need beside what the learner gives
// them.
type BackfillOptions struct {
	Vectors backfill.VectorStore
	Tasks   backfill.TaskStore
	// Next is what will be asked next, best first; its texts are encoded before
	// those nobody waits for. It may be nil.
	Next func(event.ProjectID) []event.TaskID
	// Cores is how many batches of each slow encoder run at once in the background, 1 if
	// zero.
	Cores int
}

// Backfills makes the learner's port to the workers of slow encoders. A worker is an
// encoder's alone: one that is down keeps no other waiting.
func Backfills(o BackfillOptions) func(learner.BackfillOptions) (learner.Backfill, error) {
	return func(l learner.BackfillOptions) (learner.Backfill, error) {
		s, err := backfill.New(backfill.Options{
			Encoder: l.Encoder, Retain: l.Retain, Vectors: o.Vectors, Tasks: o.Tasks, Next: o.Next, Cores: max(1, o.Cores),
			Now: l.Now, Logger: l.Logger,
			Metrics: backfill.Metrics{Encoded: l.Encoded, Failures: l.Failures, Unencoded: l.Unencoded},
			Needed: func(p event.ProjectID) backfill.Needed {
				if n := l.Needed(p); n != nil {
					return n
				}
				return nil
			},
			Consume: func(ctx context.Context, p event.ProjectID, a backfill.Arrivals) error {
				return l.Consume(ctx, p, learner.Arrivals(a))
			},
		})
		if err != nil {
			return nil, err
		}
		return backfillPort{s}, nil
	}
}

// backfillPort is a worker in the learner's terms.
type backfillPort struct{ *backfill.Service }

var _ learner.Backfill = backfillPort{}

func (b backfillPort) Progress(p event.ProjectID) learner.BackfillProgress {
	return learner.BackfillProgress(b.Service.Progress(p))
}

func (b backfillPort) WaitIdle(ctx context.Context) error {
	err := b.Service.WaitIdle(ctx)
	if errors.Is(err, backfill.ErrStopped) {
		return learner.ErrClosed
	}
	return err
}
