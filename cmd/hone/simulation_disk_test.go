package main

import (
	"context"
	"io/fs"
	"math/rand/v2"
	"sync"
	"syscall"
	"time"

	"github.com/hone-ml/hone/event"
	"github.com/hone-ml/hone/learner"
	"github.com/hone-ml/hone/pipeline"
)

// disk is under hone's store and log.
type disk struct {
	w *world

	mu      sync.Mutex
	full    span
	refuse  int // so many commits fail
	held    event.ProjectID
	stuck   span
	deathIn int // so many writes until a kill, from 1; 0 for none
	batch   int // entries in the learner's hands
	applied uint64
	failed  int    // writes
	unsure  uint64 // applied before a commit that was under way when hone was killed
}

var errDisk error = &fs.PathError{Op: "write", Path: "hone.db", Err: syscall.ENOSPC}

func (d *disk) repair() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.full, d.stuck, d.refuse, d.deathIn = span{}, span{}, 0, 0
}

// failures are how many writes have failed.
func (d *disk) failures() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.failed
}

// fails is the fate of a write.
func (d *disk) fails(r *life) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	switch {
	case r.dead.Load(), d.full.on():
	case d.refuse > 0:
		d.refuse--
	default:
		return nil
	}
	d.failed++
	return errDisk
}

// dies kills hone if this is the moment.
func (d *disk) dies(r *life) bool {
	d.mu.Lock()
	now := d.deathIn == 1
	d.deathIn = max(0, d.deathIn-1)
	d.mu.Unlock()
	if now {
		d.w.kill(r)
	}
	return r.dead.Load()
}

func (d *disk) beforeAppend(r *life, _ string) error {
	if err := d.fails(r); err != nil {
		return err
	}
	if d.dies(r) {
		return errDisk
	}
	return nil
}

func (d *disk) batches(r *life, h pipeline.Handler) pipeline.Handler {
	return func(ctx context.Context, batch []event.Event, cur event.Cursor) error {
		d.mu.Lock()
		d.batch = len(batch)
		d.mu.Unlock()
		// The more so where others write at the same time.
		takes := rand.New(rand.NewPCG(d.w.seed, cur.Offset)).Int64N(int64(20 * time.Millisecond))
		t := time.NewTimer(time.Duration(takes))
		defer t.Stop()
		select {
		case <-t.C:
		case <-r.stopping: // the router waits for its handlers with a lock, which stops the clock
		}
		return h(ctx, batch, cur)
	}
}

type learnerStore = learner.Store

// ledgerSpy sees what the learner commits.
type ledgerSpy struct {
	learnerStore
	w    *world
	life *life
}

func (s *ledgerSpy) Commit(ctx context.Context, c event.Commit) error {
	d := s.w.disk
	if err := d.fails(s.life); err != nil {
		return err
	}
	if d.dies(s.life) || d.isHeld(c) {
		return errDisk
	}
	before := d.at()
	err := s.learnerStore.Commit(ctx, c)
	if err == nil {
		d.committed(c)
		if s.life.dead.Load() {
			d.mu.Lock()
			d.unsure = before
			d.mu.Unlock()
		} else {
			d.dies(s.life)
		}
	}
	return err
}

func (d *disk) at() uint64 {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.applied
}

// begins compares where a hone begins to read the log with what was applied.
func (d *disk) begins(at uint64) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if at != d.applied && (d.unsure == 0 || at != d.unsure) {
		d.w.wrong("hone starts after entry %d of the log, but has applied those to %d", at, d.applied)
	}
	d.applied, d.unsure = at, 0
}

func (d *disk) isHeld(c event.Commit) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, p := range c.Projects {
		if p.Project == d.held && d.stuck.on() {
			d.failed++
			return true
		}
	}
	return false
}

// committed sees to it that every entry of the log is applied once.
func (d *disk) committed(c event.Commit) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if c.Cursor == nil {
		return
	}
	if from := c.Cursor.Offset - uint64(d.batch); from != d.applied {
		d.w.wrong("entries %d to %d of the log are applied after entry %d", from+1, c.Cursor.Offset, d.applied)
	}
	d.applied = c.Cursor.Offset
}
