// Package core builds the part of hone that hears and learns: event log, pipeline and
// learner on one database. A whole hone, the benchmark and the simulation of labelling
// have it in common.
package core

import (
	"context"
	"errors"

	"github.com/hone-ml/hone/event"
	"github.com/hone-ml/hone/learner"
	"github.com/hone-ml/hone/pipeline"
	"github.com/hone-ml/hone/pipeline/boltlog"
	"github.com/hone-ml/hone/state"
)

const (
	// LearnerGroup is the consumer group that applies changes.
	LearnerGroup = "learner"
	// LearnBatch is how many changes the learner takes in one transaction.
	LearnBatch = 256
)

// Core is the part of hone that learns. New writes the fields; each says itself how it
// may be used at once.
type Core struct {
	// EventLog and Pipeline are nil with Options.WithoutLog.
	EventLog *boltlog.Log
	Pipeline *pipeline.Pipeline
	Learner  *learner.Learner
}

// Options are what New needs beside the database.
type Options struct {
	Log      boltlog.Options
	Pipeline pipeline.Options
	// Learner are the learner's. Tasks and NewBackfill are set by New: a slow encoder's
	// vectors and tasks are the database's.
	Learner learner.Options
	// Next and EncodeCores are those of BackfillOptions.
	Next        func(event.ProjectID) []event.TaskID
	EncodeCores int
	// WithoutLog leaves the log out: the learner is told its changes by the caller.
	WithoutLog bool
	// Store, when not nil, is around the store that the learner commits to.
	Store func(learner.Store) learner.Store
}

// New builds a Core on a database, which remains the caller's to close, after the Core. The
// learner is to be started by the caller.
func New(db *state.Store, o Options) (_ *Core, err error) {
	c := new(Core)
	defer func() {
		if err != nil {
			err = errors.Join(err, c.Close())
		}
	}()
	store := WithoutLog(db)
	if !o.WithoutLog {
		if c.EventLog, err = boltlog.New(db.DB(), o.Log); err != nil {
			return nil, err
		}
		if c.Pipeline, err = pipeline.New(c.EventLog, o.Pipeline); err != nil {
			return nil, err
		}
		store = txStore{db, c.Pipeline, c.EventLog}
	}
	if o.Store != nil {
		store = o.Store(store)
	}
	o.Learner.Tasks = db
	o.Learner.NewBackfill = Backfills(BackfillOptions{Vectors: db, Tasks: db, Next: o.Next, Cores: o.EncodeCores})
	if c.Learner, err = learner.New(store, o.Learner); err != nil {
		return nil, err
	}
	return c, nil
}

// Close saves the models and ends the log. It must not be called while the pipeline
// runs.
func (c *Core) Close() error {
	var errs []error
	if c.Learner != nil {
		errs = append(errs, c.Learner.Stop(context.Background()))
	}
	if c.EventLog != nil {
		errs = append(errs, c.EventLog.Close())
	}
	return errors.Join(errs...)
}
