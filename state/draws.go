package state

import (
	"context"
	"encoding/binary"

	"go.etcd.io/bbolt"

	"github.com/hone-ml/hone/event"
)

// PutDraws stores, durably, draws of a known project by their numbers. Of an unknown project nothing is stored.
func (s *Store) PutDraws(ctx context.Context, p event.ProjectID, draws []event.Draw) error {
	return s.putAll(ctx, "store draws", p, keyDraws, func(b *bbolt.Bucket) error {
		for _, d := range draws {
			v, err := encodeJSON(d)
			if err != nil {
				return err
			}
			if err := b.Put(binary.BigEndian.AppendUint64(nil, d.Number), v); err != nil {
				return err
			}
		}
		return nil
	})
}

// Draws returns the draws of a project in the order of their numbers.
func (s *Store) Draws(ctx context.Context, p event.ProjectID) (out []event.Draw, err error) {
	err = s.eachRecord(ctx, "read draws", p, keyDraws, func(_, v []byte) error {
		var d event.Draw
		err := decodeJSON("draw", v, &d)
		out = append(out, d)
		return err
	})
	return out, err
}
