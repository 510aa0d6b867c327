package encoders

import (
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/hone-ml/hone/encode"
	"github.com/hone-ml/hone/encode/text/ngram"
)

// This is the example of docs/EXTENDING.md: all that an encoder needs. The type would be in
// encode/text/letters/letters.go, and the entry in encoders.go.

// letters encodes a text as how often it has each letter from a to z. It is a dense part
// beside the n-grams.
type letters struct{}

// Name implements encode.Embedder.
func (letters) Name() string { return "letters-1" }

// Encode implements encode.Embedder.
func (letters) Encode(dst []float32, text string) []float32 {
	counts := append(dst[:0], make([]float32, 26)...)
	for _, r := range strings.ToLower(text) {
		if r >= 'a' && r <= 'z' {
			counts[r-'a']++
		}
	}
	var squares float64
	for _, n := range counts {
		squares += float64(n) * float64(n)
	}
	if squares == 0 {
		return nil
	}
	for i := range counts {
		counts[i] /= float32(math.Sqrt(squares))
	}
	return counts
}

var _ encode.Embedder = letters{}

func TestAnExampleEncoderNeedsATypeAndAnEntry(t *testing.T) {
	before := entries
	t.Cleanup(func() { entries = before })
	entries = append(slices.Clone(entries), entry{name: "letters", open: fast(func() encode.Encoder { return encode.Union(ngram.New(), letters{}) })})

	if !slices.Contains(Names(), "letters") {
		t.Errorf("people are not told of it: %v", Names())
	}
	opened, err := Open("letters", Options{})
	if err != nil {
		t.Fatal(err)
	}
	x := opened.Fast.Encode("Abba")
	if len(x.Terms) == 0 || x.Parts() != 1 || x.Dense[0][0] != x.Dense[0][1] || x.Dense[0][2] != 0 {
		t.Errorf("encoded as %+v", x)
	}
	if name := opened.Fast.Name(); !strings.Contains(name, "letters-1") || name == ngram.New().Name() {
		t.Errorf("what is stored would be taken for another encoder's: %q", name)
	}
	if opened.Slow != nil || opened.Blocking() != nil {
		t.Error("it has a slow part")
	}
	if _, err := Open("letters:x", Options{}); err == nil {
		t.Error("it takes an address")
	}
}
