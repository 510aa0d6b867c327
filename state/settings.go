package state

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"go.etcd.io/bbolt"

	"github.com/hone-ml/hone/event"
)

// watermark is how far reconcile has read.
type watermark struct {
	// at is Label Studio's updated_at up to which everything was read.
	at time.Time
	// first is when, by hone's clock, the first watermark was set.
	first time.Time
}

func (b *buckets) watermark() (w watermark, err error) {
	v := b.project.Get(keyWatermark)
	if v == nil {
		return w, nil
	}
	if len(v) != 1+2*timeLen || v[0] != recordVersion {
		return w, fmt.Errorf("watermark: %w", errRecord)
	}
	return watermark{at: timeOf(v[1:]), first: timeOf(v[1+timeLen:])}, nil
}

// Watermark returns up to which updated_at a reconcile has read the project,
// zero before its first full reading.
func (s *Store) Watermark(ctx context.Context, p event.ProjectID) (time.Time, error) {
	var w watermark
	err := s.view(ctx, "watermark", p, func(b *buckets) (err error) {
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

// Forget deletes everything stored of a project, also its tombstones. A later
// statement starts it anew. Forgetting an unknown project is harmless.
func (s *Store) Forget(ctx context.Context, p event.ProjectID) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	err := s.db.Update(func(tx *bbolt.Tx) error {
		if openProject(tx, p) == nil {
			return nil
		}
		return projectsBucket(tx).DeleteBucket(idKey(p))
	})
	if err != nil {
		return fmt.Errorf("forget project %d: %w", p, err)
	}
	return nil
}

// Credential is how to reach Label Studio, as its /setup call said. It prints
// and marshals without the token.
type Credential struct {
	// Host is Label Studio's URL as it knows itself.
	Host string
	// Token is the access token it handed over; it may be of no use.
	Token string
	// At is when it was heard.
	At time.Time
}

// String leaves out the token.
func (c Credential) String() string {
	if c.Token == "" {
		return c.Host + " (no token)"
	}
	return c.Host + " (token withheld)"
}

// GoString leaves out the token.
func (c Credential) GoString() string { return "state.Credential{" + c.String() + "}" }

// MarshalJSON leaves out the token.
func (c Credential) MarshalJSON() ([]byte, error) { return json.Marshal(c.String()) }

type credentialRecord struct {
	Host  string    `json:"host"`
	Token string    `json:"token"`
	At    time.Time `json:"at,omitzero"`
}

// Credential returns what SetCredential stored last, zero when nothing was.
func (s *Store) Credential(ctx context.Context) (Credential, error) {
	var r credentialRecord
	if err := ctx.Err(); err != nil {
		return Credential{}, err
	}
	err := s.db.View(func(tx *bbolt.Tx) error {
		v := tx.Bucket(keyRoot).Bucket(keySettings).Get(keyCredential)
		if v == nil {
			return nil
		}
		return decodeJSON("credential", v, &r)
	})
	return Credential(r), err
}

// SetCredential stores the credential, durably; a zero one deletes it.
func (s *Store) SetCredential(ctx context.Context, c Credential) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	v, err := encodeJSON(credentialRecord(c))
	if err != nil {
		return fmt.Errorf("store the credential: %w", err)
	}
	err = s.db.Update(func(tx *bbolt.Tx) error {
		b := tx.Bucket(keyRoot).Bucket(keySettings)
		if c == (Credential{}) {
			return b.Delete(keyCredential)
		}
		return b.Put(keyCredential, v)
	})
	if err != nil {
		return fmt.Errorf("store the credential: %w", err)
	}
	return nil
}
