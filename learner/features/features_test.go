package features

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/hone-ml/hone/encode"
	"github.com/hone-ml/hone/encode/encoders"
	"github.com/hone-ml/hone/encode/text/token"
	"github.com/hone-ml/hone/event"
	"github.com/hone-ml/hone/learner/head/headtest"
	"github.com/hone-ml/hone/learner/tune"
	"github.com/hone-ml/hone/vector"
)

const nerConfig = `<View><Labels name="ner" toName="t"><Label value="PER"/><Label value="LOC"/></Labels><Text name="t" value="$text"/></View>`

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
	slow := &composite{fast, []slowPart{{Lookup: nothingYet{}}}}
	for _, e := range []encode.Encoder{slow, &missTracker{composite: slow}, &requestCollector{composite: slow}, encode.NewBlocking(fast)} {
		if d := cmp.Diff(want, encode.EncodeTokens(e, text, tokens)); d != "" {
			t.Errorf("%T: %s", e, d)
		}
	}
}

// What counts among the parts of a text's vector says nothing of those of a token's.
func TestSpansKeepTheirWeightsBesideASlowPart(t *testing.T) {
	for _, n := range []int{1, 3} {
		q := headtest.SpecOf(t, nerConfig).WithEncoder(&composite{encoders.Default(), slices.Repeat([]slowPart{{Lookup: nothingYet{}}}, n)})
		if len(q.Parts) != 1+n || !slices.Equal(tune.Defaults(q).Parts, token.PartWeights()) {
			t.Errorf("%d parts of a text; tokens' are weighted %v, want %v", len(q.Parts), tune.Defaults(q).Parts, token.PartWeights())
		}
	}
}

func TestEncoderSetYieldsItsPlacesInOrder(t *testing.T) {
	var got []int
	for i := range EncoderSet(0).With(63).With(0).With(5).Each {
		got = append(got, i)
	}
	if len(got) != 3 || got[0] != 0 || got[1] != 5 || got[2] != 63 {
		t.Errorf("got %v", got)
	}
}

// nothingYet is an encoder of texts alone of which nothing has come.
type nothingYet struct{}

func (nothingYet) Name() string              { return "slow" }
func (nothingYet) Has(event.ContentKey) bool { return false }
func (nothingYet) HasTokens() bool           { return false }
func (nothingYet) Parts() []encode.Part      { return []encode.Part{encode.Sentence} }
func (nothingYet) AppendText(dense [][]float32, _ encode.Request) ([][]float32, bool) {
	return append(dense, nil), false
}
func (nothingYet) Tokens(string, int) ([][]float32, bool) { return nil, false }
