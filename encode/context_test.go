package encode_test

import (
	"bytes"
	"context"
	"errors"
	"math"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/hone-ml/hone/encode"
	"github.com/hone-ml/hone/encode/text/ngram"
	"github.com/hone-ml/hone/encode/text/token"
	"github.com/hone-ml/hone/vector"
)

// letters embeds as counted does, and a token as how often it has each of four letters.
// One without any has no vector.
type letters struct {
	counted
	asked [][]string
}

func letter(token string) []float32 {
	x := make([]float32, 4)
	sum := float32(0)
	for i, l := range "abcd" {
		x[i] = float32(strings.Count(token, string(l)))
		sum += x[i]
	}
	if sum == 0 {
		return nil
	}
	return x
}

func (l *letters) EncodeTokens(_ context.Context, texts []string) ([][][]float32, error) {
	if l.fail != nil {
		return nil, l.fail
	}
	l.asked = append(l.asked, texts)
	out := make([][][]float32, len(texts))
	for i, text := range texts {
		for _, t := range token.Segment(nil, text) {
			out[i] = append(out[i], letter(text[t.Start:t.End]))
		}
	}
	return out, nil
}

func dot(a, b []float32) (sum float64) {
	for i := range a {
		sum += float64(a[i]) * float64(b[i])
	}
	return sum
}

// alike is the cosine of two vectors.
func alike(a, b []float32) float64 { return dot(a, b) / math.Sqrt(dot(a, a)*dot(b, b)) }

// Each token has the vector of its own letters, behind those of words, in whatever
// script, with whatever line ends; also where a document cuts a word in two or where
// the last tokens are left out.
func TestTokensHaveTheirOwnVectorsInContext(t *testing.T) {
	piece := rapid.SampledFrom([]string{"a", "bb", "cab", "dad's", "A\u0301b", "e\u0301", " ", "\r\n", "\t", "東京", "😀", "👩\u200d💻", "a://b.c/d", "_", "\xff", "d", "-"})
	rapid.Check(t, func(t *rapid.T) {
		text := strings.Join(rapid.SliceOf(piece).Draw(t, "text"), "")
		e := encode.NewBlocking(ngram.New(), &letters{counted: counted{lengths: "l/1"}})
		whole := token.Segment(nil, text)
		xs := encode.EncodeTokens(e, text, whole)
		for i, k := range whole {
			want, got := letter(text[k.Start:k.End]), xs[i].Dense
			if len(got) != 4 || (want == nil) != (got[3] == nil) || want != nil && !(alike(want, got[3]) > 0.999) {
				t.Fatalf("token %d of %q: %v, want %v", i, text, got, want)
			}
		}
		cut := rapid.IntRange(0, len(text)).Draw(t, "cut")
		var parts []token.Token
		for _, part := range [][2]int{{0, cut}, {cut, len(text)}} {
			for _, k := range token.Segment(nil, text[part[0]:part[1]]) {
				parts = append(parts, token.Token{Start: k.Start + part[0], End: k.End + part[0]})
			}
		}
		parts = parts[:rapid.IntRange(0, len(parts)).Draw(t, "tokens")]
		for i, x := range encode.EncodeTokens(e, text, parts) {
			// Of all words of the whole text that it has a part of.
			var sum []float64
			for j, k := range whole {
				if k.Start < parts[i].End && k.End > parts[i].Start && xs[j].Dense[3] != nil {
					if sum == nil {
						sum = make([]float64, 4)
					}
					for d, v := range xs[j].Dense[3] {
						sum[d] += float64(v)
					}
				}
			}
			if (sum == nil) != (x.Dense[3] == nil) {
				t.Fatalf("part %d of %q: %v, want %v", i, text, x.Dense[3], sum)
			}
			var n2, ab float64
			for d, v := range sum {
				n2 += v * v
				ab += v * float64(x.Dense[3][d])
			}
			if sum != nil && math.Abs(ab-math.Sqrt(n2)) > 1e-5 {
				t.Fatalf("part %d of %q: %v, want the direction of %v", i, text, x.Dense[3], sum)
			}
		}
	})
}

