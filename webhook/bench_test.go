package webhook

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sirupsen/logrus"
	"go.etcd.io/bbolt"

	"github.com/hone-ml/hone/access"
	"github.com/hone-ml/hone/event"
	"github.com/hone-ml/hone/labelstudio/regions"
	"github.com/hone-ml/hone/labelstudio/wire"
	"github.com/hone-ml/hone/pipeline"
	"github.com/hone-ml/hone/pipeline/boltlog"
)

func BenchmarkWebhook1(b *testing.B)  { benchmarkWebhook(b, 1) }
func BenchmarkWebhook64(b *testing.B) { benchmarkWebhook(b, 64) }

// benchmarkWebhook measures durable webhooks: HTTP over loopback on kept
// connections, the recorded body of an annotation with new ids each time, events
// in a real log. In the same run and in turns, so that a slow moment of the disk
// meets all, it measures plain bbolt: db.Batch with one Put of as many bytes as the
// event takes in the log. "plain" is db.Batch as bbolt makes it, which collects for
// 10 ms; "hasty" is with a delay of 1 ms, the best of those tried here. Neither has
// to read HTTP or to know what the bytes mean.
//
// The senders share this machine's processors with hone, so they do next to
// nothing: each writes prepared bytes to its socket and looks for the status.
func benchmarkWebhook(b *testing.B, senders int) {
	body := recorded(b, "webhook-annotation-created-choices")
	db := openBench(b, "hone.db")
	log, err := boltlog.New(db, boltlog.Options{})
	if err != nil {
		b.Fatal(err)
	}
	defer log.Close()
	quiet := logrus.New()
	quiet.SetOutput(io.Discard)
	s, err := New(Options{
		Publisher: newPublisher(b, log), Predictor: nobody{}, Projects: nobody{}, Adopter: nobody{},
		Gate:   access.NewGate(keysOf(b, access.Options{Secret: "bench"}), access.GateOptions{Addr: everywhere}),
		Logger: logrus.NewEntry(quiet),
	})
	if err != nil {
		b.Fatal(err)
	}
	if err := s.Start(b.Context()); err != nil {
		b.Fatal(err)
	}
	srv := httptest.NewServer(s.Engine())
	defer func() {
		srv.Close()
		if err := s.Stop(context.Background()); err != nil {
			b.Error(err)
		}
	}()

	conns := make([]*sender, senders)
	for i := range conns {
		conns[i] = dial(b, srv.Listener.Addr().String(), body)
		defer conns[i].conn.Close()
	}
	conns[0].send(b, 1) // so that the size of an event is known
	entries, err := log.Read(string(event.Changes), 0, 1)
	if err != nil || len(entries) != 1 {
		b.Fatalf("the log has %d entries, %v", len(entries), err)
	}
	payload := bytes.Repeat([]byte{'x'}, len(entries[0].Payload))
	plain := plainPut(b, payload, 10*time.Millisecond)
	hasty := plainPut(b, payload, time.Millisecond)

	acks := make([]time.Duration, b.N)
	var ours, plainTook, hastyTook time.Duration
	const rounds = 8
	b.ResetTimer()
	for r := range rounds {
		from, to := b.N*r/rounds, b.N*(r+1)/rounds
		ours += share(senders, from, to, func(worker, i int) {
			start := time.Now()
			conns[worker].send(b, int64(i)+2)
			acks[i] = time.Since(start)
		})
		b.StopTimer()
		plainTook += share(senders, from, to, func(_, _ int) { check(b, plain()) })
		hastyTook += share(senders, from, to, func(_, _ int) { check(b, hasty()) })
		b.StartTimer()
	}
	b.StopTimer()
	if n := logged(b, log); n != b.N+1 {
		b.Fatalf("%d events are in the log, want %d", n, b.N+1)
	}
	slices.Sort(acks)
	b.ReportMetric(float64(b.N)/ours.Seconds(), "webhooks/s")
	b.ReportMetric(float64(b.N)/plainTook.Seconds(), "plain/s")
	b.ReportMetric(plainTook.Seconds()/ours.Seconds(), "of-plain")
	b.ReportMetric(float64(b.N)/hastyTook.Seconds(), "hasty/s")
	b.ReportMetric(hastyTook.Seconds()/ours.Seconds(), "of-hasty")
	b.ReportMetric(float64(acks[(len(acks)*99)/100].Microseconds())/1000, "p99-ack-ms")
	b.ReportMetric(float64(len(body)), "body-bytes")
	b.ReportMetric(float64(len(payload)), "event-bytes")
}

