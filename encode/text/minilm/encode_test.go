package minilm

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
)

// some are texts of all lengths, a few of each.
func some() []string {
	texts := []string{"", "a", "Hello, world!", "How do I locate my card?", "你好,世界!", "\xff", strings.Repeat("word ", 100)}
	for n := range 16 {
		texts = append(texts, strings.Repeat("lost card ", n)+"again")
	}
	return texts
}

// What is encoded beside a text, and on how many cores, makes no difference to any
// bit of its vector.
func TestBatchesMakeNoDifference(t *testing.T) {
	e := encoder(t).Windowed()
	texts := append(some(), strings.Repeat("one two three ", 100))
	want := make([][]float32, len(texts))
	for i, text := range texts {
		want[i] = e.Encode(nil, text)
	}
	for _, workers := range []int{-1, 1, 3, 100} {
		order := rand.New(rand.NewPCG(3, uint64(workers))).Perm(len(texts))
		shuffled := make([]string, len(texts))
		for i, at := range order {
			shuffled[i] = texts[at]
		}
		got, err := e.EncodeBatch(t.Context(), shuffled, workers)
		if err != nil {
			t.Fatal(err)
		}
		for i, at := range order {
			if !slices.Equal(got[i], want[at]) {
				t.Errorf("%d workers: %.40q has another vector", workers, texts[at])
			}
		}
	}
}

func TestConcurrentUse(t *testing.T) {
	e := encoder(t)
	texts := some()
	want, err := e.EncodeBatch(t.Context(), texts, 1)
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for i := range 4 {
		wg.Go(func() {
			for j := i; j < len(texts); j += 2 {
				if !slices.Equal(e.Encode(nil, texts[j]), want[j]) {
					t.Errorf("%.40q has another vector", texts[j])
				}
			}
		})
	}
	wg.Wait()
}

func TestNoTexts(t *testing.T) {
	got, err := encoder(t).EncodeBatch(t.Context(), nil, 2)
	if err != nil || len(got) != 0 {
		t.Errorf("%v, %v", got, err)
	}
}

func TestCancelled(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	got, err := encoder(t).EncodeBatch(ctx, some(), 2)
	if !errors.Is(err, context.Canceled) || got != nil {
		t.Errorf("%d vectors, %v", len(got), err)
	}
}

// A context that ends on the way ends the work.
func TestCancelledOnTheWay(t *testing.T) {
	ctx := &endsAfter{Context: t.Context(), left: len(some()) + 3}
	if got, err := encoder(t).EncodeBatch(ctx, some(), 1); !errors.Is(err, context.Canceled) || got != nil {
		t.Errorf("%d vectors, %v", len(got), err)
	}
}

// endsAfter is a context that ends when it has been asked a number of times.
type endsAfter struct {
	context.Context
	left int
}

func (c *endsAfter) Err() error {
	if c.left--; c.left < 0 {
		return context.Canceled
	}
	return nil
}

func TestEncodeUsesTheBuffer(t *testing.T) {
	e := encoder(t)
	buffer := make([]float32, 1, 800)
	if v := e.Encode(buffer, "hello"); len(v) != Parts*e.Dim() || &v[0] != &buffer[0] {
		t.Error("a large enough buffer is not used")
	}
	if v := e.Encode(make([]float32, 10), "hello"); len(v) != Parts*e.Dim() {
		t.Error("a small buffer is not replaced")
	}
}

func TestNoAllocations(t *testing.T) {
	e := encoder(t).Windowed()
	texts := []string{"", "How do I locate my card?", strings.Repeat("word ", 300)}
	dst := make([]float32, 0, textSize)
	var tokens Tokens
	for _, text := range texts {
		e.EncodeTokens(&tokens, text)
		if n := testing.AllocsPerRun(3, func() {
			dst = e.Encode(dst, text)
			e.EncodeTokens(&tokens, text)
		}); n != 0 {
			t.Errorf("%.20q: %v allocations, want none", text, n)
		}
	}
}

// The reference's last layer, and from it the text's vector.
func TestTokensSameAsReference(t *testing.T) {
	e := encoder(t)
	var got Tokens
	for _, g := range readGolden(t) {
		if !g.Tokens {
			continue
		}
		e.EncodeTokens(&got, g.Text)
		if len(got.IDs) != g.Pieces || len(got.Spans) != g.Pieces || len(got.Vectors) != g.Pieces*hiddenSize {
			t.Fatalf("%q: %d pieces, %d spans, %d numbers; want %d pieces", g.Text, len(got.IDs), len(got.Spans), len(got.Vectors), g.Pieces)
		}
		for i := range got.IDs {
			want := g.tokens[(i+1)*hiddenSize:][:hiddenSize]
			if c := cosine(got.Vector(i), want); c < 0.99999 {
				t.Errorf("%q, piece %d: cosine %.6f", g.Text, i, c)
			}
			var most float32
			for j, v := range got.Vector(i) {
				most = max(most, v-want[j], want[j]-v)
			}
			if most > 0.01 {
				t.Errorf("%q, piece %d: off by %v", g.Text, i, most)
			}
		}
		if !slices.Equal(got.Text, e.Encode(nil, g.Text)) {
			t.Errorf("%q: the text has another vector than Encode's", g.Text)
		}
	}
}

