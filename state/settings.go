package state

import (
	"context"
	"errors"
	"fmt"
	"time"

	"go.etcd.io/bbolt"

	"github.com/hone-ml/hone/event"
)

// settings are what somebody has set for the project.
func (b *projectBuckets) settings() (out map[string]string, err error) {
	if v := b.project.Get(keyProjectSettings); v != nil {
		err = decodeJSON("settings", v, &out)
	}
	return out, err
}

// ProjectSettings returns what somebody has set for a project, by key; nil for nothing.
func (s *Store) ProjectSettings(ctx context.Context, p event.ProjectID) (out map[string]string, err error) {
	err = s.view(ctx, "settings", p, func(b *projectBuckets) (err error) {
		if b != nil {
			out, err = b.settings()
		}
		return err
	})
	return out, err
}

// putSettings stores encoded settings: nothing when they are nil, and none when empty.
func (b *projectBuckets) putSettings(v []byte) error {
	switch {
	case v == nil:
		return nil
	case len(v) == 0:
		return b.project.Delete(keyProjectSettings)
	}
	return b.project.Put(keyProjectSettings, v)
}

// watermark says how far reconcile has read.
type watermark struct {
	// at is Label Studio's updated_at up to which everything was read.
	at time.Time
	// first is when, by hone's clock, the first watermark was set.
	first time.Time
}

func (b *projectBuckets) watermark() (w watermark, err error) {
	v := b.project.Get(keyWatermark)
	if v == nil {
		return w, nil
	}
	if len(v) != 1+2*timeLen || v[0] != recordVersion {
		return w, fmt.Errorf("watermark: %w", errDamagedRecord)
	}
	return watermark{at: timeOf(v[1:]), first: timeOf(v[1+timeLen:])}, nil
}

// Watermark returns up to which updated_at a reconcile has read the project,
// zero before its first full reading.
func (s *Store) Watermark(ctx context.Context, p event.ProjectID) (time.Time, error) {
	var w watermark
	err := s.view(ctx, "watermark", p, func(b *projectBuckets) (err error) {
		if b != nil {
			w, err = b.watermark()
		}
		return err
	})
	return w.at, err
}

// SetWatermark stores the watermark, durably. Set it the first time once the
// whole project was read and published: from then on, what a reconcile is the
// first to say counts as missed. It may be set before the project is known.
func (s *Store) SetWatermark(ctx context.Context, p event.ProjectID, at time.Time) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	now := s.now().UTC()
	err := s.db.Update(func(tx *bbolt.Tx) error {
		b, err := createProject(tx, p)
		if err != nil {
			return err
		}
		w, err := b.watermark()
		if err != nil {
			return err
		}
		if w.first.IsZero() {
			w.first = now
		}
		return b.project.Put(keyWatermark, appendTime(appendTime([]byte{recordVersion}, at), w.first))
	})
	if err != nil {
		return fmt.Errorf("set the watermark of project %d: %w", p, err)
	}
	return nil
}

// PrelabelDue is when somebody asked for predictions of all tasks of a project that are
// not all made yet; zero when there is nothing to make.
func (s *Store) PrelabelDue(ctx context.Context, p event.ProjectID) (at time.Time, err error) {
	err = s.view(ctx, "what is to be prelabelled", p, func(b *projectBuckets) error {
		if b == nil {
			return nil
		}
		v := b.project.Get(keyPrelabel)
		if v == nil {
			return nil
		}
		if len(v) != 1+timeLen || v[0] != recordVersion {
			return fmt.Errorf("prelabel: %w", errDamagedRecord)
		}
		at = timeOf(v[1:])
		return nil
	})
	return at, err
}

// SetPrelabelDue stores, durably, that predictions of all tasks of a known project are to
// be made; the zero time, that they are made. Of an unknown project nothing is stored.
func (s *Store) SetPrelabelDue(ctx context.Context, p event.ProjectID, at time.Time) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	err := s.db.Update(func(tx *bbolt.Tx) error {
		b := openProject(tx, p)
		if b == nil {
			return nil
		}
		if at.IsZero() {
			return b.project.Delete(keyPrelabel)
		}
		return b.project.Put(keyPrelabel, appendTime([]byte{recordVersion}, at))
	})
	if err != nil {
		return fmt.Errorf("store that project %d is to be prelabelled: %w", p, err)
	}
	return nil
}

// Forget deletes everything stored of a project, also its tombstones. A later
// statement starts it anew. Forgetting an unknown project is harmless. The next Open writes
// the database anew, without the pages that are free now.
func (s *Store) Forget(ctx context.Context, p event.ProjectID) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	err := s.db.Update(func(tx *bbolt.Tx) error {
		if openProject(tx, p) == nil {
			return nil
		}
		// Pages that are free now hold what was in it until they are used again.
		mark := tx.Bucket(keyRoot).Bucket(keySettings).Put(keyRewrite, []byte{recordVersion})
		return errors.Join(mark, projectsBucket(tx).DeleteBucket(idKey(p)))
	})
	if err != nil {
		return fmt.Errorf("forget project %d: %w", p, err)
	}
	return nil
}
