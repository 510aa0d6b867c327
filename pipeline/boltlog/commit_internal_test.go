package boltlog

import (
	"errors"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"go.etcd.io/bbolt"
)

// while holds the database until n calls wait for it, and returns when all are done.
func while(t *testing.T, c *committer, n int, start func(i int)) {
	t.Helper()
	var all sync.WaitGroup
	err := c.db.Update(func(*bbolt.Tx) error {
		for i := range n {
			all.Go(func() { start(i) })
		}
		tick := time.NewTicker(time.Millisecond)
		defer tick.Stop()
		for waiting := 0; waiting < n; <-tick.C {
			c.mu.Lock()
			waiting = len(c.waiting)
			c.mu.Unlock()
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	all.Wait()
}

func newCommitter(t *testing.T) *committer {
	t.Helper()
	db, err := bbolt.Open(filepath.Join(t.TempDir(), "x.db"), 0o600, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	return &committer{db: db}
}

// Whoever comes while the database is busy goes along with the next transaction.
func TestWaitingCallsShareATransaction(t *testing.T) {
	c := newCommitter(t)
	const n = 500
	ids := make([]int, n)
	while(t, c, n, func(i int) {
		if err := c.commit(func(tx *bbolt.Tx) error { ids[i] = tx.ID(); return nil }); err != nil {
			t.Error(err)
		}
	})
	for i, id := range ids {
		if id != ids[0] {
			t.Fatalf("call %d went with transaction %d, call 0 with %d", i, id, ids[0])
		}
	}
}

// A failing or panicking neighbour has the effects of nobody else's function lost
// or doubled, and its own not stored; each caller learns of its own fate only.
func TestNeighboursThatFail(t *testing.T) {
	c := newCommitter(t)
	bucket := []byte("b")
	if err := c.commit(func(tx *bbolt.Tx) error { _, err := tx.CreateBucket(bucket); return err }); err != nil {
		t.Fatal(err)
	}
	no := errors.New("no")
	const n = 40
	while(t, c, n, func(i int) {
		defer func() {
			if p := recover(); (p != nil) != (i%8 == 1) {
				t.Errorf("call %d: panic %v", i, p)
			}
		}()
		err := c.commit(func(tx *bbolt.Tx) error {
			seq, err := tx.Bucket(bucket).NextSequence()
			if err != nil {
				return err
			}
			if err := tx.Bucket(bucket).Put([]byte{byte(seq)}, []byte{byte(i)}); err != nil {
				return err
			}
			switch i % 8 {
			case 0:
				return no
			case 1:
				panic("oh")
			}
			return nil
		})
		if wrong := i%8 == 0; errors.Is(err, no) != wrong || (err != nil) != wrong {
			t.Errorf("call %d: %v", i, err)
		}
	})
	err := c.db.View(func(tx *bbolt.Tx) error {
		seen := map[byte]bool{}
		err := tx.Bucket(bucket).ForEach(func(k, v []byte) error {
			if seen[v[0]] || v[0]%8 < 2 || int(k[0]) > n*6/8 {
				t.Errorf("entry %d is of call %d", k[0], v[0])
			}
			seen[v[0]] = true
			return nil
		})
		if len(seen) != n*6/8 {
			t.Errorf("%d calls are stored, want %d", len(seen), n*6/8)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestCommitToAClosedDatabase(t *testing.T) {
	c := newCommitter(t)
	if err := c.db.Close(); err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	for range 20 {
		all.Go(func() {
			if err := c.commit(func(*bbolt.Tx) error { return nil }); err == nil {
				t.Error("no error")
			}
		})
	}
	all.Wait()
}
