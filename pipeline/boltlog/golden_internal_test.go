package boltlog

import (
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.etcd.io/bbolt"

	"github.com/hone-ml/hone/event"
	"github.com/hone-ml/hone/internal/golden"
)

// The stored form of entries and cursors, and where they are.
func TestGoldenFile(t *testing.T) {
	db, err := bbolt.Open(filepath.Join(t.TempDir(), "log.db"), 0o600, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	l, err := New(db, Options{})
	if err != nil {
		t.Fatal(err)
	}
	at := time.Date(2026, 11, 29, 12, 0, 0, 5, time.UTC)
	if err := l.Register("changes", "learner"); err != nil {
		t.Fatal(err)
	}
	if _, err := l.appendValues("changes", [][]byte{
		encodeEntry(Entry{Time: at, Payload: []byte("the first")}),
		encodeEntry(Entry{Time: at, UUID: "uuid", Metadata: map[string]string{"key": "value"}, Payload: []byte(strings.Repeat("x", 130))}),
		encodeEntry(Entry{Time: at}),
	}); err != nil {
		t.Fatal(err)
	}
	if err := l.Advance(event.Cursor{Topic: "changes", Group: "learner", Offset: 1}); err != nil {
		t.Fatal(err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	text, err := golden.Bolt(db)
	if err != nil {
		t.Fatal(err)
	}
	golden.Check(t, "golden/file.txt", []byte(text+OffsetKey+"\n"+UnreadableKey+"\n"))
}
