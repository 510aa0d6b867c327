package stored

import (
	"math"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/hone-ml/hone/event"
	"github.com/hone-ml/hone/learner/head/headtest"
	"github.com/hone-ml/hone/learner/model"
	"github.com/hone-ml/hone/learner/tune"
)

func TestCheckpointIsReadBack(t *testing.T) {
	for _, choice := range []string{"single", "multiple"} {
		q := headtest.Choices(t, choice)
		h := Head{Key: q.Key, Model: q.Kind.NewModel(q, tune.Defaults(q))}
		for _, e := range headtest.Noisy(40, 0.1) {
			e.ID *= 7919
			if err := h.Model.Upsert(e); err != nil {
				t.Fatal(err)
			}
		}
		h.Model.Optimize(t.Context(), 1e-3)
		raw := WriteCheckpoint([]Head{h}, "e")
		if len(raw) > CheckpointBytes([]Head{h})+64 {
			t.Errorf("%d bytes, said %d", len(raw), CheckpointBytes([]Head{h}))
		}
		c, err := ReadCheckpoint(raw)
		if err != nil {
			t.Fatal(err)
		}
		duals, n := c.Duals(h.Key, "e"), 0
		h.Model.Duals(func(e model.Example, p []float32) bool {
			n++
			got := duals[event.TaskID(e.ID)]
			for y := range p {
				if math.Abs(float64(p[y]-got[y])) > 1e-4 {
					t.Fatalf("task %d: %v, was %v", e.ID, got, p)
				}
			}
			return true
		})
		if n != 40 || len(duals) != 40 {
			t.Errorf("%d of %d", len(duals), n)
		}
		if c.Duals(h.Key, "another encoder") != nil {
			t.Error("duals of another encoder are taken")
		}
	}
}

func FuzzCheckpoint(f *testing.F) {
	q := headtest.Choices(f, "single")
	h := Head{Key: q.Key, Model: q.Kind.NewModel(q, tune.Defaults(q))}
	for _, e := range headtest.Noisy(3, 0) {
		if err := h.Model.Upsert(e); err != nil {
			f.Fatal(err)
		}
	}
	f.Add(WriteCheckpoint([]Head{h}, "e"))
	f.Add([]byte(checkpointMagic + "\x01k\x7f\x7f"))
	f.Fuzz(func(t *testing.T, b []byte) {
		c, err := ReadCheckpoint(b)
		if err != nil && len(c.heads) > 0 {
			t.Error("half a checkpoint is used")
		}
		if err == nil && len(b) > 0 && !cmp.Equal(b[:len(checkpointMagic)], []byte(checkpointMagic)) {
			t.Error("foreign bytes are taken for a checkpoint")
		}
	})
}
