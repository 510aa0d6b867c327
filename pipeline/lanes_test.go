package pipeline_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/hone-ml/hone/event"
	"github.com/hone-ml/hone/pipeline"
	"go.etcd.io/bbolt"
)

// of is a change of a project, told apart by n.
func of(p event.ProjectID, n int) *event.Changed {
	return &event.Changed{Project: p, Title: fmt.Sprint(n)}
}

func titles(batch []event.Event) (out []string) {
	for _, e := range batch {
		switch e := e.(type) {
		case *event.Changed:
			out = append(out, e.Title)
		default:
			out = append(out, event.Kind(e))
		}
	}
	return out
}

// knows is the list of projects that an event for all reaches.
func knows(ids ...event.ProjectID) pipeline.Lanes {
	return pipeline.Lanes{Known: func(context.Context) ([]event.ProjectID, error) { return ids, nil }}
}

// A project whose events cannot be handled, and one whose handler does not return, keep
// no other project waiting; their own events stay in order.
func TestNoLaneWaitsForAnother(t *testing.T) {
	r := newRig(t, pipeline.Options{})
	r.publish(of(1, 1), of(2, 1), of(3, 1), of(1, 2), of(2, 2), of(3, 2))
	release := make(chan struct{})
	works := make(chan struct{})
	got := make(chan string, 100)
	r.HandleLanes("g", event.Changes, 10, knows(), func(_ context.Context, batch []event.Event, cur event.Cursor) error {
		switch cur.Lane {
		case 1:
			<-release
		case 2:
			select {
			case <-works:
			default:
				return passing{errAgain}
			}
		}
		for _, title := range titles(batch) {
			got <- fmt.Sprintf("%d:%s", cur.Lane, title)
		}
		return nil
	})
	r.start()
	next := func(n int) (out []string) {
		for range n {
			out = append(out, wait(t, got))
		}
		return out
	}
	if d := cmp.Diff([]string{"3:1", "3:2"}, next(2)); d != "" {
		t.Error(d)
	}
	r.publish(of(2, 3), of(3, 3))
	if d := cmp.Diff([]string{"3:3"}, next(1)); d != "" {
		t.Error(d)
	}
	eventually(t, func() bool { at, err := r.Handled("g", event.Changes, 3); return err == nil && at == 8 })
	if at, err := r.Handled("g", event.Changes, 2); at != 1 || err != nil {
		t.Errorf("project 2 is handled up to %d, %v", at, err)
	}
	eventually(t, func() bool {
		l, err := r.Lane("g", event.Changes, 2)
		return err == nil && l.Entries == 3 && !l.Failing.IsZero() && l.Reason == errAgain.Error()
	})
	close(works)
	if d := cmp.Diff([]string{"2:1", "2:2", "2:3"}, next(3)); d != "" {
		t.Error(d)
	}
	eventually(t, func() bool { l, err := r.Lane("g", event.Changes, 2); return err == nil && l == (pipeline.Lane{}) })
	close(release)
	if d := cmp.Diff([]string{"1:1", "1:2"}, next(2)); d != "" {
		t.Error(d)
	}
	eventually(t, func() bool { lags, err := r.Lag(); return err == nil && lags[0].Entries == 0 })
	// The base catches up, though no commit came after it could.
	eventually(t, func() bool { at, err := r.log.Cursor(string(event.Changes), "g"); return err == nil && at == 8 })
}

// An event for all projects comes once in each lane, in its place; what is no event,
// and a change of no project, in a lane of its own.
func TestEventsForAll(t *testing.T) {
	r := newRig(t, pipeline.Options{})
	r.publish(of(1, 1), &event.RetrainDue{}, of(2, 1), of(1, 2))
	if _, err := r.log.Append(string(event.Changes), []byte("no event")); err != nil {
		t.Fatal(err)
	}
	r.publish(of(0, 1), of(2, 2))
	got := make(chan string, 100)
	r.HandleLanes("g", event.Changes, 10, knows(2, 7), func(_ context.Context, batch []event.Event, cur event.Cursor) error {
		for _, title := range titles(batch) {
			got <- fmt.Sprintf("%d:%s", cur.Lane, title)
		}
		return nil
	})
	r.start()
	var all []string
	for range 8 {
		all = append(all, wait(t, got))
	}
	of := func(id string) (out []string) {
		for _, s := range all {
			if s[:2] == id {
				out = append(out, s)
			}
		}
		return out
	}
	for id, want := range map[string][]string{
		"1:": {"1:1", "1:retrain_due", "1:2"}, "2:": {"2:retrain_due", "2:1", "2:2"}, "7:": {"7:retrain_due"}, "0:": {"0:1"},
	} {
		if d := cmp.Diff(want, of(id)); d != "" {
			t.Error(d)
		}
	}
	eventually(t, func() bool { lags, err := r.Lag(); return err == nil && lags[0].Entries == 0 })
	letters := r.letters()
	if len(letters) != 1 || string(letters[0].Payload) != "no event" {
		t.Errorf("dead letters: %+v", letters)
	}
}

