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

// txStore is the learner's store: what a batch changed, the model, the log's
// cursor and what follows for the sampler become durable together.
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
	// Lanes, and webhooks, share a transaction where they come at the same time; what is
	// refused is taken out of it.
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

// reconcileFor is what Label Studio has to be asked because of a batch, nil for nothing.
func reconcileFor(p event.ProjectCommit) *event.ReconcileDue {
	if p.Delta == nil || !p.Delta.Doubts.Project && len(p.Delta.Doubts.Tasks) == 0 {
		return nil
	}
	return &event.ReconcileDue{
		Project: p.Project, At: time.Now(), Reason: "only Label Studio can tell",
		Tasks: p.Delta.Doubts.Tasks, Changed: p.Delta.Doubts.Project,
	}
}

// stateStore is the learner's store without a log: a commit leaves out the log's
// cursor and what follows from a batch.
type stateStore struct{ *state.Store }

var _ learner.Store = stateStore{}

func (s stateStore) Commit(ctx context.Context, c event.Commit) error {
	return s.Store.Commit(ctx, c)
}

// WithoutLog makes a database the store of a learner that is told its changes by a
// caller and not by the log. The cursors it is told are not kept.
func WithoutLog(s *state.Store) learner.Store { return stateStore{s} }
