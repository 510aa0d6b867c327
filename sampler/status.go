package sampler

import (
	"slices"
	"sync"
	"time"

	"github.com/hone-ml/hone/event"
	"github.com/hone-ml/hone/sampler/push"
)

// Status is the state of one project's queue.
type Status struct {
	// Strategy is the one that is configured, RankedBy the one that ranked the queue: margin
	// where it stands in for one that looks at tasks together and cannot, and random where
	// the model knows nothing; "" before the first ranking.
	Strategy string `json:"strategy"`
	RankedBy string `json:"ranked_by,omitempty"`
	// Version is the model version the queue was ranked with.
	Version string `json:"version"`
	// Labels is how many labels the model knew, at the least, that ranked it.
	Labels int `json:"labels"`
	// Pool counts the tasks nobody has labelled or skipped.
	Pool    int `json:"pool"`
	Skipped int `json:"skipped"`
	// NoText and IdenticalPairs count the tasks of the pool whose data lack a text, or a
	// difference between two.
	NoText         int `json:"no_text,omitempty"`
	IdenticalPairs int `json:"identical_pairs,omitempty"`
	// Confidence is, by control, that of the model in its answers to the pool, from a sample
	// of it. Controls without classes are missing, and all under the strategy random, which
	// does not predict.
	Confidence map[string]event.Confidence `json:"confidence,omitempty"`
	// Odds says how far draws with known odds are.
	Odds OddsStatus `json:"odds"`
	// Queue is what to ask next, best first.
	Queue []Item `json:"queue"`
	// Pushed is how many places of the queue, from the front, Label Studio has.
	Pushed int `json:"pushed"`
	// Complete is true when Label Studio was seen to hold all of the queue that it takes,
	// Snapshot the number of the last one that a Learned told of before the queue was ranked.
	Complete bool   `json:"complete"`
	Snapshot uint64 `json:"snapshot"`
	// Rank counts the rankings so far.
	Rank     uint64    `json:"rank"`
	LastRank time.Time `json:"last_rank,omitzero"`
	LastPush time.Time `json:"last_push,omitzero"`
	// ReadyLag and FrontLag, in nanoseconds, are those of the last queue that an
	// annotation caused: until it was ranked, and until Label Studio had its first task.
	ReadyLag time.Duration `json:"ready_lag"`
	FrontLag time.Duration `json:"head_lag"`
	// Stored says how far the predictions that Label Studio holds are what they should be.
	Stored push.Stored `json:"stored"`
	// Note says in a sentence why Label Studio does not have the queue; it is
	// empty when all is well.
	Note string `json:"note,omitempty"`
}

// statusBoard holds a project's status. Its methods may be called concurrently.
type statusBoard struct {
	mu sync.Mutex
	st Status // guarded by mu
}

func (b *statusBoard) set(f func(*Status)) {
	b.mu.Lock()
	defer b.mu.Unlock()
	f(&b.st)
}

// get returns the status with a queue of the caller's own.
func (b *statusBoard) get() Status {
	b.mu.Lock()
	defer b.mu.Unlock()
	st := b.st
	st.Queue = slices.Clone(st.Queue)
	return st
}

// holdsQueued reports whether Label Studio is thought to hold a place of the queue
// for any of the tasks.
func (b *statusBoard) holdsQueued(tasks []event.Task) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, i := range b.st.Queue[:min(b.st.Pushed, len(b.st.Queue))] {
		if slices.ContainsFunc(tasks, func(t event.Task) bool { return t.ID == i.Task }) {
			return true
		}
	}
	return false
}
