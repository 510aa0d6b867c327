package boltlog_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/google/go-cmp/cmp"
	"github.com/hone-ml/hone/event"
	"github.com/hone-ml/hone/pipeline/boltlog"
	"go.etcd.io/bbolt"
)

const patience = 2 * time.Minute

func subscribe(t *testing.T, l *boltlog.Log, group, topic string) <-chan *message.Message {
	t.Helper()
	ch, err := l.Subscriber(group).Subscribe(context.Background(), topic)
	if err != nil {
		t.Fatal(err)
	}
	return ch
}

func receive(t *testing.T, ch <-chan *message.Message) *message.Message {
	t.Helper()
	select {
	case m, ok := <-ch:
		if !ok {
			t.Fatal("the subscription has ended")
		}
		return m
	case <-time.After(patience):
		t.Fatal("nothing was delivered")
	}
	return nil
}

func mustAppend(t *testing.T, l *boltlog.Log, topic string, payloads ...string) uint64 {
	t.Helper()
	raw := make([][]byte, len(payloads))
	for i, p := range payloads {
		raw[i] = []byte(p)
	}
	last, err := l.Append(topic, raw...)
	if err != nil {
		t.Fatal(err)
	}
	return last
}

func TestPublishKeepsTheMessage(t *testing.T) {
	l := newLog(t, fast)
	in := message.NewMessage("id", []byte("payload"))
	in.Metadata["k"] = "v"
	if err := l.Publisher().Publish("t", in); err != nil {
		t.Fatal(err)
	}
	out := receive(t, subscribe(t, l, "g", "t"))
	if out.UUID != "id" || string(out.Payload) != "payload" || out.Metadata.Get("k") != "v" || boltlog.Offset(out) != 1 {
		t.Errorf("got %q %q %v", out.UUID, out.Payload, out.Metadata)
	}
	if boltlog.Offset(in) != 0 {
		t.Error("publishing changed the message")
	}
	out.Ack()
}

