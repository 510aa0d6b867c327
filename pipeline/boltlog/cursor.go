package boltlog

import (
	"encoding/binary"
	"fmt"
	"time"

	"github.com/hone-ml/hone/event"
	"go.etcd.io/bbolt"
)

var (
	entriesBucket = []byte("log.entries") // topic -> offset -> entry
	cursorsBucket = []byte("log.cursors") // topic -> group -> offset
)

const (
	// Keys only grow, so pages can be filled almost to the brim.
	appendFillPercent = 0.95
	// Deleting waits for this many entries, or for the log to be handled to its
	// end, so that a page is not rewritten for each single one.
	minTruncate = 256
	// At most this many entries are deleted in one transaction, so that a group
	// that catches up after a long time does not stall a commit.
	maxTruncate = 1024
	// Read stops at about this many bytes.
	readBytes = 8 << 20
)

// Register gives a group a cursor at the oldest entry a topic still has, unless
// it has one. From then on nothing the group has not handled is deleted.
func (l *Log) Register(topic, group string) error {
	if err := checkName("topic", topic); err != nil {
		return err
	}
	if err := checkName("group", group); err != nil {
		return err
	}
	known := false
	err := l.read(func(tx *bbolt.Tx) error {
		_, known = readCursor(tx, topic, group)
		return nil
	})
	if err != nil || known {
		return err
	}
	err = l.Update(func(tx *bbolt.Tx) error {
		if _, ok := readCursor(tx, topic, group); ok {
			return nil
		}
		return putCursor(tx, topic, group, oldestOffset(tx, topic)-1)
	})
	if err != nil {
		return fmt.Errorf("register group %s of topic %s: %w", group, topic, err)
	}
	return nil
}

// AdvanceTx moves a group's cursor, or the position of one of its lanes, forward
// inside the caller's transaction, and deletes entries that every group has handled.
// One that is already there or further stays. Moving past the end of the log is an
// error.
func (l *Log) AdvanceTx(tx *bbolt.Tx, c event.Cursor) error {
	if err := checkName("group", c.Group); err != nil {
		return err
	}
	if err := l.reaches(tx, c, c.Offset); err != nil {
		return err
	}
	if c.Lane != 0 {
		return l.advanceLane(tx, c)
	}
	if at, ok := readCursor(tx, string(c.Topic), c.Group); ok && at >= c.Offset {
		return nil
	}
	return l.moveCursor(tx, c)
}

func (l *Log) reaches(tx *bbolt.Tx, c event.Cursor, offset uint64) error {
	if b := tx.Bucket(entriesBucket).Bucket([]byte(c.Topic)); b == nil || offset > b.Sequence() {
		return fmt.Errorf("advance group %s of topic %s to %d: the log does not reach that far", c.Group, c.Topic, offset)
	}
	return nil
}

func (l *Log) moveCursor(tx *bbolt.Tx, c event.Cursor) error {
	topic := string(c.Topic)
	if err := putCursor(tx, topic, c.Group, c.Offset); err != nil {
		return err
	}
	if err := passLanes(tx, c); err != nil {
		return err
	}
	if err := deleteHandled(tx.Bucket(entriesBucket).Bucket([]byte(topic)), lowestCursor(tx, topic)); err != nil {
		return fmt.Errorf("%w: truncate topic %s: %w", ErrStorage, topic, err)
	}
	return nil
}

// Advance is AdvanceTx in a transaction of its own; it writes nothing when the
// cursor is already there.
func (l *Log) Advance(c event.Cursor) error {
	done, err := l.hasPassed(c)
	if err != nil || done {
		return err
	}
	return l.Update(func(tx *bbolt.Tx) error { return l.AdvanceTx(tx, c) })
}

// Cursor returns the offset up to which a group has handled a topic; for a group
// that is not registered, the offset before the oldest entry.
func (l *Log) Cursor(topic, group string) (at uint64, err error) {
	err = l.read(func(tx *bbolt.Tx) error {
		at = cursorOrStart(tx, topic, group)
		return nil
	})
	return at, err
}

// Last returns the offset of the last entry a topic was ever given, 0 before the
// first.
func (l *Log) Last(topic string) (at uint64, err error) {
	err = l.read(func(tx *bbolt.Tx) error {
		if b := tx.Bucket(entriesBucket).Bucket([]byte(topic)); b != nil {
			at = b.Sequence()
		}
		return nil
	})
	return at, err
}

// Read returns the entries after an offset in order, at most most of them, and
// fewer when they add up to more than 8 MiB, but at least one if there is one.
func (l *Log) Read(topic string, after uint64, most int) (entries []Entry, err error) {
	err = l.read(func(tx *bbolt.Tx) error {
		b := tx.Bucket(entriesBucket).Bucket([]byte(topic))
		if b == nil {
			return nil
		}
		c, size := b.Cursor(), 0
		for k, v := c.Seek(offsetKey(after + 1)); k != nil && len(entries) < most; k, v = c.Next() {
			if size += len(v); size > readBytes && len(entries) > 0 {
				break
			}
			entries = append(entries, readEntry(k, v))
		}
		return nil
	})
	return entries, err
}

