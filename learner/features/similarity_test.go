package features

import (
	"slices"
	"testing"

	"github.com/hone-ml/hone/encode"
	"github.com/hone-ml/hone/learner/head/headtest"
	"github.com/hone-ml/hone/vector"
)

// partly is an encoder whose parts are unit vectors of their own.
type partly []encode.Part

func (partly) Name() string           { return "partly" }
func (p partly) Parts() []encode.Part { return p }
func (p partly) Encode(string) (v vector.Vector) {
	for range p {
		v.Dense = append(v.Dense, []float32{1, 0})
	}
	return v
}

// The cosine weighs parts as the head's kernel does, an adapted part too. Words count where there is
// nothing else.
func TestSimilarityWeighsPartsAsTheHeadDoes(t *testing.T) {
	all := partly{encode.Words, encode.Middle, encode.Sentence, encode.Adapted}
	for _, c := range []struct {
		parts   partly
		weights []float64
		want    []float64
	}{
		{all, nil, []float64{0, 0.5, 1, 0}},
		{all, []float64{0.25, 3, 2, 1, 4}, []float64{0, 2, 1, 4}},
		{all, []float64{0.25, 3, 2, 0}, []float64{0, 2, 0, 0}},      // the adapted part is newer than the weights
		{all, []float64{0.25, 3, 0, 0, 0}, []float64{0, 0.5, 1, 0}}, // no weight is left
		{partly{encode.Words}, []float64{0.3, 1}, []float64{1}},
		{partly{encode.Words}, []float64{0.3, 0}, []float64{1}},
		{partly{}, []float64{1}, nil},
	} {
		q := headtest.Choices(t, "single").WithEncoder(c.parts)
		s, ok := (&Extractor{encoder: c.parts, name: "partly"}).Similarity(q, c.weights)
		if ok != (c.want != nil) || ok && !slices.Equal(s.shares, c.want) {
			t.Errorf("%v weighted %v: %v, %v, want %v", c.parts, c.weights, s.shares, ok, c.want)
		}
	}
	q := headtest.Choices(t, "single").WithEncoder(all)
	f := &Extractor{encoder: all, name: "partly"}
	a, _ := f.Similarity(q, []float64{1, 1, 1, 1, 1})
	b, _ := f.Similarity(q, []float64{2, 2, 1, 1, 1})
	d, _ := f.Similarity(q, []float64{1, 1, 1, 1, 2})
	if a.Space() != b.Space() || a.Space() == d.Space() {
		t.Errorf("spaces %q, %q and %q", a.Space(), b.Space(), d.Space())
	}
}