// Messages of one Publish are stored together, never with another's in between.
func TestPublishIsOneTransaction(t *testing.T) {
	l := newLog(t, fast)
	var wg sync.WaitGroup
	for w := range 16 {
		wg.Go(func() {
			msgs := make([]*message.Message, 5)
			for i := range msgs {
				msgs[i] = message.NewMessage("", fmt.Append(nil, w))
			}
			if err := l.Publisher().Publish("t", msgs...); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	entries, err := l.Read("t", 0, 1000)
	if err != nil || len(entries) != 80 {
		t.Fatalf("%d entries, %v", len(entries), err)
	}
	for i, e := range entries {
		if first := entries[i-i%5]; string(e.Payload) != string(first.Payload) {
			t.Fatalf("entry %d is writer %s's, inside writer %s's five", e.Offset, e.Payload, first.Payload)
		}
	}
}

// A failing neighbour in the shared transaction makes bbolt run the others
// again; they must still be stored once.
func TestFailingNeighbour(t *testing.T) {
	l := newLog(t, boltlog.Options{})
	no := errors.New("no")
	var wg sync.WaitGroup
	for i := range 20 {
		wg.Go(func() {
			if i%4 == 0 {
				if err := l.Update(func(*bbolt.Tx) error { return no }); !errors.Is(err, no) || errors.Is(err, boltlog.ErrStorage) {
					t.Errorf("the caller's own error became %v", err)
				}
				return
			}
			if _, err := l.Append("t", []byte("x")); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if n, err := l.Count("t"); n != 15 || err != nil {
		t.Errorf("%d entries, want 15: %v", n, err)
	}
	if e, ok, err := l.Get("t", 15); !ok || err != nil {
		t.Errorf("the last offset is not 15: %v %v", e, err)
	}
}

func TestAppendTxWakesOnCommitOnly(t *testing.T) {
	l := newLog(t, fast)
	ch := subscribe(t, l, "g", "t")
	stop := errors.New("stop")
	if err := l.Update(func(tx *bbolt.Tx) error {
		return errors.Join(l.AppendTx(tx, "t", []byte("rolled back")), stop)
	}); !errors.Is(err, stop) {
		t.Fatal(err)
	}
	if err := l.Update(func(tx *bbolt.Tx) error { return l.AppendTx(tx, "t", []byte("kept")) }); err != nil {
		t.Fatal(err)
	}
	if m := receive(t, ch); string(m.Payload) != "kept" || boltlog.Offset(m) != 1 {
		t.Errorf("got %q at %d", m.Payload, boltlog.Offset(m))
	}
}

// Subscribers of one group take turns: never two entries in flight, and none out
// of order.
func TestGroupTakesTurns(t *testing.T) {
	l := newLog(t, fast)
	const n = 200
	var inFlight, handled atomic.Int64
	done := make(chan struct{})
	for range 5 {
		ch := subscribe(t, l, "g", "t")
		go func() {
			for m := range ch {
				if inFlight.Add(1) != 1 {
					t.Error("two entries in flight")
				}
				if want := handled.Add(1); boltlog.Offset(m) != uint64(want) {
					t.Errorf("entry %d where %d was due", boltlog.Offset(m), want)
				}
				inFlight.Add(-1)
				last := boltlog.Offset(m) == n
				m.Ack()
				if last {
					close(done)
				}
			}
		}()
	}
	for range n {
		mustAppend(t, l, "t", "x")
	}
	select {
	case <-done:
	case <-time.After(patience):
		t.Fatalf("%d of %d handled", handled.Load(), n)
	}
}

// In a bubble of fake time the pauses between redeliveries can be read exactly.
func TestNackBacksOff(t *testing.T) {
	path := t.TempDir() + "/log.db"
	synctest.Test(t, func(t *testing.T) {
		db := openDB(t, path, nil)
		defer db.Close()
		l, err := boltlog.New(db, boltlog.Options{MinBackoff: 10 * time.Millisecond, MaxBackoff: 100 * time.Millisecond})
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		mustAppend(t, l, "t", "a", "b")
		ch := subscribe(t, l, "g", "t")
		var pauses []time.Duration
		m := <-ch
		for range 6 {
			at := time.Now()
			m.Nack()
			if m = <-ch; string(m.Payload) != "a" {
				t.Fatalf("%q overtook a refused entry", m.Payload)
			}
			pauses = append(pauses, time.Since(at).Round(time.Millisecond))
		}
		ms := time.Millisecond
		if d := cmp.Diff([]time.Duration{10 * ms, 20 * ms, 40 * ms, 80 * ms, 100 * ms, 100 * ms}, pauses); d != "" {
			t.Error(d)
		}
		m.Ack()
		m = <-ch
		at := time.Now()
		m.Nack()
		m = <-ch
		if d := time.Since(at).Round(time.Millisecond); d != 10*ms {
			t.Errorf("the next entry's first pause is %v", d)
		}
		m.Ack()
	})
}

func TestCursorSurvivesRestart(t *testing.T) {
	path := t.TempDir() + "/log.db"
	for restart := range 3 {
		db := openDB(t, path, nil)
		l, err := boltlog.New(db, fast)
		if err != nil {
			t.Fatal(err)
		}
		if restart == 0 {
			mustAppend(t, l, "t", "1", "2", "3")
		}
		ch := subscribe(t, l, "g", "t")
		m := receive(t, ch)
		if boltlog.Offset(m) != uint64(restart)+1 {
			t.Fatalf("start %d begins at %d", restart, boltlog.Offset(m))
		}
		m.Ack()
		if restart < 2 {
			receive(t, ch) // delivered, not acknowledged: must come again
		}
		if err := errors.Join(l.Close(), db.Close()); err != nil {
			t.Fatal(err)
		}
	}
}

// The goroutines are checked by goleak at the end of the run.
func TestClose(t *testing.T) {
	l := newLog(t, fast)
	mustAppend(t, l, "t", "x")

	idle, unread, held := l.Subscriber("idle"), l.Subscriber("unread"), l.Subscriber("held")
	idleCh, err := idle.Subscribe(context.Background(), "empty")
	if err != nil {
		t.Fatal(err)
	}
	unreadCh, err := unread.Subscribe(context.Background(), "t")
	if err != nil {
		t.Fatal(err)
	}
	heldCh, err := held.Subscribe(context.Background(), "t")
	if err != nil {
		t.Fatal(err)
	}
	m := receive(t, heldCh)
	for _, s := range []message.Subscriber{idle, unread, held, idle} {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}
	for name, ch := range map[string]<-chan *message.Message{"idle": idleCh, "unread": unreadCh, "held": heldCh} {
		if _, open := <-ch; open {
			t.Errorf("%s still delivers", name)
		}
	}
	if m.Context().Err() == nil {
		t.Error("the message's context outlives its subscription")
	}
	m.Ack() // too late to count
	if at, err := l.Cursor("t", "held"); at != 0 || err != nil {
		t.Errorf("cursor %d, %v", at, err)
	}
	if _, err := held.Subscribe(context.Background(), "t"); !errors.Is(err, boltlog.ErrClosed) {
		t.Errorf("subscribing after Close: %v", err)
	}
	p := l.Publisher()
	if err := errors.Join(p.Close(), p.Close()); err != nil {
		t.Error(err)
	}
	if err := p.Publish("t", message.NewMessage("", nil)); !errors.Is(err, boltlog.ErrClosed) {
		t.Errorf("publishing after Close: %v", err)
	}
	// Another subscriber of the group takes over what was left.
	if m := receive(t, subscribe(t, l, "held", "t")); string(m.Payload) != "x" {
		t.Errorf("got %q", m.Payload)
	}
	if err := errors.Join(l.Close(), l.Close()); err != nil {
		t.Error(err)
	}
	if _, err := l.Append("t", nil); !errors.Is(err, boltlog.ErrClosed) {
		t.Errorf("appending after Close: %v", err)
	}
	if _, err := l.Subscriber("g").Subscribe(context.Background(), "t"); !errors.Is(err, boltlog.ErrClosed) {
		t.Errorf("subscribing after the log's Close: %v", err)
	}
}

func TestTruncation(t *testing.T) {
	l := newLog(t, fast)
	advance := func(group string, offset uint64) {
		t.Helper()
		if err := l.Advance(event.Cursor{Topic: "t", Group: group, Offset: offset}); err != nil {
			t.Fatal(err)
		}
	}
	count := func(want int) {
		t.Helper()
		if n, err := l.Count("t"); n != want || err != nil {
			t.Fatalf("%d entries are left, want %d: %v", n, want, err)
		}
	}
	for range 50 {
		payloads := make([][]byte, 100)
		if _, err := l.Append("t", payloads...); err != nil {
			t.Fatal(err)
		}
	}
	count(5000) // no group: nothing goes
	if err := errors.Join(l.Register("t", "fast"), l.Register("t", "slow")); err != nil {
		t.Fatal(err)
	}
	advance("fast", 5000)
	count(5000) // the slow one needs them
	advance("slow", 10)
	count(5000) // not worth it yet
	advance("slow", 400)
	count(4600)
	advance("slow", 4000)
	count(4600 - 1024) // a bounded number at once
	advance("slow", 4001)
	count(4600 - 2048)
	advance("slow", 300) // never back
	if at, err := l.Cursor("t", "slow"); at != 4001 || err != nil {
		t.Errorf("cursor %d, %v", at, err)
	}
	if err := l.Advance(event.Cursor{Topic: "t", Group: "slow", Offset: 5001}); err == nil {
		t.Error("a cursor went past the end")
	}
	if err := l.Advance(event.Cursor{Topic: "none", Group: "slow", Offset: 1}); err == nil {
		t.Error("a cursor moved in a topic that has nothing")
	}
	// One who joins late begins at the oldest entry left: 400 + 2048 are gone.
	if m := receive(t, subscribe(t, l, "late", "t")); boltlog.Offset(m) != 2449 {
		t.Errorf("begins at %d", boltlog.Offset(m))
	}
}

// A log that is handled to its end keeps nothing, and numbers on.
func TestTruncationAtTheEnd(t *testing.T) {
	l := newLog(t, fast)
	ch := subscribe(t, l, "g", "t")
	for i := range uint64(5) {
		mustAppend(t, l, "t", "x")
		m := receive(t, ch)
		if boltlog.Offset(m) != i+1 {
			t.Fatalf("offset %d, want %d", boltlog.Offset(m), i+1)
		}
		if err := l.Advance(event.Cursor{Topic: "t", Group: "g", Offset: i + 1}); err != nil {
			t.Fatal(err)
		}
		m.Ack()
	}
	if n, err := l.Count("t"); n != 0 || err != nil {
		t.Errorf("%d entries are left: %v", n, err)
	}
}

func TestReadIsBounded(t *testing.T) {
	l := newLog(t, fast)
	big := string(make([]byte, 3<<20))
	mustAppend(t, l, "t", big, big, big, string(make([]byte, 9<<20)), "x")
	for after, want := range map[uint64]int{0: 2, 2: 1, 3: 1, 4: 1, 5: 0} {
		entries, err := l.Read("t", after, 100)
		if err != nil || len(entries) != want {
			t.Errorf("after %d: %d entries, want %d: %v", after, len(entries), want, err)
		}
	}
	if entries, err := l.Read("none", 0, 10); len(entries) != 0 || err != nil {
		t.Errorf("a topic that is not there: %v %v", entries, err)
	}
}

func TestNames(t *testing.T) {
	l := newLog(t, fast)
	long := string(make([]byte, 256))
	for _, name := range []string{"", long} {
		if _, err := l.Append(name, nil); err == nil {
			t.Errorf("appended to topic %q", name)
		}
		if err := l.Register(name, "g"); err == nil {
			t.Errorf("registered in topic %q", name)
		}
		if err := l.Register("t", name); err == nil {
			t.Errorf("registered group %q", name)
		}
	}
}
