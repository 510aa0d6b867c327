package state

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"go.etcd.io/bbolt"

	"github.com/hone-ml/hone/event"
)

const (
	oldToken = "0ld-t0ken-that-was-replaced"
	token    = "t0ken-of-the-database"
)

var given = Credential{Host: "http://ls:8080", Token: token, At: sec(2)}

// putOldCredential stores a credential where older hones did.
func putOldCredential(tx *bbolt.Tx, c Credential) error {
	v, err := encodeJSON(credentialRecord(c))
	if err != nil {
		return err
	}
	return tx.Bucket(keyRoot).Bucket(keySettings).Put(keyCredential, v)
}

// oldData makes a data directory of a hone that kept the credential in its database,
// replaced it once, and went on. It returns what is in the database beside.
func oldData(t *testing.T) (dir, content string) {
	t.Helper()
	dir = filled(t)
	withFile(t, dir, func(tx *bbolt.Tx) error { return putOldCredential(tx, Credential{Token: oldToken, At: sec(1)}) })
	withFile(t, dir, func(tx *bbolt.Tx) error {
		log, err := tx.CreateBucket([]byte("a log")) // counts by the bucket's sequence
		must(t, err)
		must(t, log.SetSequence(4711))
		must(t, log.Put([]byte("empty"), nil))
		_, err = log.CreateBucket([]byte("nothing in it"))
		must(t, err)
		return log.Put([]byte("large"), bytes.Repeat([]byte("x"), 100_000))
	})
	withFile(t, dir, func(tx *bbolt.Tx) error {
		content = everything(t, tx)
		return putOldCredential(tx, given)
	})
	b := databaseOf(t, dir)
	if !bytes.Contains(b, []byte(oldToken)) || !bytes.Contains(b, []byte(token)) {
		t.Fatal("the test's database does not hold the tokens")
	}
	return dir, content
}

func databaseOf(t *testing.T, dir string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(dir, fileName))
	must(t, err)
	return b
}

// everything spells out the whole file but for the settings.
func everything(t *testing.T, tx *bbolt.Tx) string {
	t.Helper()
	var out strings.Builder
	var walk func(b *bbolt.Bucket, path string) error
	walk = func(b *bbolt.Bucket, path string) error {
		fmt.Fprintf(&out, "%s at %d\n", path, b.Sequence())
		return b.ForEach(func(k, v []byte) error {
			if v == nil {
				return walk(b.Bucket(k), path+"/"+string(k))
			}
			fmt.Fprintf(&out, "%s/%s = %s\n", path, k, v)
			return nil
		})
	}
	must(t, tx.ForEach(func(name []byte, b *bbolt.Bucket) error {
		if !bytes.Equal(name, keyRoot) {
			return walk(b, string(name))
		}
		return b.ForEach(func(k, v []byte) error {
			switch {
			case v != nil:
				fmt.Fprintf(&out, "%s = %s\n", k, v)
			case !bytes.Equal(k, keySettings):
				return walk(b.Bucket(k), string(k))
			}
			return nil
		})
	}))
	return out.String()
}

// moved checks that a store holds what it should and no token, and says so of its
// backup too.
func moved(t *testing.T, s *Store, dir, content string) {
	t.Helper()
	if c, err := s.Credential(ctx); err != nil || c != given {
		t.Errorf("the credential is %v, %v", c, err)
	}
	must(t, s.db.View(func(tx *bbolt.Tx) error {
		if got := everything(t, tx); got != content {
			t.Errorf("the database was %d bytes of text and is %d", len(content), len(got))
		}
		return tx.Bucket(keyRoot).Bucket(keySettings).ForEach(func(k, _ []byte) error {
			t.Errorf("the settings still have %q", k)
			return nil
		})
	}))
	var backup bytes.Buffer
	must(t, s.Backup(&backup))
	for name, b := range map[string][]byte{"the backup": backup.Bytes(), "the database": databaseOf(t, dir)} {
		if !bytes.Contains(b, []byte("tasks")) {
			t.Errorf("%s holds nothing", name)
		}
		for _, secret := range []string{token, oldToken} {
			if bytes.Contains(b, []byte(secret)) {
				t.Errorf("%s holds %s", name, secret)
			}
		}
	}
	var names []string
	entries, err := os.ReadDir(dir)
	must(t, err)
	for _, e := range entries {
		names = append(names, e.Name())
		fi, err := e.Info()
		must(t, err)
		if fi.Mode().Perm() != 0o600 {
			t.Errorf("%s has mode %o", e.Name(), fi.Mode().Perm())
		}
	}
	if !slices.Equal(names, []string{fileName, ownerName, CredentialFile}) {
		t.Errorf("in the data directory: %q", names)
	}
}

