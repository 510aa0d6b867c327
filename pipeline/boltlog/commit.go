package boltlog

import (
	"errors"
	"sync"

	"go.etcd.io/bbolt"

	"github.com/hone-ml/hone/internal/panics"
)

// maxGroup bounds the functions of one transaction, so that nobody waits for
// ever more others.
const maxGroup = 1000

// errAlone tells a caller to run its function in a transaction of its own.
var errAlone = errors.New("failed in a shared transaction")

// committer shares transactions among concurrent callers: a group commit. Who
// comes while the disk is busy, with the log or with anybody else's transaction,
// goes along with the next one, however many they are; who finds it idle waits
// for nobody. bbolt's own db.Batch closes a batch a fixed time after its first
// call, so under load it queues many small batches for the disk, and without
// load it waits for company that does not come.
type committer struct {
	db      *bbolt.DB
	mu      sync.Mutex
	waiting []*call
	running bool
}

type call struct {
	fn   func(tx *bbolt.Tx) error
	done chan error
}

// do runs fn in a transaction and returns after it is on disk. A panic of fn
// reaches the caller.
func (c *committer) do(fn func(tx *bbolt.Tx) error) error {
	own := &call{fn: fn, done: make(chan error, 1)}
	c.mu.Lock()
	c.waiting = append(c.waiting, own)
	if !c.running {
		c.running = true
		go c.run()
	}
	c.mu.Unlock()
	err := <-own.done
	if errors.Is(err, errAlone) {
		return c.db.Update(fn)
	}
	return err
}

// run commits until nobody waits.
func (c *committer) run() {
	for {
		var group []*call
		var failed *call
		err := c.db.Update(func(tx *bbolt.Tx) error {
			group = c.take() // only now, when nobody else holds the database
			for _, x := range group {
				// Alone, it will panic where its caller sees it.
				if panics.Catch(func() error { return x.fn(tx) }) != nil {
					failed = x
					return errAlone
				}
			}
			return nil
		})
		if failed != nil {
			failed.done <- errAlone
			c.putBack(group, failed)
		} else {
			if group == nil {
				group = c.take() // the database could not even begin
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

func (c *committer) take() []*call {
	c.mu.Lock()
	defer c.mu.Unlock()
	n := min(len(c.waiting), maxGroup)
	group := c.waiting[:n:n]
	c.waiting = c.waiting[n:]
	return group
}

// putBack has the others of a failed transaction come first in the next one.
func (c *committer) putBack(group []*call, failed *call) {
	again := make([]*call, 0, len(group))
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
