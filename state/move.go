package state

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"

	"go.etcd.io/bbolt"

	"github.com/hone-ml/hone/internal/fsutil"
)

const (
	// rewrittenName is the new database while it is being written.
	rewrittenName = ".hone.db.rewritten"

	// copyAtOnce is how many bytes are copied in one transaction, which is memory.
	copyAtOnce = 4 << 20
)

// The steps of moving the credential, in their order.
const (
	stepSaved   = "the credential is in its file"
	stepDeleted = "the credential is not in the database"
	stepCopied  = "the new database is on disk"
	stepRenamed = "the new database is in place"
)

// moveCredential moves a credential out of the database, where older hones kept it,
// into its file, and puts a database in the place of this one in which no page, not
// even a free one, ever held it. The error then is errReplaced: open it again. The
// database is left alone when there was no credential.
//
// Each step is durable before the next one begins, and the database says how far it
// is: as long as it has the credential it is to be saved, and as long as it has the
// mark it is to be rewritten. So a start after a power failure goes on, and at every
// moment the credential is in the file or in the database.
func (s *Store) moveCredential(path string, done func(step string)) error {
	if done == nil {
		done = func(string) {}
	}
	var (
		r            credentialRecord
		saved, moved = true, true
	)
	err := s.db.View(func(tx *bbolt.Tx) error {
		b := tx.Bucket(keyRoot).Bucket(keySettings)
		moved = b.Get(keyRewrite) == nil
		v := b.Get(keyCredential)
		if v == nil {
			return nil
		}
		saved, moved = false, false
		return decodeJSON("credential", v, &r)
	})
	if err != nil || moved {
		return err
	}
	if !saved {
		if err := s.keepNewer(Credential(r)); err != nil {
			return fmt.Errorf("move the token of Label Studio out of it: %w", err)
		}
		done(stepSaved)
		err := s.db.Update(func(tx *bbolt.Tx) error {
			b := tx.Bucket(keyRoot).Bucket(keySettings)
			return errors.Join(b.Delete(keyCredential), b.Put(keyRewrite, []byte{recordVersion}))
		})
		if err != nil {
			return fmt.Errorf("move the token of Label Studio out of it: %w", err)
		}
		done(stepDeleted)
	}
	if err := s.rewrite(path, done); err != nil {
		return fmt.Errorf("write it anew without the token of Label Studio, which takes as much free disk space once: %w", err)
	}
	return errReplaced
}

// keepNewer saves a credential unless the file has a newer one: the database may have been
// restored, or belong to an older hone that was set up with another Label Studio.
func (s *Store) keepNewer(c Credential) error {
	have, err := readCredential(s.credential)
	switch {
	case errors.Is(err, errDamagedRecord): // of no use to anybody
	case err != nil:
		return err
	case have.At.After(c.At):
		return nil
	}
	return writeCredential(s.credential, c)
}

// rewrite puts a copy without free pages, and without the mark, in the database's
// place.
func (s *Store) rewrite(path string, done func(step string)) error {
	path, err := filepath.EvalSymlinks(path) // the file, not a link to it, is what holds the token
	if err != nil {
		return err
	}
	tmp := filepath.Join(filepath.Dir(path), rewrittenName)
	if err := fsutil.Remove(tmp); err != nil { // of a start that was cut short
		return err
	}
	if err := s.copyTo(tmp); err != nil {
		return errors.Join(err, fsutil.Remove(tmp))
	}
	done(stepCopied)
	if runtime.GOOS == "windows" { // open files cannot be renamed over
		if err := s.db.Close(); err != nil {
			return err
		}
	}
	// Elsewhere this one stays locked, and whoever waits for it finds that its name
	// is another file's.
	if err := os.Rename(tmp, path); err != nil {
		return errors.Join(err, fsutil.Remove(tmp))
	}
	done(stepRenamed)
	return fsutil.SyncDir(filepath.Dir(path))
}

// copyTo copies what is in the database, but for the mark, into a new one.
func (s *Store) copyTo(path string) error {
	to, err := bbolt.Open(path, 0o600, &bbolt.Options{
		FreelistType: bbolt.FreelistMapType,
		NoSync:       true, // once, at the end
	})
	if err != nil {
		return err
	}
	err = unlessDamaged(func() error { return bbolt.Compact(to, s.db, copyAtOnce) })
	if err == nil {
		err = to.Update(func(tx *bbolt.Tx) error {
			return tx.Bucket(keyRoot).Bucket(keySettings).Delete(keyRewrite)
		})
	}
	if err == nil {
		err = to.Sync()
	}
	return errors.Join(err, to.Close())
}
