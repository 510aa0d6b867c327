package pipeline_test

import (
	"context"
	"fmt"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/hone-ml/hone/event"
	"github.com/hone-ml/hone/pipeline"
	"github.com/hone-ml/hone/pipeline/boltlog"
	"go.etcd.io/bbolt"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const patience = 2 * time.Minute

var fast = boltlog.Options{MinBackoff: time.Millisecond, MaxBackoff: 4 * time.Millisecond}

// rig is a pipeline on a real file that can be stopped and started again.
type rig struct {
	tb   testing.TB
	path string
	db   *bbolt.DB
	log  *boltlog.Log
	*pipeline.Pipeline
	stop func() error
	// ended is closed when Run has returned, with err.
	ended chan struct{}
	err   error
	mu    sync.Mutex // a test's own
}

// eventually waits for a condition.
func eventually(tb testing.TB, ok func() bool) {
	tb.Helper()
	if !until(ok) {
		tb.Fatal("waited in vain")
	}
}

// until looks for a condition again and again, and reports whether it came.
func until(ok func() bool) bool {
	limit, tick := time.NewTimer(patience), time.NewTicker(time.Millisecond)
	defer limit.Stop()
	defer tick.Stop()
	for !ok() {
		select {
		case <-tick.C:
		case <-limit.C:
			return false
		}
	}
	return true
}

// caughtUp is closed when group g has handled every change, or when the log is
// closed.
func (r *rig) caughtUp() <-chan struct{} {
	done, log := make(chan struct{}), r.log
	go func() {
		defer close(done)
		if !until(func() bool { lag, _, err := log.Lag(string(event.Changes), "g"); return err != nil || lag == 0 }) {
			r.tb.Error("the group does not catch up")
		}
	}()
	return done
}

func newRig(tb testing.TB, o pipeline.Options) *rig {
	tb.Helper()
	r := &rig{tb: tb, path: filepath.Join(tb.TempDir(), "hone.db")}
	r.open(o)
	tb.Cleanup(r.close)
	return r
}

func (r *rig) open(o pipeline.Options) {
	r.tb.Helper()
	db, err := bbolt.Open(r.path, 0o600, &bbolt.Options{NoSync: true, Timeout: patience})
	if err != nil {
		r.tb.Fatal(err)
	}
	r.db = db
	if r.log, err = boltlog.New(db, fast); err != nil {
		r.tb.Fatal(err)
	}
	if r.Pipeline, err = pipeline.New(r.log, o); err != nil {
		r.tb.Fatal(err)
	}
}

// start runs the pipeline until r.stop.
func (r *rig) start() {
	r.tb.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	r.ended = ended
	go func() {
		defer close(ended)
		r.err = r.Run(ctx)
	}()
	r.stop = func() error {
		cancel()
		r.stop = nil
		<-ended
		return r.err
	}
	select {
	case <-r.Running():
	case <-time.After(patience):
		r.tb.Fatal("the pipeline does not start")
	}
}

func (r *rig) close() {
	r.tb.Helper()
	if r.stop != nil {
		if err := r.stop(); err != nil {
			r.tb.Error(err)
		}
	}
	if err := r.log.Close(); err != nil {
		r.tb.Error(err)
	}
	if err := r.db.Close(); err != nil {
		r.tb.Error(err)
	}
}

func (r *rig) publish(events ...event.Event) {
	r.tb.Helper()
	if err := r.Publish(context.Background(), events...); err != nil {
		r.tb.Fatal(err)
	}
}

func (r *rig) letters() []pipeline.DeadLetter {
	r.tb.Helper()
	letters, err := r.DeadLetters(context.Background(), 1<<30)
	if err != nil {
		r.tb.Fatal(err)
	}
	n, err := r.CountDeadLetters(context.Background())
	if err != nil || n != len(letters) {
		r.tb.Fatalf("%d dead letters listed, %d counted: %v", len(letters), n, err)
	}
	return letters
}

// changed makes an event that is told apart by its project.
func changed(n int) *event.Changed { return &event.Changed{Project: event.ProjectID(n)} }

func changes(from, to int) []event.Event {
	var events []event.Event
	for n := from; n <= to; n++ {
		events = append(events, changed(n))
	}
	return events
}

func numbers(batch []event.Event) []int {
	ns := make([]int, len(batch))
	for i, e := range batch {
		ns[i] = int(e.ProjectOf())
	}
	return ns
}

func wait[T any](tb testing.TB, ch <-chan T) T {
	tb.Helper()
	select {
	case v := <-ch:
		return v
	case <-time.After(patience):
		tb.Fatal("waited in vain")
	}
	panic("unreachable")
}

func seq(from, to int) []int {
	var ns []int
	for n := from; n <= to; n++ {
		ns = append(ns, n)
	}
	return ns
}

var errAgain = fmt.Errorf("not now")

// passing is an error that says of itself that it goes away.
type passing struct{ error }

func (passing) Passing() bool { return true }
