package state

import (
	"bytes"
	"context"
	"fmt"
	"slices"

	"go.etcd.io/bbolt"

	"github.com/hone-ml/hone/event"
)

// Adapter returns what an encoder of a project was adapted by, nil when there is nothing of that
// name.
func (s *Store) Adapter(ctx context.Context, p event.ProjectID, name string) (adapter []byte, err error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	err = s.db.View(func(tx *bbolt.Tx) error {
		project := openProject(tx, p)
		if project == nil {
			return nil
		}
		if b := project.project.Bucket(keyAdapters); b != nil {
			adapter = bytes.Clone(b.Get([]byte(name)))
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read an adapter of project %d: %w", p, err)
	}
	return adapter, nil
}

// PutAdapter stores, durably, what an encoder of a known project was adapted by. Of an unknown project
// nothing is stored.
func (s *Store) PutAdapter(ctx context.Context, p event.ProjectID, name string, adapter []byte) error {
	return s.putAll(ctx, "store an adapter", p, keyAdapters, func(b *bbolt.Bucket) error {
		return b.Put([]byte(name), adapter)
	})
}

// RetainAdapters deletes all adapters of a project but those named. Where there are no others it writes
// nothing.
func (s *Store) RetainAdapters(ctx context.Context, p event.ProjectID, names ...string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	var others [][]byte
	err := s.db.View(func(tx *bbolt.Tx) error {
		if project := openProject(tx, p); project != nil {
			others = adaptersBut(project.project.Bucket(keyAdapters), names)
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("read the adapters of project %d: %w", p, err)
	}
	if len(others) == 0 {
		return nil
	}
	return s.putAll(ctx, "delete adapters", p, keyAdapters, func(b *bbolt.Bucket) error {
		for _, k := range adaptersBut(b, names) {
			if err := b.Delete(k); err != nil {
				return err
			}
		}
		return nil
	})
}

// adaptersBut returns the names of adapters but those named. b may be nil.
func adaptersBut(b *bbolt.Bucket, names []string) (others [][]byte) {
	if b == nil {
		return nil
	}
	c := b.Cursor()
	for k, _ := c.First(); k != nil; k, _ = c.Next() {
		if !slices.Contains(names, string(k)) {
			others = append(others, bytes.Clone(k))
		}
	}
	return others
}
