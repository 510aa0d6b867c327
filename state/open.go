package state

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"strconv"
	"sync"
	"time"

	"go.etcd.io/bbolt"
	bbolterrors "go.etcd.io/bbolt/errors"

	"github.com/hone-ml/hone/internal/fsutil"
)

const (
	fileName  = "hone.db"
	ownerName = "hone.pid"

	defaultLockTimeout = 2 * time.Second

	// The address space that is mapped at the start. While the file is smaller it
	// is never mapped anew; mapping anew waits for every open read, so that a slow
	// backup would hold up the webhooks. It costs addresses, not memory.
	initialMap = 1 << 30
)

// ErrInUse marks the error of Open when another process has the file.
var ErrInUse = errors.New("the data directory is in use")

// Options of Open. The zero value is what production uses.
type Options struct {
	// LockTimeout is how long Open waits for another process to let go of the
	// file, 2 s if zero: long enough for a restart to overlap.
	LockTimeout time.Duration
	// Now is the clock, time.Now if nil.
	Now func() time.Time

	// step is called after each step of moving the credential; a test ends there.
	step func(done string)
}

func (o *Options) setDefaults() {
	if o.LockTimeout <= 0 {
		o.LockTimeout = defaultLockTimeout
	}
	if o.Now == nil {
		o.Now = time.Now
	}
}

// Store is the open file. All methods are safe for concurrent use; reads never
// wait for writes. The deltas of one project must come from one writer: nothing
// else may commit a delta of that project between its Plan and its Commit.
type Store struct {
	db         *bbolt.DB
	owner      string
	credential string
	now        func() time.Time
	close      sync.Once
}

// Open opens DIR/hone.db, creating the directory (0700) and the file (0600) if
// need be, and migrates it to this hone's schema. A credential in the file, where
// older hones kept it, moves to DIR/label-studio.json, and the file is written anew
// without it. Open wraps ErrInUse when another process has the file, and refuses a
// file that a newer hone wrote.
func Open(dir string, o Options) (*Store, error) {
	o.setDefaults()
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("create the data directory: %w", err)
	}
	for {
		if s, err := openOnce(dir, o); !errors.Is(err, errReplaced) {
			return s, err
		}
	}
}

// errReplaced says that the opened file no longer has that name.
var errReplaced = errors.New("it was replaced meanwhile")

func openOnce(dir string, o Options) (*Store, error) {
	path := filepath.Join(dir, fileName)
	owner := filepath.Join(dir, ownerName)
	_, statErr := os.Stat(path)

	// The free list stays in the file (a page or two a commit, nothing beside the
	// fsync): without it every start would read the whole file. As a map it does
	// not slow down when the log's truncation leaves many holes. The page size is
	// the system's, which is what one write does at once.
	opts := &bbolt.Options{Timeout: o.LockTimeout, FreelistType: bbolt.FreelistMapType}
	if runtime.GOOS != "windows" && strconv.IntSize == 64 {
		opts.InitialMmapSize = initialMap
	}
	db, err := openFile(path, opts)
	if err != nil {
		return nil, openError(path, owner, err)
	}
	s := &Store{db: db, owner: owner, credential: filepath.Join(dir, CredentialFile), now: o.Now}
	err = s.prepare(dir, path, errors.Is(statErr, os.ErrNotExist))
	if err == nil {
		err = s.moveCredential(path, o.step)
	}
	if err != nil {
		return nil, errors.Join(openError(path, owner, err), s.Close())
	}
	return s, nil
}

var errDamagedPages = errors.New("its pages do not fit together")

// openFile opens the file and checks that it is complete and still has its name.
func openFile(path string, opts *bbolt.Options) (db *bbolt.DB, err error) {
	var f *os.File
	with := *opts
	with.OpenFile = func(name string, flag int, mode os.FileMode) (_ *os.File, err error) {
		f, err = os.OpenFile(name, flag, mode)
		return f, err
	}
	err = unlessDamaged(func() error {
		if db, err = bbolt.Open(path, 0o600, &with); err != nil {
			return err
		}
		var want int64
		if err = db.View(func(tx *bbolt.Tx) error { want = tx.Size(); return nil }); err != nil {
			return err
		}
		fi, err := f.Stat()
		if err == nil && fi.Size() < want {
			err = fmt.Errorf("%w: it has %d of %d bytes", errDamagedPages, fi.Size(), want)
		}
		return err
	})
	if db == nil {
		return nil, err
	}
	if err == nil {
		err = stillThere(f, path)
	}
	if err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return db, nil
}