// What an error of unknown cause is about goes to the dead letters, and nothing else
// of its project.
func TestOneEventOfALaneDies(t *testing.T) {
	r := newRig(t, pipeline.Options{})
	r.publish(of(1, 1), of(1, 2), of(1, 3), of(2, 1))
	got := make(chan string, 100)
	r.HandleLanes("g", event.Changes, 10, knows(), func(_ context.Context, batch []event.Event, cur event.Cursor) error {
		for _, title := range titles(batch) {
			if cur.Lane == 1 && title == "2" {
				return errAgain
			}
			got <- fmt.Sprintf("%d:%s", cur.Lane, title)
		}
		return nil
	})
	r.start()
	eventually(t, func() bool { lags, err := r.Lag(); return err == nil && lags[0].Entries == 0 })
	letters := r.letters()
	if len(letters) != 1 || letters[0].Project != 1 || letters[0].Entry != 2 {
		t.Errorf("dead letters: %+v", letters)
	}
	var all []string
	for len(got) > 0 {
		all = append(all, <-got)
	}
	if all = slices.DeleteFunc(all, func(s string) bool { return s == "2:1" }); !slices.Equal(all[len(all)-1:], []string{"1:3"}) {
		t.Errorf("handled %v", all)
	}
}

// More waits than may wait in memory: it is read again from the log, in order, and what
// comes meanwhile goes behind it.
func TestWhatWaitsIsReadAgain(t *testing.T) {
	r := newRig(t, pipeline.Options{})
	const n = 1500
	for i := range n {
		r.publish(of(1, i), of(2, i))
		if i == n/2 {
			r.publish(&event.RetrainDue{})
		}
	}
	blocked, release := make(chan struct{}), make(chan struct{})
	got := map[event.ProjectID][]string{}
	done := make(chan struct{}, 2)
	r.HandleLanes("g", event.Changes, 7, knows(), func(_ context.Context, batch []event.Event, cur event.Cursor) error {
		if cur.Lane == 1 {
			select {
			case <-blocked:
			default:
				close(blocked)
				<-release
			}
		}
		r.mu.Lock()
		defer r.mu.Unlock()
		got[cur.Lane] = append(got[cur.Lane], titles(batch)...)
		if slices.Contains(titles(batch), fmt.Sprint(n+9)) {
			done <- struct{}{}
		}
		return nil
	})
	r.LimitLanes(2000, 3000)
	r.HurryLanes()
	r.start()
	wait(t, blocked)
	eventually(t, func() bool { l, err := r.Lane("g", event.Changes, 2); return err == nil && l.Entries == 0 })
	for i := range 10 {
		r.publish(of(1, n+i), of(2, n+i))
	}
	close(release)
	wait(t, done)
	wait(t, done)
	if err := r.stop(); err != nil {
		t.Fatal(err)
	}
	var want []string
	for i := range n + 10 {
		want = append(want, fmt.Sprint(i))
		if i == n/2 {
			want = append(want, "retrain_due")
		}
	}
	for id, all := range got {
		if d := cmp.Diff(want, all); d != "" {
			t.Errorf("project %d: %s", id, d)
		}
	}
	if at, err := r.log.Cursor(string(event.Changes), "g"); err != nil || at != 2*n+21 {
		t.Errorf("stored: up to %d, %v", at, err)
	}
}

