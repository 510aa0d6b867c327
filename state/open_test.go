package state

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.etcd.io/bbolt"

	"github.com/hone-ml/hone/event"
)

// The test binary plays a second process when this names a role.
const childEnv = "HONE_STATE_TEST_CHILD"

func TestMain(m *testing.M) {
	switch role, dir, _ := strings.Cut(os.Getenv(childEnv), "="); role {
	case "hold":
		holdFile(dir)
	case "write":
		writeForever(dir)
	case "move":
		moveUntil(dir)
	case "migrate":
		migrateUntil(dir)
	default:
		os.Exit(m.Run())
	}
}

func child(t *testing.T, role, dir string) *exec.Cmd {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), childEnv+"="+role+"="+dir)
	cmd.Stderr = os.Stderr
	return cmd
}

// holdFile opens the store, says so, and keeps it until its input ends.
func holdFile(dir string) {
	s, err := Open(dir, Options{})
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	fmt.Println("open")
	_, _ = bufio.NewReader(os.Stdin).ReadString('\n')
	if err := s.Close(); err != nil {
		os.Exit(1)
	}
}

func TestOpenNamesTheProcessThatHasTheFile(t *testing.T) {
	dir := t.TempDir()
	cmd := child(t, "hold", dir)
	in, err := cmd.StdinPipe()
	must(t, err)
	out, err := cmd.StdoutPipe()
	must(t, err)
	must(t, cmd.Start())
	line, err := bufio.NewReader(out).ReadString('\n')
	must(t, err)
	if line != "open\n" {
		t.Fatalf("the other process said %q", line)
	}
	_, err = Open(dir, Options{LockTimeout: 20 * time.Millisecond})
	if !errors.Is(err, ErrInUse) {
		t.Fatalf("got %v, want ErrInUse", err)
	}
	for _, want := range []string{filepath.Join(dir, "hone.db"), "process " + strconv.Itoa(cmd.Process.Pid), "--data-dir"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("the error does not say %q: %v", want, err)
		}
	}
	// A restart overlaps: the second waits until the first lets go.
	must(t, in.Close())
	s, err := Open(dir, Options{LockTimeout: 30 * time.Second})
	must(t, err)
	must(t, s.Close())
	must(t, cmd.Wait())
	if _, err := os.Stat(filepath.Join(dir, ownerName)); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("%s is left behind: %v", ownerName, err)
	}
	must(t, s.Close()) // twice
	if _, err := s.Projects(ctx); err == nil {
		t.Error("a closed store answered")
	}
}

func TestOpenKeepsOthersOut(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "made", "here")
	open(t, dir, Options{})
	for name, want := range map[string]os.FileMode{".": 0o700, fileName: 0o600, ownerName: 0o600} {
		fi, err := os.Stat(filepath.Join(dir, name))
		must(t, err)
		if got := fi.Mode().Perm(); got != want {
			t.Errorf("%s has mode %o, want %o", name, got, want)
		}
	}

	loose := t.TempDir()
	s, err := Open(loose, Options{})
	must(t, err)
	must(t, s.Close())
	must(t, os.Chmod(filepath.Join(loose, fileName), 0o644))
	open(t, loose, Options{})
	fi, err := os.Stat(filepath.Join(loose, fileName))
	must(t, err)
	if fi.Mode().Perm() != 0o600 {
		t.Errorf("a file that others can read stayed so: %o", fi.Mode().Perm())
	}
}

// filled makes a closed store with some content and returns its directory.
func filled(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	s, err := Open(dir, Options{})
	must(t, err)
	c := &event.Changed{Project: 1, At: sec(1)}
	for i := 1; i <= 500; i++ {
		c.Tasks = append(c.Tasks, task(i, 0, `{"text":"`+strings.Repeat("x", 200)+`"}`))
	}
	apply(t, s, c)
	must(t, s.Close())
	return dir
}

