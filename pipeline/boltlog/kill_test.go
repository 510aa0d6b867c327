//go:build unix

package boltlog_test

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/hone-ml/hone/event"
	"github.com/hone-ml/hone/pipeline/boltlog"
	"go.etcd.io/bbolt"
)

const killWriters = 8

// publishForEver prints a line after each acknowledged publish, while a reader
// commits how far it is together with its cursor.
func publishForEver(db *bbolt.DB) {
	l := childLog(db, fast)
	run := os.Getenv("HONE_BOLTLOG_RUN")
	// A group that never moves keeps every entry.
	if err := l.Register("t", "keeps"); err != nil {
		fail(err)
	}
	for w := range killWriters {
		go func() {
			for i := 0; ; i++ {
				line := fmt.Sprintf("%s:%d:%d\n", run, w, i)
				if _, err := l.Append("t", []byte(strings.TrimSpace(line))); err != nil {
					fail(err)
				}
				if _, err := os.Stdout.WriteString(line); err != nil {
					fail(err)
				}
			}
		}()
	}
	at, err := l.Cursor("t", "reader")
	for err == nil {
		var entries []boltlog.Entry
		if entries, err = l.Read("t", at, 16); err != nil || len(entries) == 0 {
			continue
		}
		at = entries[len(entries)-1].Offset
		err = l.Update(func(tx *bbolt.Tx) error {
			b, err := tx.CreateBucketIfNotExists([]byte("reader"))
			if err != nil {
				return err
			}
			if err := b.Put([]byte("handled"), binary.BigEndian.AppendUint64(nil, at)); err != nil {
				return err
			}
			return l.AdvanceTx(tx, event.Cursor{Topic: "t", Group: "reader", Offset: at})
		})
	}
	fail(err)
}

// TestKill kills a publishing process at random points, several times on one
// file: every acknowledged message is there exactly once and in its writer's
// order, and a cursor committed with its reader's state agrees with it.
func TestKill(t *testing.T) {
	file := filepath.Join(t.TempDir(), "log.db")
	kills := 5
	if testing.Short() {
		kills = 2
	}
	acked := map[string]bool{}
	for run := range kills {
		killOne(t, file, strconv.Itoa(run), 50+rand.IntN(400), acked)
	}

	db := openDB(t, file, nil)
	defer db.Close()
	l, err := boltlog.New(db, fast)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	entries, err := l.Read("t", 0, 1<<30)
	if err != nil {
		t.Fatal(err)
	}
	stored := map[string]bool{}
	next := map[string]int{}
	for i, e := range entries {
		if e.Offset != uint64(i)+1 {
			t.Fatalf("entry %d has offset %d: a hole or a doubled offset", i+1, e.Offset)
		}
		payload := string(e.Payload)
		cut := strings.LastIndexByte(payload, ':')
		n, err := strconv.Atoi(payload[cut+1:])
		if err != nil {
			t.Fatal(err)
		}
		writer := payload[:cut]
		if n != next[writer] {
			t.Fatalf("entry %d: writer %s: message %d where %d was due", e.Offset, writer, n, next[writer])
		}
		next[writer]++
		stored[payload] = true
	}
	for m := range acked {
		if !stored[m] {
			t.Errorf("message %s was acknowledged and is gone", m)
		}
	}
	at, err := l.Cursor("t", "reader")
	if err != nil {
		t.Fatal(err)
	}
	var handled uint64
	if err := db.View(func(tx *bbolt.Tx) error {
		if b := tx.Bucket([]byte("reader")); b != nil {
			handled = binary.BigEndian.Uint64(b.Get([]byte("handled")))
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	if at == 0 || at != handled {
		t.Errorf("the cursor is %d, the state committed with it %d", at, handled)
	}
	t.Logf("%d entries, %d acknowledged, %d kills, reader at %d", len(entries), len(acked), kills, at)
}

// killOne runs a publisher until it has acknowledged so many messages, kills it,
// and notes all that it acknowledged.
func killOne(t *testing.T, file, run string, after int, acked map[string]bool) {
	t.Helper()
	cmd := child(t, "publish", file, "HONE_BOLTLOG_RUN="+run)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	// Lines are whole: a pipe takes so short a write at once or not at all.
	lines, n := bufio.NewScanner(out), 0
	for lines.Scan() {
		acked[lines.Text()] = true
		if n++; n == after {
			if err := cmd.Process.Kill(); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := cmd.Wait(); err == nil || n < after {
		t.Fatalf("the child ended by itself after %d acknowledgements: %v", n, err)
	}
}