// A project that fails for too long does not keep the log: it passes its events over,
// but for orders, and is read anew.
func TestALaneTooFarBehindIsReadAnew(t *testing.T) {
	r := newRig(t, pipeline.Options{})
	var broken bool
	got := make(chan string, 1000)
	o := knows()
	o.MaxBehind = 60
	o.Anew = func(id event.ProjectID) event.Event {
		return &event.ReconcileDue{Project: id, Contents: true, Reason: "test"}
	}
	broken = true
	r.HandleLanes("g", event.Changes, 10, o, func(_ context.Context, batch []event.Event, cur event.Cursor) error {
		r.mu.Lock()
		defer r.mu.Unlock()
		if cur.Lane == 1 && broken {
			return passing{errAgain}
		}
		for _, title := range titles(batch) {
			got <- fmt.Sprintf("%d:%s", cur.Lane, title)
		}
		return nil
	})
	asked := make(chan event.ReconcileDue, 10)
	r.Handle("r", event.Reconciles, 1, func(_ context.Context, batch []event.Event, _ event.Cursor) error {
		asked <- *batch[0].(*event.ReconcileDue)
		return nil
	})
	r.publish(of(1, 1), &event.RetrainDue{Project: 1, Reason: "a"}, &event.RollbackDue{Project: 1, To: "b"}, &event.RetrainDue{Project: 1, Reason: "c"})
	r.start()
	for i := range 100 {
		r.publish(of(2, i))
		wait(t, got)
	}
	if d := cmp.Diff(event.ReconcileDue{Project: 1, Contents: true, Reason: "test"}, wait(t, asked)); d != "" {
		t.Error(d)
	}
	r.mu.Lock()
	broken = false
	r.mu.Unlock()
	r.publish(of(1, 2))
	var all []string
	for len(all) < 3 {
		if s := wait(t, got); s[:2] == "1:" {
			all = append(all, s)
		}
	}
	if d := cmp.Diff([]string{"1:retrain_due", "1:rollback_due", "1:2"}, all); d != "" {
		t.Error(d)
	}
	eventually(t, func() bool {
		at, err := r.log.Cursor(string(event.Changes), "g")
		return err == nil && at == 107
	})
}

// The list of projects cannot be read for a while: the log waits, and goes on.
func TestProjectsCannotBeListed(t *testing.T) {
	r := newRig(t, pipeline.Options{})
	tries := 0
	o := pipeline.Lanes{Known: func(context.Context) ([]event.ProjectID, error) {
		if tries++; tries < 4 {
			return nil, errAgain
		}
		return []event.ProjectID{5}, nil
	}}
	got := make(chan event.ProjectID, 10)
	r.HandleLanes("g", event.Changes, 10, o, func(_ context.Context, _ []event.Event, cur event.Cursor) error {
		got <- cur.Lane
		return nil
	})
	r.publish(&event.RetrainDue{})
	r.start()
	if id := wait(t, got); id != 5 {
		t.Errorf("project %d", id)
	}
}

// A handler that is at work may finish when the pipeline stops, and none begins.
func TestStopWithLanes(t *testing.T) {
	r := newRig(t, pipeline.Options{})
	r.publish(of(1, 1), of(2, 1))
	started, release := make(chan struct{}, 10), make(chan struct{})
	r.HandleLanes("g", event.Changes, 1, knows(), func(ctx context.Context, _ []event.Event, cur event.Cursor) error {
		started <- struct{}{}
		<-release
		if cur.Lane == 2 {
			return passing{errAgain}
		}
		return ctx.Err()
	})
	r.start()
	wait(t, started)
	wait(t, started)
	stopped := make(chan error, 1)
	stop := r.stop
	go func() { stopped <- stop() }()
	eventually(t, r.Stopping)
	r.publish(of(1, 2), of(3, 1))
	select {
	case err := <-stopped:
		t.Fatalf("stopped with handlers at work: %v", err)
	default:
	}
	close(release)
	if err := wait(t, stopped); err != nil {
		t.Fatal(err)
	}
	base, beyond, err := r.log.Lanes(string(event.Changes), "g")
	if base != 1 || len(beyond) != 0 || err != nil {
		t.Errorf("stored: %d, %v, %v", base, beyond, err)
	}
}