func TestOpenRefusesDamagedFiles(t *testing.T) {
	for name, damage := range map[string]func(b []byte) []byte{
		"cut in the middle": func(b []byte) []byte { return b[:60_000] }, // of 115 kB of data and bbolt's reserve
		"cut after 2 pages": func(b []byte) []byte { return b[:2*os.Getpagesize()] },
		"a few bytes":       func([]byte) []byte { return []byte("hello") },
		"another format":    func(b []byte) []byte { return bytes.Repeat([]byte("SQLite format 3\x00"), len(b)/16) },
	} {
		t.Run(name, func(t *testing.T) {
			dir := filled(t)
			path := filepath.Join(dir, fileName)
			b, err := os.ReadFile(path)
			must(t, err)
			must(t, os.WriteFile(path, damage(b), 0o600))
			_, err = Open(dir, Options{})
			if err == nil || !strings.Contains(err.Error(), path) || !strings.Contains(err.Error(), "Restore a backup") {
				t.Fatalf("got %v", err)
			}
		})
	}
}

func TestOpenRefusesANewerSchema(t *testing.T) {
	dir := filled(t)
	setSchema(t, dir, uint64(len(migrations))+1)
	before, err := os.ReadFile(filepath.Join(dir, fileName))
	must(t, err)
	_, err = Open(dir, Options{})
	if err == nil || !strings.Contains(err.Error(), "newer hone") {
		t.Fatalf("got %v", err)
	}
	after, err := os.ReadFile(filepath.Join(dir, fileName))
	must(t, err)
	if !bytes.Equal(before, after) {
		t.Error("the refused file was written to")
	}
}

func setSchema(t *testing.T, dir string, v uint64) {
	t.Helper()
	withFile(t, dir, func(tx *bbolt.Tx) error {
		return tx.Bucket(keyRoot).Put(keySchema, binary.BigEndian.AppendUint64(nil, v))
	})
}

func withFile(t *testing.T, dir string, f func(tx *bbolt.Tx) error) {
	t.Helper()
	db, err := bbolt.Open(filepath.Join(dir, fileName), 0o600, &bbolt.Options{Timeout: time.Second})
	must(t, err)
	must(t, db.Update(f))
	must(t, db.Close())
}

