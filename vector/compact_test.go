package vector_test

import (
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/hone-ml/hone/encode/text/ngram"
	"github.com/hone-ml/hone/internal/newslike"
	"github.com/hone-ml/hone/vector"
)

func sameCompact(t interface {
	Helper()
	Fatalf(string, ...any)
}, v vector.Vector, room *vector.Buffer,
) {
	t.Helper()
	compact := v.Compact()
	if len(compact.Terms) > 0 || len(compact.Dense) > 0 || compact.Empty() != v.Empty() || compact.Parts() != len(v.Dense) {
		t.Fatalf("%d terms are left, %d parts, empty: %v", len(compact.Terms), compact.Parts(), compact.Empty())
	}
	if d := cmp.Diff(compact, compact.Compact()); d != "" {
		t.Fatalf("not the same again: %s", d)
	}
	got := compact.Expand(room)
	want := slices.Clone(v.Terms)
	slices.Sort(want)
	terms := slices.Clone(got.Terms)
	slices.Sort(terms)
	if !slices.Equal(terms, want) {
		t.Fatalf("other terms: %s", cmp.Diff(want, terms))
	}
	if got.Scale != v.Scale || got.Norm2 != v.Norm2 || len(got.Dense) != len(v.Dense) {
		t.Fatalf("scale %g, norm %g, %d parts", got.Scale, got.Norm2, len(got.Dense))
	}
	for part, d := range v.Dense {
		if len(got.Dense[part]) != len(d) || compact.HasPart(part) != (len(d) > 0) {
			t.Fatalf("part %d has %d numbers, want %d", part, len(got.Dense[part]), len(d))
		}
		var most float64
		for _, x := range d {
			most = max(most, math.Abs(float64(x)))
		}
		for i, x := range d {
			if far := math.Abs(float64(got.Dense[part][i]) - float64(x)); far > most/60000 {
				t.Fatalf("part %d, %d: %g, want %g", part, i, got.Dense[part][i], x)
			}
		}
	}
}

func TestCompactVectorsAreTheSame(t *testing.T) {
	h := ngram.New()
	var room vector.Buffer
	rapid.Check(t, func(t *rapid.T) {
		v := h.Encode(rapid.String().Draw(t, "text"))
		v.Dense = [][]float32{nil, {1}}
		sameCompact(t, v, &room)
		// Any terms at all: gaps from nothing to all buckets.
		terms := rapid.SliceOfNDistinct(rapid.Uint32(), 0, 50, func(x uint32) uint32 { return x >> 14 }).Draw(t, "terms")
		v = vector.Vector{Scale: 2, Norm2: 3}
		for _, x := range terms {
			v.Terms = append(v.Terms, vector.Term(x))
		}
		v.Dense = rapid.SliceOfN(rapid.SliceOfN(rapid.Float32Range(-1, 1), 0, 20), 1, 3).Draw(t, "dense")
		for _, d := range v.Dense {
			for i, x := range d {
				if max(x, -x) < 1e-30 {
					d[i] = 0 // where float32 itself has few digits left
				}
			}
		}
		sameCompact(t, v, &room)
	})
	// So many of one value that they need several lists.
	var all vector.Vector
	for b := range uint32(vector.Buckets) {
		all.Terms = append(all.Terms, vector.Term(b<<14|1))
	}
	sameCompact(t, all, &room)
	sameCompact(t, h.Encode(strings.Repeat("wörd ", 3000)), &room)
}

func TestCompactVectorsAreSmall(t *testing.T) {
	h := ngram.New()
	plain, packed := 0, 0
	for _, n := range newslike.Make(100, 4, 1) {
		v := h.Encode(n.Text)
		v.Dense = [][]float32{make([]float32, 256)}
		plain += v.Bytes()
		packed += v.Compact().Bytes()
	}
	if packed*100 > plain*60 {
		t.Errorf("%d bytes packed of %d", packed, plain)
	}
}

func BenchmarkExpand(b *testing.B) {
	v := ngram.New().Encode(newslike.Make(1, 4, 1)[0].Text)
	v.Dense = [][]float32{make([]float32, 256)}
	v = v.Compact()
	var room vector.Buffer
	for b.Loop() {
		v.Expand(&room)
	}
}

// What tokens share with their neighbours is one piece of memory.
func TestSharedPartsOfTokensCountOnce(t *testing.T) {
	a, b, c := make([]float32, 10), make([]float32, 10), make([]float32, 10)
	shared := vector.Vector{Tokens: []vector.Vector{{Dense: [][]float32{a, nil, b}}, {Dense: [][]float32{b, a, c}}}}
	alone := vector.Vector{Tokens: []vector.Vector{{Dense: [][]float32{a, nil, b}}, {Dense: [][]float32{nil, nil, c}}}}
	if shared.Bytes() != alone.Bytes() {
		t.Errorf("%d bytes, and %d where nothing is shared", shared.Bytes(), alone.Bytes())
	}
	if alone.TokenParts() != 3 || !alone.HasTokenPart(0) || alone.HasTokenPart(1) || !alone.HasTokenPart(2) || alone.HasTokenPart(3) {
		t.Error("other parts than the tokens have")
	}
}
