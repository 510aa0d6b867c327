// Package core builds the part of hone that receives and learns: event log, pipeline and learner
// on one database. A whole hone, the benchmark and the simulation of labelling share it.
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
	// LearnBatch is the number of events that the learner applies in one transaction at most.
	LearnBatch = 256
)

// Core is the part of hone that learns. New sets the fields, which do not change. The type of each
// says how it may be used concurrently.
type Core struct {
	// EventLog and Pipeline are nil with Options.WithoutLog.
	EventLog *boltlog.Log
	Pipeline *pipeline.Pipeline
	Learner  *learner.Learner
}

// Options configure a Core.
type Options struct {
	Log      boltlog.Options
	Pipeline pipeline.Options
	// Learner configures the learner. New sets Tasks and NewBackfill, so that slow encoders
	// read tasks from the database and store vectors there.
	Learner learner.Options
	// Next and EncodeCores are Next and Cores of BackfillOptions.
	Next        func(event.ProjectID) []event.TaskID
	EncodeCores int
	// WithoutLog leaves the log out: the caller hands events to the learner.
	WithoutLog bool
	// Store, unless nil, wraps the store that the learner commits to.
	Store func(learner.Store) learner.Store
}

// New builds a Core on a database. The caller loads and starts the learner, and closes the database
// after the Core. The errors are those of the parts.
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

// Close stops the learner, which stores its models, and closes the log. It must not be called
// while the pipeline runs.
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
