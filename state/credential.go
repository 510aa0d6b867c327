package state

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"time"

	"go.etcd.io/bbolt"

	"github.com/hone-ml/hone/internal/fsutil"
)

// CredentialFile is where the credential is kept, beside the database: a backup of
// that goes to places that a token must not go to.
const CredentialFile = "label-studio.json"

// Credential is how to reach Label Studio, as an administrator or its /setup call said. It
// prints and marshals without the token.
type Credential struct {
	// Host is Label Studio's URL.
	Host string
	// Token is the access token; it may be of no use.
	Token string
	// At is when it was heard.
	At time.Time
	// Chosen is true when an administrator gave it, FromPage when it stood in the extra
	// parameters of the backend's page in Label Studio.
	Chosen, FromPage bool
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
	Host     string    `json:"host"`
	Token    string    `json:"token"`
	At       time.Time `json:"at,omitzero"`
	Chosen   bool      `json:"chosen,omitzero"`
	FromPage bool      `json:"from_page,omitzero"`
}

// Credential returns what SetCredential stored last, zero when nothing was.
func (s *Store) Credential(ctx context.Context) (c Credential, err error) {
	err = s.whileOpen(ctx, func() error {
		c, err = readCredential(s.credential)
		return err
	})
	return c, err
}

// SetCredential stores the credential, durably; a zero one deletes it.
func (s *Store) SetCredential(ctx context.Context, c Credential) error {
	return s.whileOpen(ctx, func() error {
		if c == (Credential{}) {
			return fsutil.Remove(s.credential)
		}
		return writeCredential(s.credential, c)
	})
}

// whileOpen keeps the store from closing meanwhile: its lock is also the one of the
// files beside the database.
func (s *Store) whileOpen(ctx context.Context, do func() error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := s.db.View(func(*bbolt.Tx) error { return do() }); err != nil {
		return fmt.Errorf("the credential of Label Studio: %w", err)
	}
	return nil
}

func writeCredential(path string, c Credential) error {
	b, err := json.MarshalIndent(credentialRecord(c), "", "  ")
	if err != nil {
		return err
	}
	return fsutil.WriteFile(path, append(b, '\n'))
}

func readCredential(path string) (Credential, error) {
	b, err := fsutil.ReadPrivate(path)
	if errors.Is(err, os.ErrNotExist) {
		return Credential{}, nil
	}
	if err != nil {
		return Credential{}, err
	}
	var r credentialRecord
	if err := json.Unmarshal(b, &r); err != nil {
		return Credential{}, fmt.Errorf("%s: %w: %w: remove it and run `hone login` again, "+
			"or set LABEL_STUDIO_URL and LABEL_STUDIO_API_KEY", path, errDamagedRecord, err)
	}
	return Credential(r), nil
}
