package pipeline_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/hone-ml/hone/event"
	"github.com/hone-ml/hone/pipeline"
	"github.com/hone-ml/hone/pipeline/boltlog"
	"github.com/sirupsen/logrus"
	logtest "github.com/sirupsen/logrus/hooks/test"
	"go.etcd.io/bbolt"
	bbolterrors "go.etcd.io/bbolt/errors"
)

func TestBatches(t *testing.T) {
	r := newRig(t, pipeline.Options{})
	r.publish(changes(1, 25)...) // before anybody listens
	got := make(chan []int, 100)
	r.Handle("learner", event.Changes, 10, func(_ context.Context, batch []event.Event, cur event.Cursor) error {
		if want := (event.Cursor{Topic: event.Changes, Group: "learner", Offset: uint64(batch[len(batch)-1].ProjectOf())}); cur != want {
			t.Errorf("cursor %v, want %v", cur, want)
		}
		got <- numbers(batch)
		return nil
	})
	r.start()
	for _, want := range [][]int{seq(1, 10), seq(11, 20), seq(21, 25)} {
		if d := cmp.Diff(want, wait(t, got)); d != "" {
			t.Fatal(d)
		}
	}
	r.publish(changed(26))
	if d := cmp.Diff([]int{26}, wait(t, got)); d != "" {
		t.Fatal(d)
	}
	if err := r.stop(); err != nil {
		t.Fatal(err)
	}
	lags, err := r.Lag()
	if d := cmp.Diff([]pipeline.Lag{{Topic: event.Changes, Group: "learner"}}, lags); d != "" || err != nil {
		t.Errorf("%s %v", d, err)
	}
}

// Two groups see everything, one by one where maxBatch is 1, and events go to
// the topics they belong to.
func TestGroupsAndTopics(t *testing.T) {
	r := newRig(t, pipeline.Options{})
	type seen struct {
		who  string
		what []int
	}
	got := make(chan seen, 100)
	for who, topic := range map[string]event.Topic{"a": event.Changes, "b": event.Changes, "c": event.Reconciles} {
		r.Handle(who, topic, 1, func(_ context.Context, batch []event.Event, _ event.Cursor) error {
			got <- seen{who, numbers(batch)}
			return nil
		})
	}
	r.start()
	r.publish(changed(1), &event.ReconcileDue{Project: 9}, &event.RetrainDue{Project: 2})
	all := map[string][]int{}
	for range 5 {
		s := wait(t, got)
		if len(s.what) != 1 {
			t.Errorf("%s got %d at once", s.who, len(s.what))
		}
		all[s.who] = append(all[s.who], s.what...)
	}
	if d := cmp.Diff(map[string][]int{"a": {1, 2}, "b": {1, 2}, "c": {9}}, all); d != "" {
		t.Error(d)
	}
}

// A handler that commits state, cursor and what follows in its own transaction.
func TestCommitInOneTransaction(t *testing.T) {
	r := newRig(t, pipeline.Options{})
	r.publish(changes(1, 5)...)
	learned := make(chan []int, 10)
	r.Handle("learner", event.Changes, 10, func(_ context.Context, batch []event.Event, cur event.Cursor) error {
		write, err := r.PublishTx(&cur, &event.Learned{Project: batch[0].ProjectOf()})
		if err != nil {
			return err
		}
		return r.db.Update(write)
	})
	r.Handle("sampler", event.Snapshots, 1, func(_ context.Context, batch []event.Event, _ event.Cursor) error {
		learned <- numbers(batch)
		return nil
	})
	r.start()
	if d := cmp.Diff([]int{1}, wait(t, learned)); d != "" {
		t.Error(d)
	}
}

func TestTransientIsRetried(t *testing.T) {
	logger, lines := logtest.NewNullLogger()
	r := newRig(t, pipeline.Options{Logger: logrus.NewEntry(logger)})
	r.publish(changes(1, 3)...)
	var attempts int
	got := make(chan []int, 10)
	r.Handle("g", event.Changes, 2, func(_ context.Context, batch []event.Event, _ event.Cursor) error {
		if attempts++; attempts <= 9 {
			if batch[0].ProjectOf() != 1 {
				t.Errorf("event %d overtook a failing one", batch[0].ProjectOf())
			}
			return passing{errAgain}
		}
		got <- numbers(batch)
		return nil
	})
	r.start()
	if d := cmp.Diff([][]int{{1, 2}, {3}}, [][]int{wait(t, got), wait(t, got)}); d != "" {
		t.Error(d)
	}
	if err := r.stop(); err != nil {
		t.Fatal(err)
	}
	var failures []any
	for _, e := range lines.AllEntries() {
		if e.Level == logrus.WarnLevel {
			failures = append(failures, e.Data["failures"])
		}
	}
	if d := cmp.Diff([]any{1, 2, 4, 8}, failures); d != "" {
		t.Errorf("nine failures were logged as %s", d)
	}
	if n := len(r.letters()); n != 0 {
		t.Errorf("%d dead letters", n)
	}
}