func TestOpenMovesTheCredentialOutOfTheDatabase(t *testing.T) {
	dir, content := oldData(t)
	s := open(t, dir, Options{})
	moved(t, s, dir, content)
	if s.db.FreelistType != bbolt.FreelistMapType || s.db.Path() != filepath.Join(dir, fileName) || s.db.NoSync {
		t.Errorf("opened again with other options: %+v", s.db)
	}
	if maps, err := os.ReadFile("/proc/self/maps"); err == nil {
		var from, to uint64
		for line := range strings.Lines(string(maps)) {
			if strings.HasSuffix(strings.TrimSpace(line), filepath.Join(dir, fileName)) {
				_, err := fmt.Sscanf(line, "%x-%x", &from, &to)
				must(t, err)
			}
		}
		if to-from < initialMap {
			t.Errorf("%d bytes are mapped, want %d", to-from, initialMap)
		}
	}
	apply(t, s, &event.Changed{Project: 2, At: sec(3), Tasks: []event.Task{task(7000, 0, `{"text":"goes on"}`)}})
	must(t, s.Close())

	// Once: the next start leaves the file alone.
	before, err := os.Stat(filepath.Join(dir, fileName))
	must(t, err)
	s = open(t, dir, Options{})
	after, err := os.Stat(filepath.Join(dir, fileName))
	must(t, err)
	if !os.SameFile(before, after) {
		t.Error("the database was written anew without need")
	}
	if _, err := s.Meta(ctx, 2); err != nil {
		t.Error(err)
	}
}

// reached are the steps that a start comes to after one that died behind a step.
var reached = map[string][]string{
	stepSaved:   {stepSaved, stepDeleted, stepCopied, stepRenamed},
	stepDeleted: {stepCopied, stepRenamed},
	stepCopied:  {stepCopied, stepRenamed},
	stepRenamed: {}, // it was the last
}

const stepEnv = "HONE_STATE_TEST_STEP"

// moveUntil opens a database and dies after a step of moving its credential.
func moveUntil(dir string) {
	_, err := Open(dir, Options{step: func(done string) {
		if done == os.Getenv(stepEnv) {
			os.Exit(3)
		}
	}})
	fmt.Println("it did not get to the step:", err)
	os.Exit(1)
}

func TestOpenFinishesAMoveThatWasCutShort(t *testing.T) {
	for first, next := range reached {
		for _, second := range append([]string{""}, next...) {
			t.Run(first+", then "+second, func(t *testing.T) {
				dir, content := oldData(t)
				for _, step := range []string{first, second} {
					if step == "" {
						break
					}
					cmd := child(t, "move", dir)
					cmd.Env = append(cmd.Env, stepEnv+"="+step)
					if out, err := cmd.Output(); cmd.ProcessState.ExitCode() != 3 {
						t.Fatalf("%v: %s", err, out)
					}
					if c, err := readCredential(filepath.Join(dir, CredentialFile)); err != nil || c != given {
						t.Errorf("after %q the credential is %v, %v", step, c, err)
					}
				}
				moved(t, open(t, dir, Options{}), dir, content)
			})
		}
	}
}

// Two starts overlap: the one that waits must not get the file that is no more.
func TestOpenWaitsForTheRewrittenFile(t *testing.T) {
	if _, err := os.Stat("/proc/self/fd"); err != nil || runtime.GOOS != "linux" {
		t.Skip("who has the file open is read from /proc")
	}
	dir, _ := oldData(t)
	path := filepath.Join(dir, fileName)
	write := func(s *Store, p int) error {
		d, err := s.Plan(ctx, []*event.Changed{{Project: event.ProjectID(p), At: sec(4), Tasks: []event.Task{task(p, 0, `{}`)}}})
		if err == nil {
			err = s.Commit(ctx, commitOf(d))
		}
		return errors.Join(err, s.Close())
	}
	second := make(chan error, 1)
	s, err := Open(dir, Options{LockTimeout: 30 * time.Second, step: func(done string) {
		if done != stepSaved {
			return
		}
		go func() {
			s, err := Open(dir, Options{LockTimeout: 30 * time.Second})
			if err == nil {
				err = write(s, 22)
			}
			second <- err
		}()
		tick := time.NewTicker(time.Millisecond)
		defer tick.Stop()
		for openedOf(path) < 2 {
			<-tick.C
		}
	}})
	must(t, err)
	must(t, write(s, 21))
	must(t, <-second)
	s = open(t, dir, Options{})
	for p := event.ProjectID(21); p <= 22; p++ {
		if _, err := s.Meta(ctx, p); err != nil {
			t.Errorf("what one of the two wrote is lost: %v", err)
		}
	}
}

// openedOf is how often this process has a file open.
func openedOf(path string) (n int) {
	_ = filepath.WalkDir("/proc/self/fd", func(fd string, _ fs.DirEntry, err error) error {
		if to, linkErr := os.Readlink(fd); err == nil && linkErr == nil && to == path {
			n++
		}
		return nil
	})
	return n
}

func TestOpenThatCannotSaveTheCredentialKeepsTheDatabase(t *testing.T) {
	dir, content := oldData(t)
	path := filepath.Join(dir, CredentialFile)
	must(t, os.Mkdir(path, 0o700))
	before := databaseOf(t, dir)
	_, err := Open(dir, Options{})
	if err == nil || !strings.Contains(err.Error(), path) || strings.Contains(err.Error(), token) {
		t.Fatalf("got %v", err)
	}
	if !bytes.Equal(before, databaseOf(t, dir)) {
		t.Error("the database was written to")
	}
	must(t, os.Remove(path))
	moved(t, open(t, dir, Options{}), dir, content)
}
