package boltlog_test

import (
	"context"
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/hone-ml/hone/event"
	"github.com/hone-ml/hone/pipeline/boltlog"
	"go.etcd.io/bbolt"
	"pgregory.net/rapid"
)

// machine drives one topic with two groups and keeps beside it the simplest
// description of what must be true.
type machine struct {
	path   string
	db     *bbolt.DB
	log    *boltlog.Log
	groups [2]*groupModel

	published int // payloads are "1", "2" … in order, equal to their offsets
}

type groupModel struct {
	name     string
	handled  uint64 // everything up to here was handled, and nothing else
	known    bool   // registered: has subscribed once
	messages <-chan *message.Message
	inFlight *message.Message
}

func (m *machine) open(t *rapid.T) {
	var err error
	// Without fsync: processes are killed elsewhere, here order is tested.
	if m.db, err = bbolt.Open(m.path, 0o600, &bbolt.Options{NoSync: true, Timeout: 10 * time.Second}); err != nil {
		t.Fatal(err)
	}
	o := boltlog.Options{MinBackoff: time.Microsecond, MaxBackoff: time.Microsecond}
	if m.log, err = boltlog.New(m.db, o); err != nil {
		t.Fatal(err)
	}
	for _, g := range m.groups {
		g.messages, g.inFlight = nil, nil
	}
}

func (m *machine) close(t *rapid.T) {
	if err := m.log.Close(); err != nil {
		t.Fatal(err)
	}
	if err := m.db.Close(); err != nil {
		t.Fatal(err)
	}
}

// receive makes sure the group has an entry in flight, and that it is the one
// after what it has handled. It reports false when nothing is due.
func (m *machine) receive(t *rapid.T, g *groupModel) bool {
	if g.inFlight != nil {
		return true
	}
	if g.messages == nil {
		ch, err := m.log.Subscriber(g.name).Subscribe(context.Background(), "t")
		if err != nil {
			t.Fatal(err)
		}
		g.messages = ch
		if !g.known {
			// A new group begins at the oldest entry that is left.
			at, err := m.log.Cursor("t", g.name)
			if err != nil {
				t.Fatal(err)
			}
			if others := m.lowest(); at > others {
				t.Fatalf("group %s begins after %d, but only up to %d is handled by all", g.name, at, others)
			}
			g.handled, g.known = at, true
		}
	}
	if g.handled >= uint64(m.published) {
		return false
	}
	select {
	case g.inFlight = <-g.messages:
	case <-time.After(patience):
		t.Fatalf("group %s: entry %d of %d was not delivered", g.name, g.handled+1, m.published)
	}
	if got, want := string(g.inFlight.Payload), fmt.Sprint(g.handled+1); got != want {
		t.Fatalf("group %s got entry %s, want %s", g.name, got, want)
	}
	if boltlog.Offset(g.inFlight) != g.handled+1 {
		t.Fatalf("group %s: offset %d, want %d", g.name, boltlog.Offset(g.inFlight), g.handled+1)
	}
	return true
}

// lowest is what every registered group has handled; 0 without a group.
func (m *machine) lowest() uint64 {
	low, known := uint64(m.published), false
	for _, g := range m.groups {
		if g.known {
			low, known = min(low, g.handled), true
		}
	}
	if !known {
		return 0
	}
	return low
}

func (g *groupModel) cursor(offset uint64) event.Cursor {
	return event.Cursor{Topic: "t", Group: g.name, Offset: offset}
}

