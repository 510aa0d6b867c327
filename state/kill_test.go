package state

import (
	"bufio"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.etcd.io/bbolt"

	"github.com/hone-ml/hone/event"
)

var keyTestCursor = []byte("test cursor")

// statement is the n-th of an endless log that everybody can compute.
func statement(n uint64) *event.Changed {
	r := rand.New(rand.NewPCG(n, 7))
	c := &event.Changed{Project: event.ProjectID(1 + n%2), At: sec(int(n)), Source: event.FromWebhook}
	id, on := 1+r.IntN(40), 1+r.IntN(20)
	switch r.IntN(8) {
	case 0:
		c.DeletedAnnotations = []event.AnnotationID{event.AnnotationID(id)}
	case 1:
		if n%5 == 0 {
			c.DeletedTasks = []event.TaskID{event.TaskID(on)}
		}
	case 2, 3:
		c.Tasks = []event.Task{task(on, int(n), fmt.Sprintf(`{"text":"%d %s"}`, n, strings.Repeat("x", r.IntN(3000))))}
	default:
		c.Annotations = []event.Annotation{annotation(id+100*(int(n)/500), on, int(n), strconv.FormatUint(n, 10))}
	}
	return c
}

// writeForever commits the log in batches from where the file's cursor stands,
// and names each cursor that it was told is durable.
func writeForever(dir string) {
	fail := func(err error) {
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	}
	s, err := Open(dir, Options{})
	fail(err)
	at, err := cursorOf(s)
	fail(err)
	for r := rand.New(rand.NewPCG(at, 1)); ; {
		var batch []*event.Changed
		for range 1 + r.IntN(30) {
			at++
			batch = append(batch, statement(at))
		}
		deltas, err := s.Plan(ctx, batch)
		fail(err)
		c := commitOf(deltas)
		for i := range c.Projects {
			c.Projects[i].Checkpoint = []byte(strings.Repeat(strconv.FormatUint(at, 10)+" ", 2000))
			c.Projects[i].LearnerState = strconv.AppendUint(nil, at, 10)
		}
		write, err := s.Prepare(c)
		fail(err)
		fail(s.db.Update(func(tx *bbolt.Tx) error {
			if err := write(tx); err != nil {
				return err
			}
			b, err := tx.CreateBucketIfNotExists(keyTestCursor)
			if err != nil {
				return err
			}
			return b.Put(keyTestCursor, binary.BigEndian.AppendUint64(nil, at))
		}))
		fmt.Println(at)
	}
}

func cursorOf(s *Store) (at uint64, err error) {
	err = s.db.View(func(tx *bbolt.Tx) error {
		if b := tx.Bucket(keyTestCursor); b != nil {
			at = binary.BigEndian.Uint64(b.Get(keyTestCursor))
		}
		return nil
	})
	return at, err
}

// Killed anywhere, the file holds exactly the statements up to its cursor, and
// every commit that was reported.
func TestKilledAnywhereTheFileStandsAtItsCursor(t *testing.T) {
	rounds := 12
	if testing.Short() {
		rounds = 3
	}
	dir := t.TempDir()
	var all []*event.Changed
	for round := range rounds {
		reported := killAfter(t, dir, 1+rand.IntN(12))
		s, err := Open(dir, Options{})
		must(t, err)
		at, err := cursorOf(s)
		must(t, err)
		if at < reported {
			t.Fatalf("round %d: cursor %d, but %d was reported durable", round, at, reported)
		}
		for n := uint64(len(all)) + 1; n <= at; n++ {
			all = append(all, statement(n))
		}
		for p := event.ProjectID(1); p <= 2; p++ {
			meta, want := model(p, all)
			got, err := s.Tasks(ctx, p, nil)
			must(t, err)
			if diff := cmp.Diff(want, got); diff != "" {
				t.Fatalf("round %d, project %d at %d (-model +store):\n%s", round, p, at, diff)
			}
			stored, err := s.Load(ctx, p)
			must(t, err)
			if diff := cmp.Diff(meta, stored.Meta); diff != "" {
				t.Fatalf("round %d, project %d at %d (-model +store):\n%s", round, p, at, diff)
			}
			first, _, _ := strings.Cut(string(stored.Checkpoint), " ")
			if len(want) > 0 && !checkpointOf(p, first, at) {
				t.Fatalf("round %d, project %d: checkpoint of %s, cursor %d", round, p, first, at)
			}
			if string(stored.LearnerState) != first {
				t.Fatalf("round %d, project %d: checkpoint of %s, learner's state of %s", round, p, first, stored.LearnerState)
			}
		}
		must(t, s.Close())
	}
}

// checkpointOf reports whether a checkpoint of statement first can be the newest
// of a project at the cursor: no later batch may have been about the project.
func checkpointOf(_ event.ProjectID, first string, at uint64) bool {
	n, err := strconv.ParseUint(first, 10, 64)
	return err == nil && n <= at && at-n <= 1 // a batch of one leaves the other project alone
}

// killAfter runs the writer and kills it at some moment after it has reported
// that many commits. It returns the last cursor reported.
func killAfter(t *testing.T, dir string, commits int) (reported uint64) {
	t.Helper()
	cmd := child(t, "write", dir)
	out, err := cmd.StdoutPipe()
	must(t, err)
	must(t, cmd.Start())
	lines := bufio.NewReader(out)
	for n := 0; ; n++ {
		line, err := lines.ReadString('\n')
		if errors.Is(err, io.EOF) {
			break
		}
		must(t, err)
		if reported, err = strconv.ParseUint(strings.TrimSpace(line), 10, 64); err != nil {
			t.Fatalf("the writer said %q", line)
		}
		if n == commits {
			for range rand.IntN(200_000) { // somewhere within a commit, not at its end
				_ = json.Valid(nil)
			}
			must(t, cmd.Process.Kill())
		}
	}
	_ = cmd.Wait() // killed
	return reported
}
