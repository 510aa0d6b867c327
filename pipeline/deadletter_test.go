package pipeline_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/hone-ml/hone/event"
	"github.com/hone-ml/hone/pipeline"
	"github.com/sirupsen/logrus"
	logtest "github.com/sirupsen/logrus/hooks/test"
	bbolterrors "go.etcd.io/bbolt/errors"
)

func TestPermanent(t *testing.T) {
	again := errors.New("again")
	for _, c := range []struct {
		err  error
		want bool
	}{
		{nil, false},
		{again, false},
		{fmt.Errorf("x: %w", pipeline.ErrStorage), false},
		{context.DeadlineExceeded, false},
		{fmt.Errorf("x: %w", event.ErrUnreadable), true},
		{fmt.Errorf("x: %w", pipeline.MarkPermanent(again)), true},
	} {
		if got := pipeline.Permanent(c.err); got != c.want {
			t.Errorf("Permanent(%v) = %v", c.err, got)
		}
	}
	if pipeline.MarkPermanent(nil) != nil {
		t.Error("marking nil makes an error")
	}
	if err := pipeline.MarkPermanent(again); !errors.Is(err, again) || err.Error() != "again" {
		t.Errorf("marking hides the error: %v", err)
	}
}

func TestPassing(t *testing.T) {
	other := errors.New("other")
	_, noFile := os.Open(filepath.Join(t.TempDir(), "none"))
	for _, c := range []struct {
		err  error
		want bool
	}{
		{nil, false},
		{other, false},
		{event.ErrUnreadable, false},
		{fmt.Errorf("x: %w", pipeline.ErrStorage), true},
		{fmt.Errorf("x: %w", context.DeadlineExceeded), true},
		{context.Canceled, true},
		{fmt.Errorf("x: %w", noFile), true},
		{fmt.Errorf("x: %w", syscall.ENOSPC), true},
		{fmt.Errorf("x: %w", &net.OpError{Op: "dial", Err: syscall.ECONNREFUSED}), true},
		{fmt.Errorf("x: %w", bbolterrors.ErrDatabaseNotOpen), true},
		{fmt.Errorf("x: %w", passing{other}), true},
	} {
		if got := pipeline.Passing(c.err); got != c.want {
			t.Errorf("Passing(%v) = %v", c.err, got)
		}
	}
}

// An entry that is no event, in the middle of a batch, ends the batch before it
// and goes to the dead letters as it was.
func TestUnreadableEntry(t *testing.T) {
	r := newRig(t, pipeline.Options{})
	r.publish(changes(1, 2)...)
	if _, err := r.log.Append(string(event.Changes), []byte("not an event")); err != nil {
		t.Fatal(err)
	}
	r.publish(changes(4, 5)...)
	got := make(chan []int, 10)
	r.Handle("g", event.Changes, 10, func(_ context.Context, batch []event.Event, _ event.Cursor) error {
		got <- numbers(batch)
		return nil
	})
	r.start()
	if d := cmp.Diff([][]int{{1, 2}, {4, 5}}, [][]int{wait(t, got), wait(t, got)}); d != "" {
		t.Error(d)
	}
	want := []pipeline.DeadLetter{{
		Offset: 1, Topic: event.Changes, Entry: 3, Group: "g", Kind: "unreadable", Payload: []byte("not an event"),
	}}
	letters := r.letters()
	if d := cmp.Diff(want, letters, cmpopts.IgnoreFields(pipeline.DeadLetter{}, "At", "Reason")); d != "" {
		t.Fatal(d)
	}
	if l := letters[0]; l.At.IsZero() || !strings.Contains(l.Reason, event.ErrUnreadable.Error()) {
		t.Errorf("at %v because %q", l.At, l.Reason)
	}
}