// A file of schema 1, made by hand byte by byte so that it stays what schema 1
// was, is read by this hone. Later migrations must keep this passing.
func TestOpenReadsSchema1(t *testing.T) {
	dir := t.TempDir()
	at := "\x00\x00\x00\x00\x65\x53\xf1\x00\x00\x00\x00\x05" // 1_700_000_000 s, 5 ns
	hash := "\x01\x02\x03\x04\x05\x06\x07\x08"
	id7, id9 := "\x80\x00\x00\x00\x00\x00\x00\x07", "\x80\x00\x00\x00\x00\x00\x00\x09"
	withFile(t, dir, func(tx *bbolt.Tx) error {
		for _, kv := range []struct{ path, k, v string }{
			{"state", "schema", "\x00\x00\x00\x00\x00\x00\x00\x01"},
			{"state|settings", "credential", "\x01" + `{"host":"http://ls","token":"secret","at":"2026-11-01T00:00:00Z"}`},
			{"state|projects|" + id7, "meta", "\x01" + `{"project":7,"title":"old"}`},
			{"state|projects|" + id7, "checkpoint", "model"},
			{"state|projects|" + id7, "versions", "\x01" + `[{"name":"hone-1","created_at":"2026-11-01T00:00:00Z","reason":"first","live":true,"labels":3}]`},
			{"state|projects|" + id7, "watermark", "\x01" + at + at},
			{"state|projects|" + id7 + "|tasks", id9, "\x01" + at + hash + `{"text":"t"}`},
			{"state|projects|" + id7 + "|results", id9 + id7, "\x01\x02" + at + hash + "\x00\x00\x00\x00\x00\x00\x00\x03" + `[]`},
			{"state|projects|" + id7 + "|annotations", id7, "\x01\x01" + id9 + at + hash},
			{"state|projects|" + id7 + "|annotations", id9, "\x01\x02"},
			{"state|projects|" + id7 + "|tombstones", id7, "\x01"},
		} {
			names := strings.Split(kv.path, "|")
			b, err := tx.CreateBucketIfNotExists([]byte(names[0]))
			for _, n := range names[1:] {
				if err == nil {
					b, err = b.CreateBucketIfNotExists([]byte(n))
				}
			}
			if err == nil {
				err = b.Put([]byte(kv.k), []byte(kv.v))
			}
			if err != nil {
				return err
			}
		}
		return nil
	})
	s := open(t, dir, Options{})
	stored, err := s.Load(ctx, 7)
	must(t, err)
	when := time.Unix(1_700_000_000, 5).UTC()
	if diff := cmp.Diff([]event.TaskState{{
		Task:        event.Task{ID: 9, Data: []byte(`{"text":"t"}`), UpdatedAt: when},
		Annotations: []event.Annotation{{ID: 7, Task: 9, Result: []byte(`[]`), GroundTruth: true, CompletedBy: 3, UpdatedAt: when}},
	}}, labelled(t, stored)); diff != "" {
		t.Errorf("labelled (-want +got)\n%s", diff)
	}
	stored.Labelled = nil
	if diff := cmp.Diff(event.ProjectState{
		Meta:         event.Meta{Project: 7, Title: "old"},
		Checkpoint:   []byte("model"),
		Versions:     []event.Version{{Name: "hone-1", CreatedAt: time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC), Reason: "first", Live: true, Labels: 3}},
		LearnerState: []byte(`{}`),
	}, stored); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	mark, err := s.Watermark(ctx, 7)
	must(t, err)
	if !mark.Equal(when) {
		t.Errorf("watermark %v, want %v", mark, when)
	}
	cred, err := s.Credential(ctx)
	must(t, err)
	if cred.Token != "secret" {
		t.Errorf("credential %v lost its token", cred)
	}
	// Its tombstones still hold.
	d := apply(t, s, &event.Changed{Project: 7, At: sec(1), Tasks: []event.Task{task(7, 99, `{"text":"back"}`)}, Annotations: []event.Annotation{annotation(9, 9, 99, "back")}})
	if len(d[0].Tasks) != 0 {
		t.Errorf("a deleted thing came back: %+v", d[0].Tasks)
	}
}

func TestMigrateRunsTheMissingStepsOrNone(t *testing.T) {
	dir := filled(t)
	db, err := bbolt.Open(filepath.Join(dir, fileName), 0o600, nil)
	must(t, err)
	defer func() { must(t, db.Close()) }()
	var ran []int
	step := func(n int, err error) func(tx *bbolt.Tx) error {
		return func(tx *bbolt.Tx) error {
			ran = append(ran, n)
			if e := tx.Bucket(keyRoot).Put([]byte("step"), []byte{byte(n)}); e != nil {
				return e
			}
			return err
		}
	}
	look := func() (schema uint64, last []byte) {
		must(t, db.View(func(tx *bbolt.Tx) (err error) {
			last = bytes.Clone(tx.Bucket(keyRoot).Get([]byte("step")))
			schema, err = schemaOf(tx)
			return err
		}))
		return schema, last
	}
	boom := errors.New("boom")
	n := len(migrations)
	if err := migrate(db, append(migrations[:n:n], step(2, nil), step(3, boom))); !errors.Is(err, boom) {
		t.Fatalf("got %v, want boom", err)
	}
	if schema, last := look(); schema != uint64(n) || last != nil {
		t.Fatalf("a failed migration left schema %d, %v", schema, last)
	}
	table := append(migrations[:n:n], step(2, nil), step(3, nil))
	ran = nil
	must(t, migrate(db, table))
	must(t, migrate(db, table))
	if schema, last := look(); schema != uint64(n)+2 || !bytes.Equal(last, []byte{3}) || fmt.Sprint(ran) != "[2 3]" {
		t.Fatalf("schema %d, last %v, ran %v", schema, last, ran)
	}
}
