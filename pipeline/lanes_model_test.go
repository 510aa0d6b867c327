package pipeline_test

import (
	"context"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/hone-ml/hone/event"
	"github.com/hone-ml/hone/pipeline"
	"go.etcd.io/bbolt"
)

var effects = []byte("effects") // lane -> the numbers of its events, as they were handled

// Whatever fails, and wherever the power goes, each event takes effect once, in the
// order of its project.
func TestLanesModel(t *testing.T) {
	seeds := uint64(40)
	if testing.Short() {
		seeds = 8
	}
	for seed := range seeds {
		t.Run(fmt.Sprint(seed), func(t *testing.T) { laneModel(t, rand.New(rand.NewPCG(seed, 1))) })
	}
}

func laneModel(t *testing.T, rng *rand.Rand) {
	r := newRig(t, pipeline.Options{})
	const projects = 4
	known := knows(1, 2, 3, 4)
	want := map[event.ProjectID][]string{}
	published := 0
	publish := func() {
		for range 1 + rng.IntN(40) {
			published++
			if rng.IntN(15) == 0 {
				r.publish(&event.RetrainDue{Reason: fmt.Sprint(published)})
				for id := event.ProjectID(1); id <= projects; id++ {
					want[id] = append(want[id], fmt.Sprint(published))
				}
				continue
			}
			id := event.ProjectID(1 + rng.IntN(projects))
			r.publish(of(id, published))
			want[id] = append(want[id], fmt.Sprint(published))
		}
	}
	run := func(trouble bool) {
		r.HandleLanes("g", event.Changes, 1+rng.IntN(9), known, r.effect(trouble, rng.Uint64()))
		if rng.IntN(2) == 0 {
			r.LimitLanes(200, 300)
		}
		r.HurryLanes()
		r.start()
	}
	publish()
	for range 6 {
		run(true)
		publish()
		if rng.IntN(2) == 0 {
			r.powerCut()
			continue
		}
		if err := r.stop(); err != nil {
			t.Fatal(err)
		}
		r.close()
		r.open(pipeline.Options{})
	}
	run(false)
	eventually(t, func() bool { lags, err := r.Lag(); return err == nil && lags[0].Entries == 0 })
	eventually(t, func() bool {
		at, err := r.log.Cursor(string(event.Changes), "g")
		return err == nil && at == uint64(published)
	})
	for id, want := range want {
		if d := cmp.Diff(want, r.effectsOf(id)); d != "" {
			t.Errorf("project %d: %s", id, d)
		}
	}
	if n := len(r.letters()); n > 0 {
		t.Errorf("%d dead letters", n)
	}
	base, beyond, err := r.log.Lanes(string(event.Changes), "g")
	if base != uint64(published) || len(beyond) > 0 || err != nil {
		t.Errorf("stored: %d, %v, %v", base, beyond, err)
	}
}

// effect is a handler that stores, with the position, what it was given; with trouble it
// often fails before or after that.
func (r *rig) effect(trouble bool, seed uint64) pipeline.Handler {
	rng := rand.New(rand.NewPCG(seed, 2))
	fails := func(one int) bool {
		r.mu.Lock()
		defer r.mu.Unlock()
		return trouble && rng.IntN(one) == 0
	}
	return func(_ context.Context, batch []event.Event, cur event.Cursor) error {
		if fails(3) {
			return passing{errAgain}
		}
		write, err := r.PublishTx(&cur)
		if err != nil {
			return err
		}
		err = r.log.Update(func(tx *bbolt.Tx) error {
			b, err := tx.CreateBucketIfNotExists(effects)
			if err != nil {
				return err
			}
			for _, e := range batch {
				n := ""
				switch e := e.(type) {
				case *event.Changed:
					n = e.Title
				case *event.RetrainDue:
					n = e.Reason
				}
				at, _ := b.NextSequence()
				key := binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint64(nil, uint64(cur.Lane)), at)
				if err := b.Put(key, []byte(n)); err != nil {
					return err
				}
			}
			if fails(10) {
				return passing{errAgain}
			}
			return write(tx)
		})
		return err
	}
}

func (r *rig) effectsOf(id event.ProjectID) (out []string) {
	err := r.db.View(func(tx *bbolt.Tx) error {
		b := tx.Bucket(effects)
		if b == nil {
			return nil
		}
		return b.ForEach(func(k, v []byte) error {
			if event.ProjectID(binary.BigEndian.Uint64(k)) == id {
				out = append(out, string(v))
			}
			return nil
		})
	})
	if err != nil {
		r.tb.Fatal(err)
	}
	return slices.Clip(out)
}

// powerCut goes on from what is on disk at this moment.
func (r *rig) powerCut() {
	r.tb.Helper()
	path := filepath.Join(r.tb.TempDir(), "hone.db")
	err := r.db.View(func(tx *bbolt.Tx) error {
		f, err := os.Create(path)
		if err != nil {
			return err
		}
		if _, err := tx.WriteTo(f); err != nil {
			return err
		}
		return f.Close()
	})
	if err != nil {
		r.tb.Fatal(err)
	}
	r.close()
	r.path = path
	r.open(pipeline.Options{})
}