// An error that nobody has thought of holds up the log for a few tries only, and
// only the event that it is about goes to the dead letters.
func TestUnknownErrorIsTriedAFewTimes(t *testing.T) {
	r := newRig(t, pipeline.Options{})
	r.publish(changes(1, 4)...)
	tries := map[int]int{}
	got := make(chan []int, 20)
	r.Handle("g", event.Changes, 10, func(_ context.Context, batch []event.Event, _ event.Cursor) error {
		for _, n := range numbers(batch) {
			tries[n]++
			if n == 2 {
				return errAgain
			}
		}
		got <- numbers(batch)
		return nil
	})
	r.start()
	if d := cmp.Diff([][]int{{1}, {3}, {4}}, [][]int{wait(t, got), wait(t, got), wait(t, got)}); d != "" {
		t.Error(d)
	}
	if err := r.stop(); err != nil {
		t.Fatal(err)
	}
	letters := r.letters()
	if len(letters) != 1 || letters[0].Project != 2 || !strings.Contains(letters[0].Reason, "tried 5 times") {
		t.Errorf("dead letters: %+v", letters)
	}
	if tries[2] != 6 { // once in the batch
		t.Errorf("tried %d times", tries[2])
	}
}

func TestStopLetsAHandlerFinish(t *testing.T) {
	r := newRig(t, pipeline.Options{})
	r.publish(changes(1, 3)...)
	started, finish := make(chan struct{}), make(chan struct{})
	calls := 0
	r.Handle("g", event.Changes, 2, func(ctx context.Context, _ []event.Event, _ event.Cursor) error {
		if calls++; calls > 1 {
			return passing{errAgain} // the stop may begin only after that
		}
		close(started)
		<-finish
		return ctx.Err()
	})
	r.start()
	wait(t, started)
	stopped := make(chan error, 1)
	stop := r.stop
	go func() { stopped <- stop() }()
	r.publish(changed(4)) // publishing goes on while it stops
	select {
	case err := <-stopped:
		t.Fatalf("stopped with a handler at work: %v", err)
	default:
	}
	close(finish)
	if err := wait(t, stopped); err != nil {
		t.Fatal(err)
	}
	if at, err := r.log.Cursor(string(event.Changes), "g"); at != 2 || err != nil {
		t.Errorf("the finished batch counts up to %d: %v", at, err)
	}
}

// Once Run has returned, the database may be closed: no handler is at work, and
// none begins, not even with an event that was on its way at that moment.
func TestNothingRunsAfterRun(t *testing.T) {
	rounds := 300
	if testing.Short() {
		rounds = 30
	}
	r := newRig(t, pipeline.Options{})
	for range rounds {
		p, err := pipeline.New(r.log, pipeline.Options{})
		if err != nil {
			t.Fatal(err)
		}
		r.Pipeline = p
		var over atomic.Bool
		for g := range 8 {
			p.Handle(fmt.Sprint(g), event.Changes, 1, func(context.Context, []event.Event, event.Cursor) error {
				if over.Load() {
					t.Error("a handler began after Run had returned")
				}
				_, err := r.log.Append("elsewhere", nil) // takes a moment
				if over.Load() {
					t.Error("a handler was at work when Run returned")
				}
				return err
			})
		}
		r.start()
		// Every group gets an event just as the pipeline stops.
		r.publish(changed(1))
		if err := r.stop(); err != nil {
			t.Fatal(err)
		}
		over.Store(true)
	}
}

// A handler that does not heed the stop is told to give up after CloseTimeout,
// and its batch comes again. In real time: the router waits on a mutex, which
// testing/synctest does not take for waiting.
func TestStopIsBounded(t *testing.T) {
	const limit = 50 * time.Millisecond
	for _, stubborn := range []bool{false, true} {
		t.Run(fmt.Sprint("stubborn ", stubborn), func(t *testing.T) {
			r := newRig(t, pipeline.Options{CloseTimeout: limit})
			r.publish(changed(1))
			started, release, returned := make(chan struct{}), make(chan struct{}), make(chan struct{})
			r.Handle("g", event.Changes, 1, func(ctx context.Context, _ []event.Event, _ event.Cursor) error {
				defer close(returned)
				close(started)
				<-ctx.Done()
				if stubborn {
					<-release
				}
				return ctx.Err()
			})
			r.start()
			wait(t, started)
			begin := time.Now()
			err := r.stop()
			if took := time.Since(begin); took < limit {
				t.Errorf("told to give up after %v", took)
			}
			if (err != nil) != stubborn {
				t.Errorf("got %v", err)
			}
			close(release)
			wait(t, returned)
			if at, err := r.log.Cursor(string(event.Changes), "g"); at != 0 || err != nil {
				t.Errorf("an unfinished batch counts: %d, %v", at, err)
			}
		})
	}
}

