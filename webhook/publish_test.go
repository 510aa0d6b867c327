package webhook

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hone-ml/hone/event"
)

func TestFullDiskIs503AndAReconcileWhenItIsBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		body := recorded(t, "webhook-annotation-created-choices")
		r.memory.failWith(errDisk)
		for i := range 20 {
			w := r.direct(http.MethodPost, "/webhook", body)
			if w.Code != http.StatusServiceUnavailable || !strings.Contains(w.Body.String(), "could not store") {
				t.Fatalf("answer %d: %d %s", i, w.Code, w.Body)
			}
		}
		time.Sleep(time.Hour) // nobody sends anything; storage still fails
		synctest.Wait()
		if n := r.memory.calls; n > 20+200 {
			t.Errorf("storage was tried %d times in an hour", n)
		}
		if n := r.count(t, "hone_webhook_owed_reconciles"); n != 1 {
			t.Errorf("%v reconciles owed, want 1", n)
		}
		r.memory.failWith(nil)
		time.Sleep(retryDelays.Max + time.Second)
		synctest.Wait()
		if n := r.count(t, "hone_webhook_owed_reconciles"); n != 0 {
			t.Errorf("%v reconciles owed, want none", n)
		}
		if got := r.memory.lines(t); !slices.Equal(got, []string{"reconcile 3 full"}) {
			t.Errorf("stored: %q", got)
		}
		if n := r.count(t, "hone_webhook_refused_total", "reason", refusedStorage); n != 20 {
			t.Errorf("%v refusals counted, want 20", n)
		}
		if log := r.logged.String(); strings.Count(log, "cannot be stored") != 1 || strings.Count(log, "stored again") != 1 {
			t.Errorf("log:\n%s", log)
		}
	})
}

func TestReconcileDoesNotWaitOnceAnEventIsStored(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.memory.failWith(errDisk)
		r.direct(http.MethodPost, "/webhook", recorded(t, "webhook-annotation-created-choices"))
		time.Sleep(10 * time.Minute) // the backoff is at its longest
		r.memory.failWith(nil)
		r.direct(http.MethodPost, "/webhook", recorded(t, "webhook-annotations-deleted-choices"))
		synctest.Wait() // no time passes
		if got := r.memory.lines(t); !slices.Equal(got, []string{"changed 3 -annotation 8", "reconcile 3 full"}) {
			t.Errorf("stored: %q", got)
		}
	})
}

func TestSlowStorageIsNotWaitedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		hold := make(chan struct{})
		r.memory.hold = hold
		start := time.Now()
		w := r.direct(http.MethodPost, "/webhook", recorded(t, "webhook-annotation-created-choices"))
		if took := time.Since(start); took > 900*time.Millisecond || w.Code != http.StatusServiceUnavailable {
			t.Errorf("answered %d after %v", w.Code, took)
		}
		// Other requests use the buffers meanwhile; the late write must not see it.
		for range 100 {
			r.direct(http.MethodPost, "/predict", strings.Replace(recorded(t, "backend-predict-choices"), "sample", "XXXXXX", -1))
		}
		close(hold)
		time.Sleep(time.Minute)
		synctest.Wait()
		var late *event.Changed
		for _, e := range r.memory.events(t) {
			if c, ok := e.(*event.Changed); ok {
				late = c
			}
		}
		if late == nil || string(late.Tasks[0].Data) != `{"text":"sample text 0"}` {
			t.Errorf("late write: %+v", late)
		}
		if !slices.Contains(r.memory.lines(t), "reconcile 3 full") {
			t.Errorf("stored: %q", r.memory.lines(t))
		}
	})
}

func TestHangingStorageDoesNotPileUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hold := make(chan struct{})
		m := &memory{hold: hold}
		st := newBoundedPublisher(m, time.Second)
		slow, busy := 0, 0
		results := make(chan error)
		for range maxStoring + 10 {
			go func() {
				_, _, err := st.publish(t.Context(), &event.RetrainDue{})
				results <- err
			}()
		}
		for range maxStoring + 10 {
			switch err := <-results; {
			case errors.Is(err, errStoreTimeout):
				slow++
			case errors.Is(err, errStoreBusy):
				busy++
			}
		}
		if slow != maxStoring || busy != 10 {
			t.Errorf("%d slow, %d busy", slow, busy)
		}
		close(hold)
	})
}

func TestImpatientCallerDoesNotStopTheWrite(t *testing.T) {
	r := newRig(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := r.publish(ctx, &event.RetrainDue{Project: 3}); err != nil {
		t.Error(err)
	}
	if n := len(r.memory.events(t)); n != 1 {
		t.Errorf("%d events stored", n)
	}
}

func TestCloseWaitsForWritesAndRefusesMore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		hold := make(chan struct{})
		r.memory.hold = hold
		answers := make(chan int, 1)
		body := recorded(t, "webhook-annotation-created-choices")
		go func() { answers <- r.direct(http.MethodPost, "/webhook", body).Code }()
		synctest.Wait()
		closed := make(chan error, 1)
		go func() { closed <- r.publisher.close(t.Context()) }()
		synctest.Wait()
		if len(closed) != 0 {
			t.Fatal("closed while an event was being written")
		}
		close(hold)
		if code, err := <-answers, <-closed; code != http.StatusOK || err != nil {
			t.Errorf("answer %d, close %v", code, err)
		}
		if w := r.direct(http.MethodPost, "/webhook", recorded(t, "webhook-annotations-deleted-choices")); w.Code != http.StatusServiceUnavailable {
			t.Errorf("answer after close: %d", w.Code)
		}
	})
}

func TestDebtsAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		var paid []event.ProjectID
		block := make(chan struct{})
		d := newRetryQueue(time.Second, func(_ context.Context, p event.ProjectID, _ string) error {
			<-block
			paid = append(paid, p)
			return nil
		})
		go d.run(ctx) // the bubble waits for its end
		d.Add(1, "")
		synctest.Wait()
		for p := range event.ProjectID(1000) {
			d.Add(p+2, "")
		}
		close(block)
		time.Sleep(time.Minute)
		synctest.Wait()
		if !slices.Equal(paid, []event.ProjectID{1, 0}) {
			t.Errorf("paid: %v", paid)
		}
		cancel()
	})
}

func TestSeenForgets(t *testing.T) {
	s := newDedupe(4, time.Minute)
	start := time.Now()
	for k := range uint64(6) {
		s.record(k+1, "A", start)
	}
	for k := range uint64(6) {
		if _, ok := s.find(k+1, start); ok != (k+1 > 2) {
			t.Errorf("key %d remembered: %v", k+1, ok)
		}
	}
	if len(s.at) != 4 {
		t.Errorf("%d keys held", len(s.at))
	}
	if _, ok := s.find(6, start.Add(time.Minute)); ok {
		t.Error("remembered for longer than the window")
	}
	s.record(6, "A", start.Add(time.Minute)) // again: both slots hold it
	for k := range uint64(3) {
		s.record(k+10, "A", start.Add(time.Minute))
	}
	if _, ok := s.find(6, start.Add(time.Minute)); !ok {
		t.Error("the older slot's eviction took the newer entry along")
	}
}
