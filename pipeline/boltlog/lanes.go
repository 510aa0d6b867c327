package boltlog

import (
	"fmt"

	"github.com/hone-ml/hone/event"
	"go.etcd.io/bbolt"
)

// A group may follow a topic lane by lane. Then its cursor, the base, is the offset
// up to which every lane has handled its entries, and lanes that are further than
// that have positions of their own. Only the base keeps entries from being deleted.
var lanesBucket = []byte("log.lanes") // topic -> group -> lane -> offset, where it is beyond the base

// advanceLane moves the position of a lane, and the base with it.
func (l *Log) advanceLane(tx *bbolt.Tx, c event.Cursor) error {
	if c.Base > c.Offset {
		if err := l.reaches(tx, c, c.Base); err != nil {
			return err
		}
	}
	base, known := readCursor(tx, string(c.Topic), c.Group)
	if known && base >= c.Offset && base >= c.Base {
		return nil
	}
	if c.Offset > max(base, c.Base) && lanePosition(tx, c) < c.Offset {
		b, err := createLanes(tx, c)
		if err == nil {
			err = b.Put(laneKey(c.Lane), offsetKey(c.Offset))
		}
		if err != nil {
			return fmt.Errorf("%w: write the position of lane %d of group %s, topic %s: %w", ErrStorage, c.Lane, c.Group, c.Topic, err)
		}
	}
	if c.Base <= base && known {
		return nil
	}
	return l.moveCursor(tx, event.Cursor{Topic: c.Topic, Group: c.Group, Offset: max(base, c.Base)})
}

// passLanes forgets the positions that the base has passed.
func passLanes(tx *bbolt.Tx, c event.Cursor) error {
	b := lanesOf(tx, c)
	if b == nil {
		return nil
	}
	var passed [][]byte // deleting under a cursor would make it skip
	err := b.ForEach(func(k, v []byte) error {
		if at, ok := decodeCursor(v); !ok || at <= c.Offset {
			passed = append(passed, append([]byte(nil), k...))
		}
		return nil
	})
	for _, k := range passed {
		if err == nil {
			err = b.Delete(k)
		}
	}
	if err != nil {
		return fmt.Errorf("%w: forget lanes of group %s, topic %s: %w", ErrStorage, c.Group, c.Topic, err)
	}
	return nil
}

// Lanes returns a group's base, and the positions of the lanes that are beyond it.
func (l *Log) Lanes(topic, group string) (base uint64, beyond map[event.ProjectID]uint64, err error) {
	beyond = map[event.ProjectID]uint64{}
	err = l.read(func(tx *bbolt.Tx) error {
		base = cursorOrStart(tx, topic, group)
		b := lanesOf(tx, event.Cursor{Topic: event.Topic(topic), Group: group})
		if b == nil {
			return nil
		}
		return b.ForEach(func(k, v []byte) error {
			if at, ok := decodeCursor(v); ok && len(k) == 8 && at > base {
				beyond[event.ProjectID(keyOffset(k))] = at //nolint:gosec // two's complement both ways
			}
			return nil
		})
	})
	return base, beyond, err
}

// hasPassed reports whether the stored position is there already, or further.
func (l *Log) hasPassed(c event.Cursor) (done bool, err error) {
	err = l.read(func(tx *bbolt.Tx) error {
		base := cursorOrStart(tx, string(c.Topic), c.Group)
		done = base >= c.Offset
		if c.Lane != 0 && base >= c.Base {
			done = done || lanePosition(tx, c) >= c.Offset
		}
		return nil
	})
	return done, err
}

func lanePosition(tx *bbolt.Tx, c event.Cursor) uint64 {
	b := lanesOf(tx, c)
	if b == nil {
		return 0
	}
	at, _ := decodeCursor(b.Get(laneKey(c.Lane)))
	return at
}

func lanesOf(tx *bbolt.Tx, c event.Cursor) *bbolt.Bucket {
	b := tx.Bucket(lanesBucket).Bucket([]byte(c.Topic))
	if b == nil {
		return nil
	}
	return b.Bucket([]byte(c.Group))
}

func createLanes(tx *bbolt.Tx, c event.Cursor) (*bbolt.Bucket, error) {
	b, err := tx.Bucket(lanesBucket).CreateBucketIfNotExists([]byte(c.Topic))
	if err != nil {
		return nil, err
	}
	return b.CreateBucketIfNotExists([]byte(c.Group))
}

func laneKey(id event.ProjectID) []byte { return offsetKey(uint64(id)) } //nolint:gosec // two's complement both ways
