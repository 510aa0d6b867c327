package minilm

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"math"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/hone-ml/hone/encode/text/wordpiece"
)

// fields are the places of what white space separates.
func fields(text string) []wordpiece.Span {
	var out []wordpiece.Span
	from := 0
	for _, f := range strings.Fields(text) {
		from += strings.Index(text[from:], f)
		out = append(out, wordpiece.Span{Start: from, End: from + len(f)})
		from += len(f)
	}
	return out
}

func inContextOf(t testing.TB, texts ...string) [][][]float32 {
	t.Helper()
	places := make([][]wordpiece.Span, len(texts))
	for i, text := range texts {
		places[i] = fields(text)
	}
	got, err := encoder(t).EncodeInContext(t.Context(), texts, places)
	if err != nil {
		t.Fatal(err)
	}
	return got
}

// The vectors are those of the third layer without its gain and bias, a mean over the
// pieces of a place.
func TestInContextIsAnEarlyLayer(t *testing.T) {
	e := encoder(t)
	const text = "unaffable Zoe\u0301 met 東京\r\nagain"
	got := inContextOf(t, text)[0]
	s := newScratch()
	pieces, spans := e.tokens.AppendSpans(nil, nil, text, 100)
	s.addText(pieces)
	e.model.forward(s, e.model.layers[:contextLayers])
	n := e.model.layers[contextLayers-1].norm2
	for i, p := range fields(text) {
		want := make([]float32, hiddenSize)
		count := 0
		for j, at := range spans {
			if at.Start < p.End && at.End > p.Start {
				count++
				for k := range want {
					want[k] += (s.x[(1+j)*hiddenSize+k] - n.bias[k]) / n.weight[k]
				}
			}
		}
		if c := cosine(got[i], want); !(c > 0.99999) || count == 0 {
			t.Errorf("%q: cosine %v over %d pieces", text[p.Start:p.End], c, count)
		}
	}
}

func TestInContextBatchesMakeNoDifference(t *testing.T) {
	texts := append(some(), strings.Repeat("one two three ", 100), strings.Repeat("four ", 700))
	together := inContextOf(t, texts...)
	for i, text := range texts {
		alone := inContextOf(t, text)[0]
		if !slices.EqualFunc(alone, together[i], slices.Equal) || len(alone) != len(fields(text)) {
			t.Errorf("%.40q has other vectors in a batch", text)
		}
	}
	slices.Reverse(texts)
	turned := inContextOf(t, texts...)
	slices.Reverse(turned)
	for i := range turned {
		if !slices.EqualFunc(turned[i], together[i], slices.Equal) {
			t.Errorf("%.40q has other vectors in another order", texts[len(texts)-1-i])
		}
	}
}

// The same word is another one in another sentence, and more so than next to
// another neighbour far away.
func TestInContextSeesTheContext(t *testing.T) {
	got := inContextOf(t, "we sat on the bank of the river", "she works at the bank in town", "he works at the bank in town")
	if river, near := cosine(got[0][4], got[1][4]), cosine(got[1][4], got[2][4]); river > 0.9 || near < river+0.1 {
		t.Errorf("cosines %v and %v", river, near)
	}
}

// Places without a piece have nothing: what is beyond the last window, what the
// tokenizer passes over, and places between others still get their own.
func TestInContextWhereThereIsNothing(t *testing.T) {
	e := encoder(t)
	read := MaxWindows * (MaxPieces - specialPieces)
	long := inContextOf(t, strings.Repeat("card ", read+3))[0]
	if long[read-1] == nil || long[read] != nil {
		t.Errorf("vectors up to %d of %d", slices.IndexFunc(long, func(v []float32) bool { return v == nil }), read)
	}
	text := "a \u200d b\ufe0f c"
	got := inContextOf(t, text)[0]
	if len(got) != 4 || got[0] == nil || got[1] != nil || got[2] == nil || got[3] == nil {
		t.Errorf("vectors of %q: %v", text, got)
	}
	none, err := e.EncodeInContext(t.Context(), []string{"a b", ""}, make([][]wordpiece.Span, 2))
	if err != nil || len(none) != 2 || len(none[0]) != 0 || len(none[1]) != 0 {
		t.Errorf("%v, %v", none, err)
	}
	ctx := &endsAfter{Context: t.Context(), left: 2}
	texts := []string{strings.Repeat("a ", 200), strings.Repeat("b ", 200)}
	if got, err := e.EncodeInContext(ctx, texts, [][]wordpiece.Span{fields(texts[0]), fields(texts[1])}); !errors.Is(err, context.Canceled) || got != nil {
		t.Errorf("%d texts, %v", len(got), err)
	}
}

// As TestSameBitsAsEver.
func TestInContextSameBitsAsEver(t *testing.T) {
	sum := sha256.New()
	for _, vs := range inContextOf(t, "Where's my card?", "I ❤️ 東京, naïvely") {
		for _, v := range vs {
			for _, x := range v {
				sum.Write(binary.LittleEndian.AppendUint32(nil, math.Float32bits(x)))
			}
		}
	}
	const want = "minilm/2 8f7e5afbf30dd38b35a29f979f1aeaa7b6d75aa3fa1b27fbe76ed1982c6db338"
	if got := encoder(t).Name() + " " + hex.EncodeToString(sum.Sum(nil)); got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

func FuzzInContext(f *testing.F) {
	for _, s := range []string{"", "Ada met Zoë", "\xff\x00 a", "日本 e\u0301 😀 👩‍💻", "한국어 [CLS] ##x", "a\r\nb " + strings.Repeat("x", 101), strings.Repeat("가", 300)} {
		f.Add(s, byte(3))
	}
	e, err := Load()
	if err != nil {
		f.Skip(err)
	}
	f.Fuzz(func(t *testing.T, text string, every byte) {
		text = text[:min(len(text), 1200)]
		// Places of some characters each, with gaps.
		var places []wordpiece.Span
		n := 0
		for i, r := range text {
			if n++; n%(int(every%7)+2) != 0 {
				if last := len(places) - 1; last >= 0 && places[last].End == i && n%3 > 0 {
					places[last].End = i + max(1, utf8.RuneLen(r))
					continue
				}
				places = append(places, wordpiece.Span{Start: i, End: i + max(1, utf8.RuneLen(r))})
			}
		}
		for i := range places { // what is no UTF-8 is a byte long
			places[i].End = min(places[i].End, len(text))
			if i > 0 {
				places[i-1].End = min(places[i-1].End, places[i].Start)
			}
		}
		got, err := e.EncodeInContext(t.Context(), []string{text}, [][]wordpiece.Span{places})
		if err != nil || len(got) != 1 || len(got[0]) != len(places) {
			t.Fatalf("%q: %d texts, %v", text, len(got), err)
		}
		_, spans := e.tokens.AppendSpans(nil, nil, text, MaxWindows*(MaxPieces-specialPieces))
		for i, v := range got[0] {
			p := places[i]
			has := slices.ContainsFunc(spans, func(s wordpiece.Span) bool { return s.Start < p.End && s.End > p.Start })
			if has != (v != nil) {
				t.Fatalf("%q: place %v has pieces: %v, and %d numbers", text, p, has, len(v))
			}
			if c := length2(v); v != nil && (!(c > 0.999 && c < 1.001) || len(v) != hiddenSize) {
				t.Fatalf("%q, %v: %d numbers, length² %v", text, p, len(v), c)
			}
		}
	})
}