// One event of a batch is at fault: it alone dies, by an error or by a panic,
// and the next batches are whole again.
func TestPoisonInABatch(t *testing.T) {
	for _, how := range []string{"error", "panic"} {
		t.Run(how, func(t *testing.T) {
			logger, lines := logtest.NewNullLogger()
			r := newRig(t, pipeline.Options{Logger: logrus.NewEntry(logger)})
			r.publish(changes(1, 5)...)
			got := make(chan []int, 10)
			r.Handle("g", event.Changes, 4, func(_ context.Context, batch []event.Event, _ event.Cursor) error {
				for _, e := range batch {
					if e.ProjectOf() == 3 {
						if how == "panic" {
							panic("three")
						}
						return pipeline.MarkPermanent(errors.New("three"))
					}
				}
				got <- numbers(batch)
				return nil
			})
			r.start()
			for _, want := range [][]int{{1}, {2}, {4}, {5}} {
				if d := cmp.Diff(want, wait(t, got)); d != "" {
					t.Fatal(d)
				}
			}
			letters := r.letters()
			if len(letters) != 1 || letters[0].Project != 3 || letters[0].Kind != "changed" || !strings.Contains(letters[0].Reason, "three") {
				t.Fatalf("%+v", letters)
			}
			stacks := 0
			for _, e := range lines.AllEntries() {
				if s, ok := e.Data["stack"].(string); ok && strings.Contains(s, "TestPoisonInABatch") {
					stacks++
				}
			}
			if (stacks > 0) != (how == "panic") {
				t.Errorf("%d stacks in the log", stacks)
			}
			if strings.Contains(letters[0].Reason, "goroutine") {
				t.Errorf("the stack is in the reason: %s", letters[0].Reason)
			}
		})
	}
}

func TestReplayAndDrop(t *testing.T) {
	ctx := context.Background()
	r := newRig(t, pipeline.Options{})
	r.publish(changes(1, 4)...)
	broken := true
	got, tried := make(chan []int, 10), make(chan struct{}, 10)
	r.Handle("g", event.Changes, 1, func(_ context.Context, batch []event.Event, _ event.Cursor) error {
		if broken && batch[0].ProjectOf() < 4 {
			tried <- struct{}{}
			return pipeline.MarkPermanent(errors.New("broken"))
		}
		got <- numbers(batch)
		return nil
	})
	r.start()
	for range 3 {
		wait(t, tried)
	}
	if d := cmp.Diff([]int{4}, wait(t, got)); d != "" {
		t.Fatal(d)
	}
	if n := len(r.letters()); n != 3 {
		t.Fatalf("%d dead letters", n)
	}
	some, err := r.DeadLetters(ctx, 2)
	if err != nil || len(some) != 2 || some[0].Offset != 1 || some[1].Offset != 2 {
		t.Errorf("the first two: %v, %v", some, err)
	}
	if n, err := r.Drop(ctx, 2, 99); n != 1 || err != nil {
		t.Errorf("dropped %d, %v", n, err)
	}
	broken = false // the handler is idle; publishing orders this before its next call
	if n, err := r.Replay(ctx, 3, 2, 1, 3); n != 2 || err != nil {
		t.Errorf("replayed %d, %v", n, err)
	}
	if d := cmp.Diff([][]int{{3}, {1}}, [][]int{wait(t, got), wait(t, got)}); d != "" {
		t.Error(d)
	}
	if n := len(r.letters()); n != 0 {
		t.Errorf("%d dead letters are left", n)
	}

	if _, err := r.log.Append(string(event.DeadLetters), []byte("scribble")); err != nil {
		t.Fatal(err)
	}
	l := r.letters()
	if len(l) != 1 || string(l[0].Payload) != "scribble" || !strings.Contains(l[0].Reason, "unreadable dead letter") {
		t.Fatalf("%+v", l)
	}
	if n, err := r.Replay(ctx, l[0].Offset); n != 0 || err == nil {
		t.Errorf("replayed scribble: %d, %v", n, err)
	}
	if n, err := r.Drop(ctx, l[0].Offset); n != 1 || err != nil {
		t.Errorf("dropped %d, %v", n, err)
	}
}