func TestHandlerTimeout(t *testing.T) {
	r := newRig(t, pipeline.Options{HandlerTimeout: 10 * time.Millisecond})
	r.publish(changed(1))
	calls := make(chan error, 2)
	again := false
	r.Handle("g", event.Changes, 1, func(ctx context.Context, _ []event.Event, _ event.Cursor) error {
		if again {
			calls <- nil
			return nil
		}
		again = true
		<-ctx.Done()
		calls <- ctx.Err()
		return ctx.Err()
	})
	r.start()
	if err := wait(t, calls); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("given up because of %v", err)
	}
	if err := wait(t, calls); err != nil {
		t.Error(err)
	}
}

func TestStopBeforeStart(t *testing.T) {
	r := newRig(t, pipeline.Options{})
	r.Handle("g", event.Changes, 1, func(context.Context, []event.Event, event.Cursor) error { return nil })
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := r.Run(ctx); err != nil {
		t.Error(err)
	}
}

// The log is closed under a running pipeline: Run says so instead of idling.
func TestLogClosedUnderIt(t *testing.T) {
	r := newRig(t, pipeline.Options{})
	r.Handle("g", event.Changes, 1, func(context.Context, []event.Event, event.Cursor) error { return nil })
	r.start()
	if err := r.log.Close(); err != nil {
		t.Fatal(err)
	}
	wait(t, r.ended)
	if err := r.stop(); err == nil {
		t.Error("it stopped without a word")
	}
}

func TestRunOnAClosedLog(t *testing.T) {
	r := newRig(t, pipeline.Options{})
	if err := errors.Join(r.log.Close(), r.db.Close()); err != nil {
		t.Fatal(err)
	}
	r.Handle("g", event.Changes, 1, func(context.Context, []event.Event, event.Cursor) error { return nil })
	if err := r.Run(context.Background()); !errors.Is(err, pipeline.ErrStorage) {
		t.Errorf("got %v", err)
	}
	select {
	case <-r.Running():
		t.Error("it says that it is running")
	default:
	}
}

// The file may not grow any more, as on a full disk; then it may again.
func TestPublishOnAFullDisk(t *testing.T) {
	r := newRig(t, pipeline.Options{})
	limit := func(size int) {
		// Inside a transaction, since writers read it there.
		if err := r.db.Update(func(*bbolt.Tx) error { r.db.MaxSize = size; return nil }); err != nil {
			t.Fatal(err)
		}
	}
	var handled atomic.Int64
	limit(256 << 10)
	e := &event.Changed{Project: 1, LabelConfig: string(bytes.Repeat([]byte("x"), 50_000))}
	stored := int64(0)
	var err error
	for err == nil && stored < 100 {
		if err = r.Publish(context.Background(), e, e); err == nil {
			stored += 2
		}
	}
	if !errors.Is(err, pipeline.ErrStorage) || !errors.Is(err, bbolterrors.ErrMaxSizeReached) {
		t.Fatalf("after %d events: %v", stored, err)
	}
	limit(0)
	r.publish(e)
	stored++
	done := make(chan struct{})
	r.Handle("g", event.Changes, 10, func(_ context.Context, batch []event.Event, _ event.Cursor) error {
		if handled.Add(int64(len(batch))) == stored {
			close(done)
		}
		return nil
	})
	r.start()
	wait(t, done)
}

func TestPublishRefuses(t *testing.T) {
	r := newRig(t, pipeline.Options{})
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := r.Publish(ctx, changed(1)); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	// One of two cannot be encoded: neither is stored.
	bad := &event.Changed{Tasks: []event.Task{{Data: []byte("{")}}}
	if err := r.Publish(context.Background(), changed(1), bad); err == nil {
		t.Error("published what is not JSON")
	}
	if n, err := r.log.Count(string(event.Changes)); n != 0 || err != nil {
		t.Errorf("%d entries, %v", n, err)
	}
	if err := r.Publish(context.Background()); err != nil {
		t.Error(err)
	}
}

func ExamplePipeline() {
	db, err := bbolt.Open("hone.db", 0o600, nil)
	if err != nil {
		panic(err)
	}
	defer db.Close()
	log, err := boltlog.New(db, boltlog.Options{})
	if err != nil {
		panic(err)
	}
	defer log.Close()
	p, err := pipeline.New(log, pipeline.Options{})
	if err != nil {
		panic(err)
	}
	p.Handle("learner", event.Changes, 256, func(_ context.Context, batch []event.Event, _ event.Cursor) error {
		fmt.Println(len(batch), "changes")
		return nil
	})
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	go func() {
		if err := p.Publish(ctx, &event.Changed{Project: 1, Source: event.FromWebhook}); err != nil {
			fmt.Println(err)
		}
	}()
	if err := p.Run(ctx); err != nil {
		fmt.Println(err)
	}
}
