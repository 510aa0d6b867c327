package boltlog

import (
	"errors"
	"sync"

	"go.etcd.io/bbolt"

	"github.com/hone-ml/hone/internal/panics"
)

// maxGroup bounds the number of functions in one transaction, so that no caller waits for
// arbitrarily many others.
const maxGroup = 1000

// errRunAlone tells a caller to run its function in a transaction of its own.
var errRunAlone = errors.New("failed in a shared transaction")

// committer shares transactions among concurrent callers: a group commit. Calls that come
// while the disk is busy, with the log or with another transaction, share the next
// transaction; a call that finds it idle does not wait. bbolt's own db.Batch ends a batch a
// fixed time after its first call: under load it queues many small batches for the disk,
// and without load it waits for calls that do not come.
type committer struct {
	db      *bbolt.DB
	mu      sync.Mutex
	waiting []*commitCall
	running bool
}

type commitCall struct {
	fn   func(tx *bbolt.Tx) error
	done chan error
}

// commit runs fn in a transaction and returns after it is on disk. A panic of fn
// reaches the caller.
func (c *committer) commit(fn func(tx *bbolt.Tx) error) error {
	own := &commitCall{fn: fn, done: make(chan error, 1)}
	c.mu.Lock()
	c.waiting = append(c.waiting, own)
	if !c.running {
		c.running = true
		go c.commitAll()
	}
	c.mu.Unlock()
	err := <-own.done
	if errors.Is(err, errRunAlone) {
		return c.db.Update(fn)
	}
	return err
}

// commitAll commits until nobody waits.
func (c *committer) commitAll() {
	for {
		var group []*commitCall
		var failed *commitCall
		err := c.db.Update(func(tx *bbolt.Tx) error {
			group = c.takeGroup() // only now, when nobody else holds the database
			for _, x := range group {
				// Alone, it will panic where its caller sees it.
				if panics.Catch(func() error { return x.fn(tx) }) != nil {
					failed = x
					return errRunAlone
				}
			}
			return nil
		})
		if failed != nil {
			failed.done <- errRunAlone
			c.putBack(group, failed)
		} else {
			if group == nil {
				group = c.takeGroup() // the database could not even begin
			}
			for _, x := range group {
				x.done <- err
			}
		}
		if c.idle() {
			return
		}
	}
}

func (c *committer) takeGroup() []*commitCall {
	c.mu.Lock()
	defer c.mu.Unlock()
	n := min(len(c.waiting), maxGroup)
	group := c.waiting[:n:n]
	c.waiting = c.waiting[n:]
	return group
}

// putBack puts the other calls of a failed transaction at the front of the next one.
func (c *committer) putBack(group []*commitCall, failed *commitCall) {
	again := make([]*commitCall, 0, len(group))
	for _, x := range group {
		if x != failed {
			again = append(again, x)
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.waiting = append(again, c.waiting...)
}

func (c *committer) idle() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.running = len(c.waiting) > 0
	return !c.running
}
