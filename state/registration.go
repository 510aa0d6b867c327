package state

import (
	"context"
	"errors"
	"fmt"

	"go.etcd.io/bbolt"

	"github.com/hone-ml/hone/event"
)

// Registrations returns what is remembered of each project's registration in Label Studio,
// for those of which anything is. An error beside a map names the records that are damaged:
// the map holds all others. Without a map the error is that of the context or the file.
func (s *Store) Registrations(ctx context.Context) (map[event.ProjectID]event.Registration, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	out := map[event.ProjectID]event.Registration{}
	var damaged []error
	err := s.db.View(func(tx *bbolt.Tx) error {
		return projectsBucket(tx).ForEachBucket(func(k []byte) error {
			v := projectsBucket(tx).Bucket(k).Get(keyRegistration)
			if v == nil {
				return nil
			}
			p := idOf[event.ProjectID](k)
			var r event.Registration
			if err := decodeJSON("registration", v, &r); err != nil {
				damaged = append(damaged, fmt.Errorf("project %d: %w", p, err))
				return nil
			}
			out[p] = r
			return nil
		})
	})
	if err != nil {
		return nil, fmt.Errorf("read the registrations: %w", err)
	}
	return out, errors.Join(damaged...)
}

// SetRegistration stores, durably, what is to be remembered of a project's registration. It
// may be stored before the project is known; it goes with the project.
func (s *Store) SetRegistration(ctx context.Context, p event.ProjectID, r event.Registration) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	v, err := encodeJSON(r)
	if err != nil {
		return fmt.Errorf("store the registration of project %d: %w", p, err)
	}
	err = s.db.Update(func(tx *bbolt.Tx) error {
		b, err := createProject(tx, p)
		if err != nil {
			return err
		}
		return b.project.Put(keyRegistration, v)
	})
	if err != nil {
		return fmt.Errorf("store the registration of project %d: %w", p, err)
	}
	return nil
}