// Get returns one entry, and false when it is not there.
func (l *Log) Get(topic string, offset uint64) (e Entry, ok bool, err error) {
	err = l.read(func(tx *bbolt.Tx) error {
		b := tx.Bucket(entriesBucket).Bucket([]byte(topic))
		if b == nil {
			return nil
		}
		if v := b.Get(offsetKey(offset)); v != nil {
			e, ok = readEntry(offsetKey(offset), v), true
		}
		return nil
	})
	return e, ok, err
}

// Count returns how many entries a topic holds. It visits each key.
func (l *Log) Count(topic string) (n int, err error) {
	err = l.read(func(tx *bbolt.Tx) error {
		b := tx.Bucket(entriesBucket).Bucket([]byte(topic))
		if b == nil {
			return nil
		}
		c := b.Cursor()
		for k, _ := c.First(); k != nil; k, _ = c.Next() {
			n++
		}
		return nil
	})
	return n, err
}

// Lag returns how many entries of a topic a group has not handled yet, and when
// the oldest of them was appended (zero when there is none).
func (l *Log) Lag(topic, group string) (entries uint64, since time.Time, err error) {
	err = l.read(func(tx *bbolt.Tx) error {
		b := tx.Bucket(entriesBucket).Bucket([]byte(topic))
		if b == nil {
			return nil
		}
		at := cursorOrStart(tx, topic, group)
		entries = b.Sequence() - at
		if _, v := b.Cursor().Seek(offsetKey(at + 1)); v != nil {
			// A damaged entry has no time; the lag in entries still tells.
			if t, err := entryTime(v); err == nil {
				since = t
			}
		}
		return nil
	})
	return entries, since, err
}

// next returns the entry a group has to handle next.
func (l *Log) next(topic, group string) (e Entry, ok bool, err error) {
	err = l.read(func(tx *bbolt.Tx) error {
		b := tx.Bucket(entriesBucket).Bucket([]byte(topic))
		if b == nil {
			return nil
		}
		if k, v := b.Cursor().Seek(offsetKey(cursorOrStart(tx, topic, group) + 1)); k != nil {
			e, ok = readEntry(k, v), true
		}
		return nil
	})
	return e, ok, err
}

func (l *Log) read(fn func(tx *bbolt.Tx) error) error {
	if err := l.db.View(fn); err != nil {
		return fmt.Errorf("%w: %w", ErrStorage, err)
	}
	return nil
}

func readCursor(tx *bbolt.Tx, topic, group string) (uint64, bool) {
	b := tx.Bucket(cursorsBucket).Bucket([]byte(topic))
	if b == nil {
		return 0, false
	}
	return decodeCursor(b.Get([]byte(group)))
}

func decodeCursor(v []byte) (uint64, bool) {
	if len(v) != 8 {
		return 0, false
	}
	return binary.BigEndian.Uint64(v), true
}

func cursorOrStart(tx *bbolt.Tx, topic, group string) uint64 {
	if at, ok := readCursor(tx, topic, group); ok {
		return at
	}
	return oldestOffset(tx, topic) - 1
}

func putCursor(tx *bbolt.Tx, topic, group string, offset uint64) error {
	b, err := tx.Bucket(cursorsBucket).CreateBucketIfNotExists([]byte(topic))
	if err == nil {
		err = b.Put([]byte(group), offsetKey(offset))
	}
	if err != nil {
		return fmt.Errorf("%w: write the cursor of group %s, topic %s: %w", ErrStorage, group, topic, err)
	}
	return nil
}

// oldestOffset returns the offset of the first entry a topic has, or will have.
func oldestOffset(tx *bbolt.Tx, topic string) uint64 {
	b := tx.Bucket(entriesBucket).Bucket([]byte(topic))
	if b == nil {
		return 1
	}
	if k, _ := b.Cursor().First(); k != nil {
		return keyOffset(k)
	}
	return b.Sequence() + 1
}

// lowestCursor returns the offset that every registered group of a topic has handled.
func lowestCursor(tx *bbolt.Tx, topic string) uint64 {
	low := ^uint64(0)
	c := tx.Bucket(cursorsBucket).Bucket([]byte(topic)).Cursor()
	for k, v := c.First(); k != nil; k, v = c.Next() {
		if at, ok := decodeCursor(v); ok {
			low = min(low, at)
		}
	}
	return low
}

func deleteHandled(b *bbolt.Bucket, low uint64) error {
	k, _ := b.Cursor().First()
	if k == nil {
		return nil
	}
	first := keyOffset(k)
	if first > low || (low-first+1 < minTruncate && low < b.Sequence()) {
		return nil
	}
	b.FillPercent = appendFillPercent
	for last := min(low, first+maxTruncate-1); first <= last; first++ {
		if err := b.Delete(offsetKey(first)); err != nil {
			return err
		}
	}
	return nil
}