func TestPatientKeepsTokensBesideTheirText(t *testing.T) {
	slow := &letters{counted: counted{lengths: "l/1"}}
	p := encode.NewBlocking(ngram.New(), slow)
	both := []encode.Request{{Text: "a cab"}, {Text: "a cab", Tokens: true}, {Text: "a cab", Tokens: true}, {Text: "bad", Tokens: true}}
	if err := p.Precompute(t.Context(), both, nil); err != nil || p.Len() != 3 {
		t.Fatalf("%d vectors, %v", p.Len(), err)
	}
	var file bytes.Buffer
	if err := p.Save(&file); err != nil {
		t.Fatal(err)
	}
	slow.fail = errors.New("down")
	again := encode.NewBlocking(ngram.New(), slow)
	if err := again.Restore(&file); err != nil {
		t.Fatal(err)
	}
	tokens := token.Segment(nil, "a cab")
	for _, q := range []*encode.Blocking{p, again} {
		if d := cmp.Diff(encode.EncodeTokens(p, "a cab", tokens), encode.EncodeTokens(q, "a cab", tokens)); d != "" {
			t.Error(d)
		}
		if xs := encode.EncodeTokens(q, "new", token.Segment(nil, "new")); len(xs[0].Dense) != 4 || xs[0].Dense[3] != nil {
			t.Errorf("while it is down: %v", xs)
		}
		if x := q.Encode("a cab"); len(x.Dense) != 1 || len(x.Dense[0]) == 4 {
			t.Errorf("the text itself: %v", x.Dense)
		}
	}
	if len(slow.asked) != 1 {
		t.Errorf("asked for the tokens of %q", slow.asked)
	}
	// A slow encoder without vectors of tokens adds nothing to them.
	plain := encode.NewBlocking(ngram.New(), &counted{lengths: "c/1"})
	if err := plain.Precompute(t.Context(), both, nil); err != nil || plain.Len() != 1 {
		t.Errorf("%d vectors, %v", plain.Len(), err)
	}
	if xs := encode.EncodeTokens(plain, "a cab", tokens); xs[0].Dense != nil {
		t.Errorf("%v", xs[0].Dense)
	}
}

func TestNeedsAreMetOrRefused(t *testing.T) {
	slow := &letters{counted: counted{lengths: "l/1"}}
	text, tokens := encode.Request{Text: "a cab"}, encode.Request{Text: "a cab", Tokens: true}
	if text.Key() == tokens.Key() {
		t.Error("a text and its tokens have one key")
	}
	got, err := encode.EncodeRequests(t.Context(), slow, []encode.Request{tokens, text, tokens})
	if err != nil || len(got) != 3 || !bytes.Equal(got[0], got[2]) || bytes.Equal(got[0], got[1]) {
		t.Errorf("%v, %v", got, err)
	}
	if _, err := encode.EncodeRequests(t.Context(), &counted{lengths: "c/1"}, []encode.Request{text, tokens}); err == nil || !strings.Contains(err.Error(), "no vectors of tokens") {
		t.Errorf("error %v", err)
	}
	slow.fail = errors.New("down")
	for _, n := range []encode.Request{text, tokens} {
		if _, err := encode.EncodeRequests(t.Context(), slow, []encode.Request{n}); !errors.Is(err, slow.fail) {
			t.Errorf("error %v", err)
		}
	}
}

func TestPackedTokens(t *testing.T) {
	number := rapid.Float32Range(-3, 3)
	rapid.Check(t, func(t *rapid.T) {
		dim := rapid.IntRange(1, 20).Draw(t, "dim")
		xs := rapid.SliceOf(rapid.OneOf(rapid.Just([]float32(nil)), rapid.SliceOfN(number, dim, dim))).Draw(t, "vectors")
		b, err := vector.PackTokens(xs)
		if err != nil {
			t.Fatal(err)
		}
		got, ok := vector.UnpackTokens(b, len(xs))
		if !ok || len(got) != len(xs) {
			t.Fatalf("%d vectors, %v", len(got), ok)
		}
		for i, x := range xs {
			if (got[i] == nil) != (dot(x, x) == 0) || got[i] != nil && !(alike(x, got[i]) > 0.99) {
				t.Fatalf("vector %d is %v, want %v", i, got[i], x)
			}
		}
		if again, err := vector.PackTokens(got); err != nil || !bytes.Equal(again, b) && len(got) > 0 && dim == len(got[0]) {
			t.Fatalf("packed again: %v, %v, not %v", err, again, b)
		}
		_, few := vector.UnpackTokens(b, len(xs)+1)
		if kind, d, ok := vector.PackedAs(b); !ok || kind != vector.PackedTokens || few != (d == 0) {
			t.Fatalf("kind %d, dimension %d, for one token more %v", kind, d, few)
		}
	})
	nan := float32(math.NaN())
	for _, bad := range [][][]float32{{{1, nan}}, {{1, 2}, {1}}, {nil, {1}, {float32(math.Inf(1))}}} {
		if b, err := vector.PackTokens(bad); err == nil {
			t.Errorf("%v becomes %v", bad, b)
		}
	}
}

func FuzzUnpackTokens(f *testing.F) {
	b, err := vector.PackTokens([][]float32{{1, -2}, nil, {0, 3}})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b, 3)
	f.Add(b[:2], 0)
	f.Add([]byte{2, 0}, 4)
	f.Add([]byte{2, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1}, 1)
	f.Fuzz(func(t *testing.T, foreign []byte, n int) {
		n = min(max(n, 0), 1000)
		xs, ok := vector.UnpackTokens(foreign, n)
		if !ok {
			return
		}
		if len(xs) != n {
			t.Fatalf("%d vectors for %d tokens", len(xs), n)
		}
		for _, x := range xs {
			if c := dot(x, x); x != nil && !(c > 0.999 && c < 1.001) {
				t.Fatalf("vector %v", x)
			}
		}
	})
}
