package learner

import (
	"math"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/hone-ml/hone/encode"
	"github.com/hone-ml/hone/encode/encoders"
	"github.com/hone-ml/hone/encode/text/token"
	"github.com/hone-ml/hone/event"
	"github.com/hone-ml/hone/learner/head"
	"github.com/hone-ml/hone/learner/head/headtest"
	"github.com/hone-ml/hone/learner/model"
	"github.com/hone-ml/hone/learner/tune"
	"github.com/hone-ml/hone/settings"
	"github.com/hone-ml/hone/vector"
)

func TestCheckpointIsReadBack(t *testing.T) {
	for _, choice := range []string{"single", "multiple"} {
		p := newProject(1, settings.NewTable(settings.Ranking{}, nil))
		h := newHead(headtest.Choices(t, choice), p.annotationRefs)
		p.heads = []*onlineHead{h}
		for _, e := range headtest.Noisy(40, 0.1) {
			e.ID *= 7919
			if err := h.model.Upsert(e); err != nil {
				t.Fatal(err)
			}
		}
		h.model.Optimize(t.Context(), 1e-3)
		raw := p.checkpoint("e")
		if len(raw) > p.checkpointBytes()+64 {
			t.Errorf("%d bytes, said %d", len(raw), p.checkpointBytes())
		}
		c, err := readCheckpoint(raw)
		if err != nil {
			t.Fatal(err)
		}
		duals, n := c.duals(h, "e"), 0
		h.model.Duals(func(e model.Example, p []float32) bool {
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
		if c.duals(h, "another encoder") != nil {
			t.Error("duals of another encoder are taken")
		}
	}
}

func FuzzCheckpoint(f *testing.F) {
	p := newProject(1, settings.NewTable(settings.Ranking{}, nil))
	h := newHead(headtest.Choices(f, "single"), p.annotationRefs)
	p.heads = []*onlineHead{h}
	for _, e := range headtest.Noisy(3, 0) {
		if err := h.model.Upsert(e); err != nil {
			f.Fatal(err)
		}
	}
	f.Add(p.checkpoint("e"))
	f.Add([]byte(head.DualsMagic + "\x01k\x7f\x7f"))
	f.Fuzz(func(t *testing.T, b []byte) {
		c, err := readCheckpoint(b)
		if err != nil && len(c.heads) > 0 {
			t.Error("half a checkpoint is used")
		}
		if err == nil && len(b) > 0 && !cmp.Equal(b[:len(head.DualsMagic)], []byte(head.DualsMagic)) {
			t.Error("foreign bytes are taken for a checkpoint")
		}
	})
}

func TestCacheKeepsToItsBudget(t *testing.T) {
	c := newCache(1 << 20)
	encoded := 0
	get := func(key uint64) vector.Vector {
		return c.get(key*0x9e3779b97f4a7c15, func() encodedTask {
			encoded++
			return encodedTask{vector: vector.Vector{Terms: make([]vector.Term, 100), Scale: float32(key)}}
		}).vector
	}
	for i := range uint64(20000) {
		if v := get(i); v.Scale != float32(i) {
			t.Fatalf("key %d has the vector of %g", i, v.Scale)
		}
		get(0) // in use all the time
	}
	if encoded != 20000 {
		t.Errorf("what is in use was encoded again: %d times", encoded-20000)
	}
	held := 0
	for i := range c.shards {
		for _, m := range []map[uint64]encodedTask{c.shards[i].current, c.shards[i].previous} {
			for _, v := range m {
				held += v.bytes()
			}
		}
	}
	if held > 1<<20 {
		t.Errorf("%d bytes are held", held)
	}
}

// A slow part must not take the words' vectors from a span head.
func TestTokensKeepTheirVectorsBesideASlowPart(t *testing.T) {
	fast := encoders.Default()
	text := "Anna lives in Berlin"
	tokens := token.Segment(nil, text)
	want := encode.EncodeTokens(fast, text, tokens)
	if len(want) != 4 || len(want[0].Dense) == 0 {
		t.Fatalf("vectors of tokens %v", want)
	}
	slow := &composite{fast, []lookup{nothingYet{}}}
	for _, e := range []encode.Encoder{slow, &missTracker{composite: slow}, &requestCollector{composite: slow}, encode.NewBlocking(fast)} {
		if d := cmp.Diff(want, encode.EncodeTokens(e, text, tokens)); d != "" {
			t.Errorf("%T: %s", e, d)
		}
	}
}

// What counts among the parts of a text's vector says nothing of those of a token's.
func TestSpansKeepTheirWeightsBesideASlowPart(t *testing.T) {
	for _, n := range []int{1, 3} {
		q := headtest.SpecOf(t, nerConfig).WithEncoder(&composite{encoders.Default(), slices.Repeat([]lookup{nothingYet{}}, n)})
		if q.Dense != 1+n || !slices.Equal(tune.Defaults(q).Parts, token.PartWeights()) {
			t.Errorf("%d parts of a text; tokens' are weighted %v, want %v", q.Dense, tune.Defaults(q).Parts, token.PartWeights())
		}
	}
}

// nothingYet is an encoder of texts alone of which nothing has come.
type nothingYet struct{}

func (nothingYet) Name() string                           { return "slow" }
func (nothingYet) HasTokens() bool                        { return false }
func (nothingYet) Text(string) ([]float32, bool)          { return nil, false }
func (nothingYet) Tokens(string, int) ([][]float32, bool) { return nil, false }
