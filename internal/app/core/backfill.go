package core

import (
	"context"
	"errors"

	"github.com/hone-ml/hone/encode/backfill"
	"github.com/hone-ml/hone/event"
	"github.com/hone-ml/hone/learner"
	"github.com/hone-ml/hone/learner/features"
)

// BackfillOptions configure the workers of slow encoders. The learner gives them the rest.
type BackfillOptions struct {
	Vectors backfill.VectorStore
	Tasks   backfill.TaskStore
	// Next returns the tasks that will be asked next, best first. They are encoded before
	// other tasks without labels. It may be nil.
	Next func(event.ProjectID) []event.TaskID
	// Cores is the number of batches that each slow encoder encodes at once in the background,
	// 1 if zero.
	Cores int
}

// Backfills returns a constructor of backfills for learner.Options.NewBackfill. Each slow encoder
// has a worker of its own, so that one that is down does not delay others.
func Backfills(o BackfillOptions) func(features.BackfillOptions) (features.Backfill, error) {
	return func(l features.BackfillOptions) (features.Backfill, error) {
		s, err := backfill.New(backfill.Options{
			Encoder: l.Encoder, Retain: l.Retain, Sample: l.Sample, Vectors: o.Vectors, Tasks: o.Tasks, Next: o.Next, Cores: max(1, o.Cores),
			Now: l.Now, Logger: l.Logger,
			Metrics: backfill.Metrics{Encoded: l.Encoded, Failures: l.Failures, Unencoded: l.Unencoded},
			Needed: func(p event.ProjectID) backfill.Needed {
				if n := l.Needed(p); n != nil {
					return n
				}
				return nil
			},
			Consume: func(ctx context.Context, p event.ProjectID, a backfill.Arrivals) error {
				return l.Consume(ctx, p, features.Arrivals(a))
			},
		})
		if err != nil {
			return nil, err
		}
		return backfillPort{s}, nil
	}
}

// backfillPort adapts a backfill.Service to features.Backfill.
type backfillPort struct{ *backfill.Service }

var _ features.Backfill = backfillPort{}

func (b backfillPort) Progress(p event.ProjectID) features.BackfillProgress {
	return features.BackfillProgress(b.Service.Progress(p))
}

func (b backfillPort) WaitIdle(ctx context.Context) error {
	err := b.Service.WaitIdle(ctx)
	if errors.Is(err, backfill.ErrStopped) {
		return learner.ErrClosed
	}
	return err
}