func TestTokensInTheText(t *testing.T) {
	const text = "Lost: my CARD\u00a0No. unaffable"
	var got Tokens
	encoder(t).EncodeTokens(&got, text)
	var parts []string
	for _, s := range got.Spans {
		parts = append(parts, text[s.Start:s.End])
	}
	if p := strings.Join(parts, "|"); p != "Lost|:|my|CARD|No|.|una|ffa|ble" {
		t.Errorf("pieces %q", p)
	}
}

// Beyond MaxPieces a text is cut, as in the reference; a windowed encoder reads on,
// to MaxWindows.
func TestWindows(t *testing.T) {
	e := encoder(t)
	w := e.Windowed()
	if e.Name() == w.Name() {
		t.Error("both have the name " + e.Name())
	}
	fits := strings.Repeat("card ", MaxPieces-specialPieces)
	if !slices.Equal(e.Encode(nil, fits), e.Encode(nil, fits+"weather")) {
		t.Error("pieces beyond MaxPieces count")
	}
	if !slices.Equal(e.Encode(nil, fits), w.Encode(nil, fits)) {
		t.Error("a text that fits has another vector with windows")
	}
	first, second := strings.Repeat("my card is lost. ", 30), strings.Repeat("will it rain now? ", 30)
	a, b := e.Encode(nil, first), e.Encode(nil, second)
	both := make([]float32, textSize)
	for i := range both {
		both[i] = a[i] + b[i]
	}
	// 150 pieces each, and so a window each. The parts are normalised one by one.
	windowed, cut := w.Encode(nil, first+second), e.Encode(nil, first+second)
	for part := range Parts {
		of := func(v []float32) []float32 { return v[part*hiddenSize:][:hiddenSize] }
		if c := cosine(of(both), of(windowed)); c < 0.999999 {
			t.Errorf("part %d: cosine with the mean of the windows %.4f", part, c)
		}
		if c := cosine(of(both), of(cut)); c > 0.97 {
			t.Errorf("part %d: cosine %.4f without windows: the text shows nothing", part, c)
		}
	}
	var tokens Tokens
	w.EncodeTokens(&tokens, first+second)
	if len(tokens.IDs) != 300 || len(tokens.Vectors) != 300*hiddenSize || !slices.Equal(tokens.Text, w.Encode(nil, first+second)) {
		t.Errorf("%d tokens, want 300, and Encode's vector", len(tokens.IDs))
	}
	if zero := tokens.Vector(299); cosine(zero, zero) < 0.99 {
		t.Error("the last token has no vector")
	}
	w.EncodeTokens(&tokens, strings.Repeat("a ", 5000))
	if want := MaxWindows * (MaxPieces - specialPieces); len(tokens.IDs) != want {
		t.Errorf("%d tokens of 5000, want %d", len(tokens.IDs), want)
	}
}

// Near in meaning is near in space, also where no word is shared.
func TestMeaning(t *testing.T) {
	e := encoder(t)
	for _, c := range [][3]string{
		{"my credit card was stolen", "lost bank card", "will it rain tomorrow"},
		{"I am furious", "anger", "joy"},
		{"how old are you", "what is your age", "how are old houses kept"},
	} {
		text, near, far := e.Encode(nil, c[0]), e.Encode(nil, c[1]), e.Encode(nil, c[2])
		if cosine(text, near) <= cosine(text, far)+0.1 {
			t.Errorf("%q: %.3f to %q, %.3f to %q", c[0], cosine(text, near), c[1], cosine(text, far), c[2])
		}
	}
}

// Any bytes have a vector of length 1, and as many tokens as spans, within them.
func FuzzEncode(f *testing.F) {
	for _, s := range []string{"", "a", "\xff\x00", "日本 e\u0301 😀", "[CLS] ##x", strings.Repeat("x", 101)} {
		f.Add(s)
	}
	e, err := Load()
	if err != nil {
		f.Skip(err)
	}
	var tokens Tokens
	f.Fuzz(func(t *testing.T, text string) {
		text = text[:min(len(text), 500)]
		e.EncodeTokens(&tokens, text)
		if c := length2(tokens.Text); !(c > 1.999 && c < 2.001) || len(tokens.Text) != textSize {
			t.Fatalf("%q: %d numbers, length %v", text, len(tokens.Text), c)
		}
		if len(tokens.IDs) != len(tokens.Spans) || len(tokens.Vectors) != len(tokens.IDs)*hiddenSize {
			t.Fatalf("%q: %d pieces, %d spans, %d numbers", text, len(tokens.IDs), len(tokens.Spans), len(tokens.Vectors))
		}
		for _, s := range tokens.Spans {
			if s.Start < 0 || s.Start >= s.End || s.End > len(text) {
				t.Fatalf("%q: span %v", text, s)
			}
		}
	})
}

// The very bits, on every machine, as long as the name stays: who changes them
// changes the name.
func TestSameBitsAsEver(t *testing.T) {
	e := encoder(t).Windowed()
	sum := sha256.New()
	for _, text := range []string{"", "Where's my card?", "I ❤️ 東京, naïvely"} {
		for _, v := range e.Encode(nil, text) {
			sum.Write(binary.LittleEndian.AppendUint32(nil, math.Float32bits(v)))
		}
	}
	const want = "minilm/2+windows 983ae0b62fcdbbd24b803b189dbf7c4fe853ad5c13c47f1e8355ced5a5d70c32"
	if got := e.Name() + " " + hex.EncodeToString(sum.Sum(nil)); got != want {
		t.Errorf("%s, want %s", got, want)
	}
}
