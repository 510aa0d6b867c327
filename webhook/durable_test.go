package webhook

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sirupsen/logrus"
	"go.etcd.io/bbolt"

	"github.com/hone-ml/hone/access"
	"github.com/hone-ml/hone/event"
	"github.com/hone-ml/hone/pipeline/boltlog"
)

// At the moment of the answer the event is in the file: a copy of the file made
// then, as a crash would leave it, holds the event.
func TestEventIsOnDiskWhenAnswered(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "hone.db")
	db, err := bbolt.Open(path, 0o600, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	log, err := boltlog.New(db, boltlog.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	quiet := logrus.New()
	quiet.SetOutput(io.Discard)
	s, err := New(Options{
		Publisher: newPublisher(t, log), Predictor: nobody{}, Projects: nobody{}, Adopter: nobody{},
		Gate:   access.NewGate(keysOf(t, access.Options{}), access.GateOptions{Insecure: true}),
		Logger: logrus.NewEntry(quiet),
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	srv := httptest.NewServer(s.Engine())
	defer func() {
		srv.Close()
		if err := s.Stop(context.Background()); err != nil {
			t.Error(err)
		}
	}()
	files, err := filepath.Glob(filepath.Join("testdata", "webhook-*.json"))
	if err != nil || len(files) < 10 {
		t.Fatalf("recorded webhooks: %v, %v", files, err)
	}
	want := map[event.Topic]int{}
	for _, file := range files {
		body := recorded(t, strings.TrimSuffix(filepath.Base(file), ".json"))
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, srv.URL+"/webhook", strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Content-Type", "application/json")
		resp, err := srv.Client().Do(req)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		raw, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if resp.StatusCode != http.StatusOK {
			t.Fatalf("%s: %s", file, resp.Status)
		}
		topic := event.Changes
		if strings.HasSuffix(file, "no-payload.json") {
			topic = event.Reconciles
		}
		want[topic]++
		if strings.Contains(file, "with-annotations") {
			want[event.Reconciles]++
		}
		if got := countIn(t, filepath.Join(dir, "copy.db"), raw, topic); got != want[topic] {
			t.Errorf("%s: %d events of %s are in the file when it is answered, want %d", file, got, topic, want[topic])
		}
	}
}

// countIn counts the readable events of a topic in a copy of the database.
func countIn(t *testing.T, path string, raw []byte, topic event.Topic) int {
	t.Helper()
	if err := os.WriteFile(path, raw, 0o600); err != nil {
		t.Fatal(err)
	}
	db, err := bbolt.Open(path, 0o600, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	log, err := boltlog.New(db, boltlog.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	entries, err := log.Read(string(topic), 0, 1000)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if _, err := event.Decode(e.Payload); err != nil {
			t.Error(err)
		}
	}
	return len(entries)
}
