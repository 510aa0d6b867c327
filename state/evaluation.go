package state

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"math"

	"go.etcd.io/bbolt"

	"github.com/hone-ml/hone/event"
)

// maxAccuracyPoints is the number of points of a project's learning curve that are stored.
const maxAccuracyPoints = 500

// PutAcquisitions stores, durably, how tasks of a known project came to be asked. Of an unknown
// project nothing is stored.
func (s *Store) PutAcquisitions(ctx context.Context, p event.ProjectID, of map[event.TaskID]event.Acquisition) error {
	return s.putAll(ctx, "store how tasks were asked", p, keyAcquisitions, func(b *bbolt.Bucket) error {
		for t, a := range of {
			v, err := encodeJSON(a)
			if err != nil {
				return err
			}
			if err := b.Put(idKey(t), v); err != nil {
				return err
			}
		}
		return nil
	})
}

// Acquisitions returns how the tasks of a project came to be asked; tasks of which that is not
// known are missing.
func (s *Store) Acquisitions(ctx context.Context, p event.ProjectID) (map[event.TaskID]event.Acquisition, error) {
	out := map[event.TaskID]event.Acquisition{}
	err := s.eachRecord(ctx, "read how tasks were asked", p, keyAcquisitions, func(k, v []byte) error {
		var a event.Acquisition
		err := decodeJSON("acquisition", v, &a)
		out[idOf[event.TaskID](k)] = a
		return err
	})
	return out, err
}

// PutAccuracy stores, durably, a point of the learning curve of a known project, in place of one
// with as many labels. Of more than 500 points those go whose neighbours are near.
func (s *Store) PutAccuracy(ctx context.Context, p event.ProjectID, point event.AccuracyPoint) error {
	return s.putAll(ctx, "store the accuracy", p, keyAccuracy, func(b *bbolt.Bucket) error {
		v, err := encodeJSON(point)
		if err != nil {
			return err
		}
		key := binary.BigEndian.AppendUint64(nil, uint64(max(point.Labels, 0)))
		if err := b.Put(key, v); err != nil {
			return err
		}
		return thin(b, key)
	})
}

// thin deletes a point when there are too many: the one whose neighbours are nearest to each
// other, measured against their labels. The first and the last stay, and so does that with the
// key.
func thin(b *bbolt.Bucket, keep []byte) error {
	var keys [][]byte
	if err := b.ForEach(func(k, _ []byte) error {
		keys = append(keys, bytes.Clone(k))
		return nil
	}); err != nil || len(keys) <= maxAccuracyPoints {
		return err
	}
	labels := func(i int) float64 { return float64(binary.BigEndian.Uint64(keys[i])) }
	least, at := math.Inf(1), 1
	for i := 1; i < len(keys)-1; i++ {
		if gap := (labels(i+1) - labels(i-1)) / labels(i+1); gap <= least && !bytes.Equal(keys[i], keep) {
			least, at = gap, i
		}
	}
	return b.Delete(keys[at])
}

// AccuracyHistory returns the points of a project's learning curve, in the order of labels.
func (s *Store) AccuracyHistory(ctx context.Context, p event.ProjectID) (out []event.AccuracyPoint, err error) {
	err = s.eachRecord(ctx, "read the accuracy", p, keyAccuracy, func(_, v []byte) error {
		var a event.AccuracyPoint
		err := decodeJSON("accuracy", v, &a)
		out = append(out, a)
		return err
	})
	return out, err
}

// PutComparison stores, durably, how the strategy of a known project compares with random. Of an
// unknown project nothing is stored.
func (s *Store) PutComparison(ctx context.Context, p event.ProjectID, c event.Comparison) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	v, err := encodeJSON(c)
	if err == nil {
		err = s.db.Update(func(tx *bbolt.Tx) error {
			if b := openProject(tx, p); b != nil {
				return b.project.Put(keyComparison, v)
			}
			return nil
		})
	}
	if err != nil {
		return fmt.Errorf("store the comparison with random of project %d: %w", p, err)
	}
	return nil
}

// Comparison returns what PutComparison stored; the zero Comparison before it did.
func (s *Store) Comparison(ctx context.Context, p event.ProjectID) (c event.Comparison, err error) {
	err = s.view(ctx, "read the comparison with random", p, func(b *projectBuckets) error {
		if b == nil || b.project.Get(keyComparison) == nil {
			return nil
		}
		return decodeJSON("comparison", b.project.Get(keyComparison), &c)
	})
	return c, err
}

// putAll writes to a bucket of a known project in one durable transaction.
func (s *Store) putAll(ctx context.Context, what string, p event.ProjectID, bucket []byte, write func(b *bbolt.Bucket) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	err := s.db.Update(func(tx *bbolt.Tx) error {
		project := openProject(tx, p)
		if project == nil {
			return nil
		}
		b, err := project.project.CreateBucketIfNotExists(bucket)
		if err != nil {
			return err
		}
		return write(b)
	})
	if err != nil {
		return fmt.Errorf("%s of project %d: %w", what, p, err)
	}
	return nil
}

// eachRecord reads a bucket of a project; there is nothing to read where it is missing.
func (s *Store) eachRecord(ctx context.Context, what string, p event.ProjectID, bucket []byte, read func(k, v []byte) error) error {
	return s.view(ctx, what, p, func(b *projectBuckets) error {
		if b == nil || b.project.Bucket(bucket) == nil {
			return nil
		}
		return b.project.Bucket(bucket).ForEach(read)
	})
}
