package ngram_test

import (
	"encoding/binary"
	"fmt"
	"hash/fnv"
	"math"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/hone-ml/hone/encode/text/ngram"
	"github.com/hone-ml/hone/encode/text/token"
	"github.com/hone-ml/hone/internal/newslike"
	"github.com/hone-ml/hone/vector"
)

func values(v vector.Vector) map[uint32]float64 {
	m := make(map[uint32]float64)
	for _, t := range v.Terms {
		m[t.Bucket()] += float64(t.Units()) * float64(v.Scale)
	}
	return m
}

func cosine(a, b vector.Vector) float64 {
	other, dot := values(b), 0.0
	for i, v := range values(a) {
		dot += v * other[i]
	}
	return dot
}

func TestHashedVectorsAreUnitUniqueAndRepeatable(t *testing.T) {
	h := ngram.New()
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.String().Draw(t, "text")
		v := h.Encode(text)
		if d := cmp.Diff(v, ngram.New().Encode(text)); d != "" {
			t.Fatalf("scratch reuse shows: %s", d)
		}
		m := values(v)
		if len(m) != len(v.Terms) {
			t.Fatalf("a bucket occurs twice in %q", text)
		}
		var norm2 float64
		for _, x := range m {
			norm2 += x * x
		}
		if len(v.Terms) > 0 && math.Abs(norm2-1) > 1e-5 || math.Abs(norm2-float64(v.Norm2)) > 1e-5 {
			t.Fatalf("squared length of %q is %g, says %g", text, norm2, v.Norm2)
		}
		if v.Empty() != (len(m) == 0) {
			t.Fatal("Empty is wrong")
		}
	})
}

func TestHashedFindsWordsInEveryScript(t *testing.T) {
	h := ngram.New()
	for _, same := range [][2]string{
		{"Where IS my Card", "where is my card"},
		{"ÄPFEL und Öl", "äpfel und öl"},
		{"card  arrived\n", " card arrived"},
		{"ΣΊΓΜΑ", "σίγμα"},
		{"so\u00a0far", "so far"},
	} {
		if d := cmp.Diff(h.Encode(same[0]), h.Encode(same[1])); d != "" {
			t.Errorf("%q and %q differ:\n%s", same[0], same[1], d)
		}
	}
	near := [][3]string{ // the first is nearer to the second than to the third
		{"my card was declined", "card declined again", "exchange rate today"},
		{"卡片还没有到", "我的卡片没到", "今天汇率多少"},
		{"bestellungen", "bestellung", "rechnung"},
		{"great 😀", "😀 thanks", "thanks a lot"},
		{"บัตรของฉัน", "บัตรหาย", "อัตราแลกเปลี่ยน"},
	}
	for _, n := range near {
		a, b, c := h.Encode(n[0]), h.Encode(n[1]), h.Encode(n[2])
		if cosine(a, b) <= cosine(a, c)+0.05 {
			t.Errorf("%q: %.3f to %q, %.3f to %q", n[0], cosine(a, b), n[1], cosine(a, c), n[2])
		}
	}
	if cosine(h.Encode("not good but bad"), h.Encode("not bad but good")) > 0.99 {
		t.Error("word order is lost")
	}
}

func TestHashedBoundsForeignText(t *testing.T) {
	h := ngram.New()
	for _, empty := range []string{"", " \t\n", "\u200b", "\x00"} {
		if v := h.Encode(empty); !v.Empty() || v.Norm2 != 0 {
			t.Errorf("%q has features", empty)
		}
	}
	long := strings.Repeat("é", token.MaxText) + " tail"
	if d := cmp.Diff(h.Encode(long), h.Encode(long[:token.MaxText])); d != "" {
		t.Error("a text beyond MaxText is read on")
	}
	if h.Encode("\xff\xfe broken").Empty() {
		t.Error("invalid UTF-8 hides the rest")
	}
	var many strings.Builder
	for i := range 40000 {
		many.WriteString(strings.Repeat("x", i%17+1))
		many.WriteByte(byte('a' + i%26))
		many.WriteByte(' ')
	}
	if v := h.Encode(many.String()); v.Empty() {
		t.Error("a long text has no features")
	}
	if v := h.Encode("short"); len(v.Terms) > 20 {
		t.Errorf("a short text after a long one has %d terms", len(v.Terms))
	}
}

func TestHashedInParallel(t *testing.T) {
	h := ngram.New()
	want := h.Encode("one text for all")
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 100 {
				h.Encode("another text, longer than the other one")
				if !cmp.Equal(want, h.Encode("one text for all")) {
					t.Error("encodings mix")
					return
				}
			}
		})
	}
	wg.Wait()
}

func FuzzHashed(f *testing.F) {
	f.Add("plain words")
	f.Add("\xff🇩🇪👩‍👩‍👧 ﷽ 한국어")
	h := ngram.New()
	f.Fuzz(func(t *testing.T, text string) {
		for _, term := range h.Encode(text).Terms {
			if term.Bucket() >= vector.Buckets || term.Units() == 0 {
				t.Fatalf("term %d: bucket %d, units %g", term, term.Bucket(), term.Units())
			}
		}
	})
}

func BenchmarkHashed(b *testing.B) {
	h := ngram.New()
	short := "What can I do if my card still hasn't arrived after 2 weeks?"
	long := strings.Repeat("Oil prices fell again on Tuesday as traders weighed a rise in supply. ", 3)
	for name, text := range map[string]string{"13words": short, "40words": long} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			b.SetBytes(int64(len(text)))
			for b.Loop() {
				h.Encode(text)
			}
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "texts/s")
		})
	}
}

// A name stands for vectors, bit for bit and over all versions of hone: when this
// fails, the name must change.
func TestHashedVectorsAreThoseOfTheirName(t *testing.T) {
	texts := []string{strings.Repeat("ünïcode “quoted” it's 3.14 e-mail 卡片还没有到 👩‍👩‍👧 a_b ", 90)}
	for _, n := range newslike.Make(300, 4, 7) {
		texts = append(texts, n.Text)
	}
	for name, h := range map[string]*ngram.Encoder{
		"hashed/1 b0fbd669748b4488": ngram.New(), "words/1 918cd3b50c667c39": ngram.NewWords(),
	} {
		sum := fnv.New64a()
		for _, text := range texts {
			v := h.Encode(text)
			for _, term := range v.Terms {
				_ = binary.Write(sum, binary.LittleEndian, term)
			}
			_ = binary.Write(sum, binary.LittleEndian, []float32{v.Scale, v.Norm2})
		}
		if got := fmt.Sprintf("%s %x", h.Name(), sum.Sum64()); got != name {
			t.Errorf("vectors are %s, want %s", got, name)
		}
	}
}