// A handler that does not heed the stop is left.
func TestStopWithLanesIsBounded(t *testing.T) {
	r := newRig(t, pipeline.Options{CloseTimeout: 20 * time.Millisecond})
	r.publish(of(1, 1))
	started, release, returned := make(chan struct{}), make(chan struct{}), make(chan struct{})
	r.HandleLanes("g", event.Changes, 1, knows(), func(ctx context.Context, _ []event.Event, _ event.Cursor) error {
		defer close(returned)
		close(started)
		<-ctx.Done()
		<-release
		return ctx.Err()
	})
	r.start()
	wait(t, started)
	if err := r.stop(); err == nil {
		t.Error("it says that the handler has ended")
	}
	close(release)
	wait(t, returned)
}

func TestLogClosedUnderLanes(t *testing.T) {
	r := newRig(t, pipeline.Options{})
	r.HandleLanes("g", event.Changes, 1, knows(), func(context.Context, []event.Event, event.Cursor) error { return nil })
	r.start()
	if err := r.log.Close(); err != nil {
		t.Fatal(err)
	}
	wait(t, r.ended)
	if err := r.stop(); err == nil {
		t.Error("it stopped without a word")
	}
}

// One commit is shared by lanes; a refused one is taken out of it.
func TestARefusedCommitHurtsNoOther(t *testing.T) {
	r := newRig(t, pipeline.Options{})
	refuse := errors.New("refused")
	got := make(chan event.ProjectID, 100)
	r.HandleLanes("g", event.Changes, 1, knows(), func(_ context.Context, _ []event.Event, cur event.Cursor) error {
		write, err := r.PublishTx(&cur)
		if err != nil {
			return err
		}
		err = r.log.Update(func(tx *bbolt.Tx) error {
			if cur.Lane == 1 {
				return pipeline.MarkPermanent(refuse)
			}
			return write(tx)
		})
		if err != nil {
			return err
		}
		got <- cur.Lane
		return nil
	})
	for i := range 20 {
		r.publish(of(1, i), of(2, i), of(3, i))
	}
	r.start()
	count := map[event.ProjectID]int{}
	for range 40 {
		count[wait(t, got)]++
	}
	eventually(t, func() bool { lags, err := r.Lag(); return err == nil && lags[0].Entries == 0 })
	if count[2] != 20 || count[3] != 20 || len(r.letters()) != 20 {
		t.Errorf("handled %v, %d dead letters", count, len(r.letters()))
	}
}

// Of the changes of settings that a lane passes over each key keeps what was said of it
// last, not only those of the last change.
func TestALaneTooFarBehindKeepsAllSettings(t *testing.T) {
	r := newRig(t, pipeline.Options{})
	o := knows()
	o.MaxBehind = 60
	broken := true
	got := make(chan *event.Configured, 10)
	others := make(chan string, 1000)
	r.HandleLanes("g", event.Changes, 10, o, func(_ context.Context, batch []event.Event, cur event.Cursor) error {
		r.mu.Lock()
		defer r.mu.Unlock()
		if cur.Lane == 1 && broken {
			return passing{errAgain}
		}
		for _, e := range batch {
			if c, is := e.(*event.Configured); is {
				got <- c
			} else if cur.Lane == 2 {
				others <- ""
			}
		}
		return nil
	})
	r.publish(of(1, 1),
		&event.Configured{Project: 1, Set: map[string]string{"queue": "3", "strategy": "entropy"}, Reset: []string{"threshold", "suggestions"}},
		&event.Configured{Project: 1, Set: map[string]string{"queue": "4", "threshold": "0.3"}, Reset: []string{"strategy"}})
	r.start()
	for i := range 100 {
		r.publish(of(2, i))
		wait(t, others)
	}
	eventually(t, func() bool { // it was given up on
		at, err := r.log.Cursor(string(event.Changes), "g")
		return err == nil && at >= 60
	})
	r.mu.Lock()
	broken = false
	r.mu.Unlock()
	want := &event.Configured{Project: 1, Set: map[string]string{"queue": "4", "threshold": "0.3"}, Reset: []string{"suggestions", "strategy"}}
	if d := cmp.Diff(want, wait(t, got), cmpopts.SortSlices(func(a, b string) bool { return a < b })); d != "" {
		t.Error(d)
	}
}
