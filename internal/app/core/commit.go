package core

import (
	"context"
	"fmt"
	"time"

	"go.etcd.io/bbolt"

	"github.com/hone-ml/hone/event"
	"github.com/hone-ml/hone/internal/fault"
	"github.com/hone-ml/hone/learner"
	"github.com/hone-ml/hone/pipeline"
	"github.com/hone-ml/hone/pipeline/boltlog"
	"github.com/hone-ml/hone/state"
)

// txStore is the learner's store. One transaction holds what a batch changed, the models, the
// log's cursor and the events for the sampler and the reconciler.
type txStore struct {
	*state.Store
	pipe *pipeline.Pipeline
	log  *boltlog.Log
}

var _ learner.Store = txStore{}

func (s txStore) Commit(ctx context.Context, c event.Commit) error {
	if fault.On(fault.CursorAlone) && c.Cursor != nil {
		cur := *c.Cursor
		if err := s.DB().Update(func(tx *bbolt.Tx) error { return s.log.AdvanceTx(tx, cur) }); err != nil {
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
	write, err := s.Prepare(c)
	if err != nil {
		return err
	}
	alongside, err := s.pipe.PublishTx(c.Cursor, events...)
	if err != nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	// Lanes and webhooks that commit at the same time share a transaction. One that fails is
	// taken out of it.
	err = s.log.Update(func(tx *bbolt.Tx) error {
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

// reconcileFor returns the request to read from Label Studio what a batch left in doubt, nil if
// there is none.
func reconcileFor(p event.ProjectCommit) *event.ReconcileDue {
	if p.Delta == nil || !p.Delta.Doubts.Project && len(p.Delta.Doubts.Tasks) == 0 {
		return nil
	}
	return &event.ReconcileDue{
		Project: p.Project, At: time.Now(), Reason: "only Label Studio can tell",
		Tasks: p.Delta.Doubts.Tasks, Changed: p.Delta.Doubts.Project,
	}
}

// stateStore is the learner's store without a log. It does not store cursors or publish events.
type stateStore struct{ *state.Store }

var _ learner.Store = stateStore{}

func (s stateStore) Commit(ctx context.Context, c event.Commit) error {
	return s.Store.Commit(ctx, c)
}

// WithoutLog returns a learner's store on a database, for a learner to which a caller, and no log,
// hands events. It does not store cursors.
func WithoutLog(s *state.Store) learner.Store { return stateStore{s} }
