package state

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"strings"

	"go.etcd.io/bbolt"

	"github.com/hone-ml/hone/event"
)

// VectorKeys calls f with the key of every vector that is stored of an encoder.
func (s *Store) VectorKeys(ctx context.Context, encoder string, f func(event.ContentKey)) error {
	err := s.db.View(func(tx *bbolt.Tx) error {
		b := vectorsBucket(tx, encoder)
		if b == nil {
			return nil
		}
		n := 0
		return b.ForEach(func(k, _ []byte) error {
			if n++; n%4096 == 0 && ctx.Err() != nil {
				return ctx.Err()
			}
			if len(k) != len(event.ContentKey{}) {
				return fmt.Errorf("vector %x: %w", k, errDamagedRecord)
			}
			f(event.ContentKey(k))
			return nil
		})
	})
	if err != nil {
		return fmt.Errorf("list the vectors of %s: %w", encoder, err)
	}
	return nil
}

// Vector returns the bytes stored under a key of an encoder, nil when there are none.
func (s *Store) Vector(encoder string, key event.ContentKey) (v []byte, err error) {
	err = s.db.View(func(tx *bbolt.Tx) error {
		if b := vectorsBucket(tx, encoder); b != nil {
			v = bytes.Clone(b.Get(key[:]))
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read a vector of %s: %w", encoder, err)
	}
	return v, nil
}

// ChangeVectors stores and drops vectors of an encoder in one transaction. What
// a vector's bytes mean is the learner's business.
func (s *Store) ChangeVectors(ctx context.Context, encoder string, put map[event.ContentKey][]byte, drop []event.ContentKey) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	err := s.db.Update(func(tx *bbolt.Tx) error {
		all, err := tx.Bucket(keyRoot).CreateBucketIfNotExists(keyVectors)
		if err != nil {
			return err
		}
		b, err := all.CreateBucketIfNotExists([]byte(encoder))
		if err != nil {
			return err
		}
		for k, v := range put {
			if err := b.Put(k[:], v); err != nil {
				return err
			}
		}
		for _, k := range drop {
			if err := b.Delete(k[:]); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("store vectors of %s: %w", encoder, err)
	}
	return nil
}

// RetainEncoders drops the vectors of every encoder but those.
func (s *Store) RetainEncoders(ctx context.Context, encoders []string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	var others [][]byte
	list := func(tx *bbolt.Tx) error {
		others = nil
		all := tx.Bucket(keyRoot).Bucket(keyVectors)
		if all == nil {
			return nil
		}
		return all.ForEachBucket(func(k []byte) error {
			if !slices.Contains(encoders, string(k)) {
				others = append(others, bytes.Clone(k))
			}
			return nil
		})
	}
	err := s.db.View(list)
	if err == nil && len(others) > 0 { // usually there are none, and no write is needed
		err = s.db.Update(func(tx *bbolt.Tx) error {
			if err := list(tx); err != nil {
				return err
			}
			for _, k := range others {
				if err := tx.Bucket(keyRoot).Bucket(keyVectors).DeleteBucket(k); err != nil {
					return err
				}
			}
			return nil
		})
	}
	if err != nil {
		return fmt.Errorf("drop the vectors of other encoders than %s: %w", strings.Join(encoders, " and "), err)
	}
	return nil
}

func vectorsBucket(tx *bbolt.Tx, encoder string) *bbolt.Bucket {
	all := tx.Bucket(keyRoot).Bucket(keyVectors)
	if all == nil {
		return nil
	}
	return all.Bucket([]byte(encoder))
}