// unlessDamaged calls do and turns a fault of reading a bbolt file into an error. bbolt maps
// the file and trusts it: a truncated copy would otherwise end the process.
func unlessDamaged(do func() error) (err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("%w: %v", errDamagedPages, r)
		}
	}()
	return do()
}

// stillThere returns an error unless path names the open file. The lock is on the file, not
// on its name: a hone that waited for it while another one rewrote the database holds a file
// that nobody will open again.
func stillThere(f *os.File, path string) error {
	have, err := f.Stat()
	if err != nil {
		return err
	}
	there, err := os.Stat(path)
	if err == nil && !os.SameFile(have, there) {
		err = errReplaced
	}
	return err
}

func (s *Store) prepare(dir, path string, created bool) error {
	if fi, err := os.Stat(path); err == nil && fi.Mode().Perm()&0o077 != 0 {
		// It holds what people wrote. Mounts with fixed modes refuse this; then there
		// is nothing to be done here.
		_ = os.Chmod(path, 0o600)
	}
	if err := s.writeOwner(); err != nil {
		return err
	}
	if err := migrate(s.db, migrations); err != nil {
		return err
	}
	if created {
		return fsutil.SyncDir(dir)
	}
	return nil
}

type ownerRecord struct {
	PID   int       `json:"pid"`
	Host  string    `json:"host"`
	Since time.Time `json:"since"`
}

// writeOwner writes a file beside the database that names this process, for the error
// message of another one. It is read only while the lock is held, so that the file of a
// killed hone does no harm.
func (s *Store) writeOwner() error {
	host, _ := os.Hostname()
	b, err := json.Marshal(ownerRecord{PID: os.Getpid(), Host: host, Since: s.now().UTC()})
	if err != nil {
		return err
	}
	return os.WriteFile(s.owner, append(b, '\n'), 0o600)
}

func openError(path, ownerPath string, err error) error {
	switch {
	case errors.Is(err, bbolterrors.ErrTimeout):
		who := "another process"
		var o ownerRecord
		if b, readErr := os.ReadFile(ownerPath); readErr == nil && json.Unmarshal(b, &o) == nil && o.PID > 0 {
			who = fmt.Sprintf("process %d on %s, running since %s", o.PID, o.Host, o.Since.Format(time.RFC3339))
		}
		return fmt.Errorf("%w: %s is held by %s. Stop that hone first, or give this one another --data-dir; "+
			"commands about a running hone reach it over HTTP at its listen address", ErrInUse, path, who)
	case errors.Is(err, bbolterrors.ErrInvalid), errors.Is(err, bbolterrors.ErrChecksum), errors.Is(err, bbolterrors.ErrVersionMismatch), errors.Is(err, errDamagedPages):
		return fmt.Errorf("open %s: %w: it is damaged or not hone's. Restore a backup, "+
			"or move it away: hone then learns again from what Label Studio holds", path, err)
	}
	return fmt.Errorf("open %s: %w", path, err)
}

// DB is the bbolt file, for packages that keep buckets of their own in it. Its
// bucket "state" belongs to this package.
func (s *Store) DB() *bbolt.DB { return s.db }

// Backup writes a consistent copy of the whole file to w, while hone goes on.
// No credential is in it, nor ever was in a page of it that is now free. A slow w makes the file grow
// meanwhile, since no page the copy needs is reused.
func (s *Store) Backup(w io.Writer) error {
	err := s.db.View(func(tx *bbolt.Tx) error {
		_, err := tx.WriteTo(w)
		return err
	})
	if err != nil {
		return fmt.Errorf("back up %s: %w", s.db.Path(), err)
	}
	return nil
}

// Close waits for open transactions and lets go of the file. Closing twice is
// harmless; every other method then returns an error.
func (s *Store) Close() error {
	var err error
	s.close.Do(func() {
		if e := os.Remove(s.owner); e != nil && !errors.Is(e, os.ErrNotExist) {
			err = e
		}
		err = errors.Join(err, s.db.Close())
	})
	return err
}
