package app

import (
	"context"
	"fmt"

	"go.etcd.io/bbolt"

	"github.com/hone-ml/hone/event"
	"github.com/hone-ml/hone/internal/fault"
	"github.com/hone-ml/hone/learner"
	"github.com/hone-ml/hone/pipeline"
	"github.com/hone-ml/hone/pipeline/boltlog"
	"github.com/hone-ml/hone/state"
)

// txStore is the learner's store: what a batch changed, the model, the log's
// cursor and what follows for the sampler become durable together.
type txStore struct {
	*state.Store
	pipe *pipeline.Pipeline
	log  *boltlog.Log
}

var _ learner.Store = txStore{}

func (l txStore) Commit(ctx context.Context, c event.Commit) error {
	if fault.On(fault.CursorAlone) && c.Cursor != nil {
		cur := *c.Cursor
		if err := l.DB().Update(func(tx *bbolt.Tx) error { return l.log.AdvanceTx(tx, cur) }); err != nil {
			return err
		}
	}
	events := make([]event.Event, 0, len(c.Learned)+len(c.Projects))
	for _, e := range c.Learned {
		events = append(events, e)
	}
	for _, p := range c.Projects {
		if e := reconcileFor(p); e != nil {
			events = append(events, e)
		}
	}
	write, err := l.Prepare(c)
	if err != nil {
		return err
	}
	alongside, err := l.pipe.InTx(c.Cursor, events...)
	if err != nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	// Lanes, and webhooks, share a transaction where they come at the same time; what is
	// refused is taken out of it.
	err = l.log.Update(func(tx *bbolt.Tx) error {
		if err := write(tx); err != nil {
			return err
		}
		return alongside(tx)
	})
	if err != nil {
		return fmt.Errorf("commit (nothing was stored): %w", err)
	}
	return nil
}