func TestModel(t *testing.T) {
	dir := t.TempDir()
	n := 0
	rapid.Check(t, func(t *rapid.T) {
		n++
		m := &machine{path: filepath.Join(dir, fmt.Sprint(n)), groups: [2]*groupModel{{name: "a"}, {name: "b"}}}
		m.open(t)
		defer func() { m.close(t) }()
		anyGroup := rapid.IntRange(0, 1)
		t.Repeat(map[string]func(*rapid.T){
			"append": func(t *rapid.T) {
				// Now and then enough to make truncation worth while.
				count := rapid.OneOf(rapid.IntRange(1, 4), rapid.IntRange(200, 700)).Draw(t, "count")
				payloads := make([][]byte, count)
				for i := range payloads {
					m.published++
					payloads[i] = []byte(fmt.Sprint(m.published))
				}
				var last uint64
				var err error
				if rapid.Bool().Draw(t, "tx") {
					last = uint64(m.published)
					err = m.db.Update(func(tx *bbolt.Tx) error { return m.log.AppendTx(tx, "t", payloads...) })
				} else {
					last, err = m.log.Append("t", payloads...)
				}
				if err != nil || last != uint64(m.published) {
					t.Fatalf("append: offset %d, want %d: %v", last, m.published, err)
				}
			},
			"ack": func(t *rapid.T) {
				g := m.groups[anyGroup.Draw(t, "group")]
				if !m.receive(t, g) {
					return
				}
				msg := g.inFlight
				msg.Ack()
				g.inFlight = nil
				g.handled++
				if g.handled < uint64(m.published) {
					m.receive(t, g) // the cursor is written before the next one comes
				} else {
					m.await(t, g)
				}
			},
			"nack": func(t *rapid.T) {
				g := m.groups[anyGroup.Draw(t, "group")]
				if m.receive(t, g) {
					g.inFlight.Nack()
					g.inFlight = nil
				}
			},
			// A handler reads ahead, commits, and acknowledges what triggered it.
			"batch": func(t *rapid.T) {
				g := m.groups[anyGroup.Draw(t, "group")]
				if !m.receive(t, g) {
					return
				}
				entries, err := m.log.Read("t", boltlog.Offset(g.inFlight), rapid.IntRange(1, 400).Draw(t, "ahead"))
				if err != nil {
					t.Fatal(err)
				}
				end := g.handled + 1
				for _, e := range entries {
					if end++; e.Offset != end || string(e.Payload) != fmt.Sprint(end) {
						t.Fatalf("read ahead: entry %d %q where %d was due", e.Offset, e.Payload, end)
					}
				}
				if err := m.db.Update(func(tx *bbolt.Tx) error { return m.log.AdvanceTx(tx, g.cursor(end)) }); err != nil {
					t.Fatal(err)
				}
				g.inFlight.Ack()
				g.inFlight, g.handled = nil, end
				if g.handled < uint64(m.published) {
					m.receive(t, g)
				}
			},
			"rolled back": func(t *rapid.T) {
				g := m.groups[anyGroup.Draw(t, "group")]
				stop := fmt.Errorf("no")
				err := m.log.Update(func(tx *bbolt.Tx) error {
					if err := m.log.AppendTx(tx, "t", []byte("never")); err != nil {
						return err
					}
					if err := m.log.AdvanceTx(tx, g.cursor(uint64(m.published))); err != nil {
						return err
					}
					return stop
				})
				if err != stop { //nolint:errorlint // it must come back as it is
					t.Fatal(err)
				}
			},
			"reopen": func(t *rapid.T) {
				m.close(t)
				m.open(t)
			},
			"": m.check,
		})
	})
}

// await waits until the acknowledged entry's cursor is written.
func (m *machine) await(t *rapid.T, g *groupModel) {
	deadline := time.Now().Add(patience)
	for {
		at, err := m.log.Cursor("t", g.name)
		if err != nil {
			t.Fatal(err)
		}
		if at >= g.handled {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("group %s: acknowledged %d, cursor stays at %d", g.name, g.handled, at)
		}
	}
}

func (m *machine) check(t *rapid.T) {
	for _, g := range m.groups {
		if !g.known {
			continue
		}
		at, err := m.log.Cursor("t", g.name)
		if err != nil {
			t.Fatal(err)
		}
		if at != g.handled {
			t.Fatalf("group %s: cursor %d, handled %d", g.name, at, g.handled)
		}
		lag, since, err := m.log.Lag("t", g.name)
		if err != nil {
			t.Fatal(err)
		}
		if want := uint64(m.published) - g.handled; lag != want || since.IsZero() != (want == 0) {
			t.Fatalf("group %s: lag %d since %v, want %d", g.name, lag, since, want)
		}
	}
	entries, err := m.log.Read("t", 0, 1<<30)
	if err != nil {
		t.Fatal(err)
	}
	first := uint64(m.published) + 1
	if len(entries) > 0 {
		first = entries[0].Offset
	}
	if first > m.lowest()+1 {
		t.Fatalf("the first entry left is %d, but only %d were handled by all", first, m.lowest())
	}
	for i, e := range entries {
		if e.Offset != first+uint64(i) || string(e.Payload) != fmt.Sprint(e.Offset) {
			t.Fatalf("entry %d %q where %d was due", e.Offset, e.Payload, first+uint64(i))
		}
	}
	if got := first + uint64(len(entries)); got != uint64(m.published)+1 {
		t.Fatalf("the log ends at %d, published %d", got-1, m.published)
	}
}