// share calls f for from..to-1 from some goroutines and returns how long it took.
func share(workers, from, to int, f func(worker, i int)) time.Duration {
	start := time.Now()
	var wg sync.WaitGroup
	for w := range workers {
		wg.Go(func() {
			for i := from + w; i < to; i += workers {
				f(w, i)
			}
		})
	}
	wg.Wait()
	return time.Since(start)
}

// sender is one connection of Label Studio.
type sender struct {
	conn   net.Conn
	in     *bufio.Reader
	before []byte // head and body up to the annotation's id, which has ten digits
	after  []byte
	out    []byte
}

const firstID = 1_000_000_000

func dial(b *testing.B, addr, body string) *sender {
	b.Helper()
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		b.Fatal(err)
	}
	i := strings.Index(body, `"annotation": {"id": `) + len(`"annotation": {"id": `)
	j := i + strings.IndexByte(body[i:], ',')
	head := fmt.Sprintf("POST /webhook HTTP/1.1\r\nHost: %s\r\nUser-Agent: python-requests/2.34.2\r\nAccept-Encoding: gzip, deflate\r\nAccept: */*\r\n"+
		"Connection: keep-alive\r\nX-Hone-Secret: bench\r\nContent-Length: %d\r\nContent-Type: application/json\r\n\r\n", addr, len(body)-(j-i)+10)
	return &sender{conn: conn, in: bufio.NewReader(conn), before: []byte(head + body[:i]), after: []byte(body[j:])}
}

func (s *sender) send(b *testing.B, id int64) {
	s.out = append(s.out[:0], s.before...)
	s.out = strconv.AppendInt(s.out, firstID+id, 10)
	s.out = append(s.out, s.after...)
	if _, err := s.conn.Write(s.out); err != nil {
		b.Error(err)
		return
	}
	line, err := s.in.ReadSlice('\n')
	if err != nil || !bytes.HasPrefix(line, []byte("HTTP/1.1 200 ")) {
		b.Errorf("answer: %q %v", line, err)
		return
	}
	length := 0
	for {
		line, err := s.in.ReadSlice('\n')
		if err != nil {
			b.Error(err)
			return
		}
		if len(line) == 2 {
			break
		}
		if v, ok := bytes.CutPrefix(line, []byte("Content-Length: ")); ok {
			length, err = strconv.Atoi(strings.TrimSpace(string(v)))
			if err != nil {
				b.Error(err)
				return
			}
		}
	}
	if _, err := s.in.Discard(length); err != nil {
		b.Error(err)
	}
}

// logged counts the changes in a log.
func logged(b *testing.B, log *boltlog.Log) (n int) {
	b.Helper()
	for after := uint64(0); ; {
		entries, err := log.Read(string(event.Changes), after, 1000)
		if err != nil {
			b.Fatal(err)
		}
		if len(entries) == 0 {
			return n
		}
		n += len(entries)
		after = entries[len(entries)-1].Offset
	}
}

// newPublisher publishes to a log as hone does.
func newPublisher(t testing.TB, log *boltlog.Log) *pipeline.Pipeline {
	t.Helper()
	p, err := pipeline.New(log, pipeline.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// nobody has no project.
type nobody struct{}

func (nobody) Projects() []event.ProjectID                          { return nil }
func (nobody) Versions(event.ProjectID) []string                    { return nil }
func (nobody) Setup(context.Context, SetupInfo) (SetupReply, error) { return SetupReply{}, nil }
func (nobody) Predict(_ context.Context, _ event.ProjectID, _ string, tasks []event.Task) ([]wire.Prediction, error) {
	return make([]wire.Prediction, len(tasks)), nil
}

func (nobody) Extend(context.Context, event.ProjectID, string, event.Task, []regions.Region) (wire.Prediction, error) {
	return wire.Prediction{}, nil
}

func openBench(b *testing.B, name string) *bbolt.DB {
	b.Helper()
	db, err := bbolt.Open(filepath.Join(b.TempDir(), name), 0o600, nil)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		if err := db.Close(); err != nil {
			b.Error(err)
		}
	})
	return db
}

func check(b *testing.B, err error) {
	if err != nil {
		b.Error(err)
	}
}

func plainPut(b *testing.B, payload []byte, delay time.Duration) func() error {
	b.Helper()
	db := openBench(b, fmt.Sprintf("plain-%v.db", delay))
	db.MaxBatchDelay = delay
	bucket := []byte("plain")
	if err := db.Update(func(tx *bbolt.Tx) error {
		_, err := tx.CreateBucket(bucket)
		return err
	}); err != nil {
		b.Fatal(err)
	}
	return func() error {
		return db.Batch(func(tx *bbolt.Tx) error {
			bk := tx.Bucket(bucket)
			n, err := bk.NextSequence()
			if err != nil {
				return err
			}
			return bk.Put(binary.BigEndian.AppendUint64(nil, n), payload)
		})
	}
}
