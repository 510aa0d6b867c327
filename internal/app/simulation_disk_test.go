package app_test

import (
	"context"
	"io/fs"
	"maps"
	"math/rand/v2"
	"slices"
	"sync"
	"syscall"
	"time"

	"github.com/hone-ml/hone/event"
	"github.com/hone-ml/hone/internal/app"
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
	failed  int // writes
	lanes   map[event.ProjectID]*progress
}

// progress is how far a project's entries in the log are learned.
type progress struct {
	applied, tried uint64
	// sure is what was applied before a commit that was under way when hone was killed;
	// otherwise the same as applied.
	sure uint64
}

func (d *disk) lane(id event.ProjectID) *progress {
	if d.lanes == nil {
		d.lanes = map[event.ProjectID]*progress{}
	}
	if d.lanes[id] == nil {
		d.lanes[id] = &progress{}
	}
	return d.lanes[id]
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
		applied := d.lane(cur.Lane).applied
		d.mu.Unlock()
		if n := ownEntries(r.app, cur.Lane, applied, cur.Offset); n != len(batch) && !r.dead.Load() {
			d.w.wrong("project %d is given %d entries up to %d of the log, but %d are its own after entry %d", cur.Lane, len(batch), cur.Offset, n, applied)
		}
		if !r.dead.Load() {
			d.mu.Lock()
			d.lane(cur.Lane).tried = cur.Offset
			d.mu.Unlock()
		}
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

// ownEntries counts the entries of the log that concern a project.
func ownEntries(a *app.App, id event.ProjectID, after, to uint64) (n int) {
	for after < to {
		entries, err := a.EventLog.Read(string(event.Changes), after, 256)
		if err != nil || len(entries) == 0 {
			return n
		}
		for _, e := range entries {
			if after = e.Offset; after > to {
				break
			}
			ev, err := event.Decode(e.Payload)
			if err != nil {
				continue
			}
			if ev.ProjectOf() == id || event.ForAll(ev) {
				n++
			}
		}
	}
	return n
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
	err := s.learnerStore.Commit(ctx, c)
	if err == nil {
		d.committed(c, s.life.dead.Load())
		if !s.life.dead.Load() {
			d.dies(s.life)
		}
	}
	return err
}

// begins compares where a hone begins to read the log with what was applied.
func (d *disk) begins(base uint64, beyond map[event.ProjectID]uint64) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, id := range slices.Sorted(maps.Keys(d.lanes)) {
		p, at := d.lanes[id], max(base, beyond[id])
		if at < p.sure {
			d.w.wrong("project %d starts after entry %d of the log, but has applied those to %d", id, at, p.sure)
		}
		if p.tried > p.applied && at >= p.tried {
			d.w.wrong("project %d starts after entry %d of the log, but has applied those to %d and tried %d in vain", id, at, p.applied, p.tried)
		}
		p.applied = min(p.applied, at)
		p.sure, p.tried = p.applied, p.applied
	}
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
func (d *disk) committed(c event.Commit, dead bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if c.Cursor == nil {
		return
	}
	p := d.lane(c.Cursor.Lane)
	if c.Cursor.Offset <= p.applied {
		d.w.wrong("entry %d of the log is applied to project %d once more", c.Cursor.Offset, c.Cursor.Lane)
	}
	if !dead {
		p.sure = c.Cursor.Offset
	}
	p.applied = c.Cursor.Offset
}
