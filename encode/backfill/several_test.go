package backfill_test

import (
	"context"
	"errors"
	"testing"

	"github.com/hone-ml/hone/encode"
	"github.com/hone-ml/hone/encode/backfill"
	"github.com/hone-ml/hone/event"
)

// named is an encoder of another name over the same store.
type named struct {
	*world
	name string
	err  error
}

func (n named) Name() string { return n.name }

func (n named) EncodeBatch(ctx context.Context, texts []string) ([][]float32, error) {
	if n.err != nil {
		return nil, n.err
	}
	return n.world.EncodeBatch(ctx, texts)
}

// Services of three encoders share a store: each cleans up among its own vectors, one that
// fails keeps no other waiting, and what is stored of none of them goes.
func TestServicesOfThreeEncodersShareAStore(t *testing.T) {
	w := newWorld()
	w.stored["gone/1"] = map[event.ContentKey][]byte{{1}: {1}}
	stale := event.ContentKey{7}
	names := []string{"a/1", "b/1", "broken/1"}
	for _, n := range names {
		w.stored[n] = map[event.ContentKey][]byte{stale: {1}}
	}
	var all []*backfill.Service
	for i, n := range names {
		var err error
		if i == 2 {
			err = errors.New("down")
		}
		all = append(all, w.serviceOf(named{w, n, err}, names, func(event.ProjectID, backfill.Arrivals) {}))
		defer func() { _ = all[i].Stop(context.Background()) }()
		if err := all[i].Load(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	for _, s := range all {
		s.Scan(1, 2)
		if err := s.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	for _, s := range all[:2] {
		if err := s.WaitIdle(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, n := range names[:2] {
		if _, left := w.stored[n][stale]; left || len(w.stored[n]) != 81 {
			t.Errorf("of %s %d vectors are stored, what nobody needs among them: %v", n, len(w.stored[n]), left)
		}
	}
	if len(w.stored["broken/1"]) != 1 || w.stored["gone/1"] != nil {
		t.Errorf("%d vectors of the one that fails, %d of the one that is no more", len(w.stored["broken/1"]), len(w.stored["gone/1"]))
	}
}

// A project that reads nothing is forgotten with its vectors. One that reads something by the
// time this is done is not.
func TestAProjectThatReadsNothingForAMoment(t *testing.T) {
	for _, again := range []bool{false, true} {
		w := newWorld()
		w.stored["slow/1"] = map[event.ContentKey][]byte{{7}: {1}}
		w.stored["another/1"] = map[event.ContentKey][]byte{{7}: {1}}
		s := w.serviceOf(w, nil, func(event.ProjectID, backfill.Arrivals) {})
		reads := false
		w.needed = func(p event.ProjectID) backfill.Needed { // in the goroutine of the service
			if reads {
				return w
			}
			if again {
				reads = true
				s.Scan(p)
			}
			return nil
		}
		if err := s.Load(t.Context()); err != nil {
			t.Fatal(err)
		}
		s.Scan(1)
		if err := s.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		if err := s.WaitIdle(t.Context()); err != nil {
			t.Fatal(err)
		}
		want, others := backfill.Progress{}, 1
		if again {
			want, others = backfill.Progress{Tasks: 40, Encoded: 40, Done: true}, 0
		}
		got := s.Progress(1)
		got.PerSecond = 0
		if got != want {
			t.Errorf("again %v: %+v, want %+v", again, got, want)
		}
		if err := s.Stop(t.Context()); err != nil {
			t.Fatal(err)
		}
		if _, left := w.stored["slow/1"][event.ContentKey{7}]; left || len(w.stored["another/1"]) != others {
			t.Errorf("again %v: what nobody reads is left: %v; %d vectors of an encoder that is no more", again, left, len(w.stored["another/1"]))
		}
	}
}

var _ encode.BatchEncoder = named{}
