package encode_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/hone-ml/hone/encode"
	"github.com/hone-ml/hone/encode/text/ngram"
)

// lengths embeds a text in the direction of its length, and nothing in none.
type lengths string

func (l lengths) Name() string { return string(l) }

func (l lengths) Encode(dst []float32, text string) []float32 {
	dst = dst[:0]
	switch {
	case text == "":
		return dst
	case len(text)%2 == 0:
		return append(dst, 1, 0)
	}
	return append(dst, 0, 1)
}

func TestJoinPutsPartsSideBySide(t *testing.T) {
	h := ngram.New()
	e := encode.Union(h, lengths("a/1"), lengths("b/1"))
	if want := h.Name() + "+a/1+b/1"; e.Name() != want {
		t.Errorf("name %q, want %q", e.Name(), want)
	}
	want := h.Encode("odd")
	want.Dense = [][]float32{{0, 1}, {0, 1}}
	got := e.Encode("odd")
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
	e.Encode("even")
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("a vector changes with the next text: %s", d)
	}
	if v := e.Encode(""); !v.Empty() {
		t.Errorf("an empty text has the vector %v", v)
	}
}
