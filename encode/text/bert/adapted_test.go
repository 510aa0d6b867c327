package bert

import (
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/hone-ml/hone/encode/text/internal/kernels/kernelstest"
	"github.com/hone-ml/hone/encode/text/internal/lowrank"
	"github.com/hone-ml/hone/encode/text/wordpiece"
)

func someAdapter(t testing.TB, e *Encoder, rank int, spread float64) *lowrank.Adapter {
	t.Helper()
	rng := rand.New(rand.NewPCG(5, 6))
	base := e.Network().Base
	w := make([]float32, base.AdapterSize(rank))
	for i := range w {
		w[i] = float32(rng.NormFloat64() * spread)
	}
	a, err := lowrank.NewAdapter(base, rank, w)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func someTexts() []string {
	return []string{"", "my card", "The rate of the dollar!", strings.Repeat("my card is lost. ", 30), "卡片到了"}
}

// With an adapter of zeros a text has the last part of its vector as it was, bit for bit, in one window and in several.
func TestAdapterOfZeros(t *testing.T) {
	for _, name := range folders {
		e := open(t, name)
		adapted := e.WithAdapter(someAdapter(t, e, 3, 0))
		if adapted.Parts() != 1 || e.Parts() != Parts || adapted.Dim() != e.Dim() {
			t.Errorf("%s: %d parts, %d without the adapter", name, adapted.Parts(), e.Parts())
		}
		for _, text := range someTexts() {
			got, want := encodeOne(t, adapted, text), encodeOne(t, e, text)
			if !slices.Equal(got, want[e.Dim():]) {
				t.Errorf("%s: %.20q: another vector, cosine %v", name, text, cosine(got, want[e.Dim():]))
			}
		}
	}
}

// An adapted encoder is one whose matrices are the old ones and what is added to them.
func TestWithAdapter(t *testing.T) {
	for _, name := range folders {
		e := open(t, name)
		for _, rank := range []int{1, 8, lowrank.MaxRank} {
			a := someAdapter(t, e, rank, 0.2)
			adapted := e.WithAdapter(a)
			merged := *e
			m := *e.model
			m.layers = slices.Clone(m.layers)
			for i, w := range e.LastLayers() {
				l := &m.layers[len(m.layers)-e.adaptedLayers()+i]
				l.qkv.matrix, l.attention.matrix, l.inner.matrix, l.output.matrix = newMatrix(m.Width, 3*m.Width), newMatrix(m.Width, m.Width), newMatrix(m.Width, m.Inner), newMatrix(m.Inner, m.Width)
				for matrix, to := range []*linear{&l.qkv, &l.qkv, &l.qkv, &l.attention, &l.inner, &l.output} {
					rows := w.Matrices[matrix].Weight
					down, up := a.Factors(i, matrix)
					out := len(up) / rank
					for j := range rows {
						o, in := j/to.in, j%to.in
						for r := range rank {
							rows[j] += down[r*to.in+in] * up[r*out+o]
						}
					}
					first := 0
					if matrix <= lowrank.Value {
						first = matrix * m.Width
					}
					to.fill(first, rows)
				}
			}
			merged.model = &m
			for _, text := range someTexts() {
				got, want := encodeOne(t, adapted, text), encodeOne(t, &merged, text)[e.Dim():]
				if c := cosine(got, want); !(c > 0.99999) {
					t.Errorf("%s, rank %d: %.20q: cosine %.7f", name, rank, text, c)
				}
			}
		}
	}
}

// The weights of the last layers are those that were read.
func TestLastLayers(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	m := newMatrix(2*blockDepth+48, 48)
	weights := make([]float32, m.in*m.out)
	for i := range weights {
		weights[i] = rng.Float32()
	}
	m.fill(0, weights)
	if !slices.Equal(m.rows(0, 48), weights) || !slices.Equal(m.rows(16, 5), weights[16*m.in:][:5*m.in]) {
		t.Error("other weights")
	}
	for name, want := range map[string]int{"mean": 3, "cls": 1, "max": 3} {
		e := open(t, name)
		layers, n := e.LastLayers(), e.Network()
		if len(layers) != want || n.Layers != want {
			t.Errorf("%s: %d layers, and the network has %d", name, len(layers), n.Layers)
		}
		for _, l := range layers {
			for matrix, w := range l.Matrices {
				if in, out := n.MatrixSize(matrix); len(w.Weight) != in*out || len(w.Bias) != out {
					t.Errorf("%s: matrix %d has %d weights and %d biases", name, matrix, len(w.Weight), len(w.Bias))
				}
			}
		}
	}
}

// Of a text as many tokens are read as are asked for, and no fewer than eight.
func TestFirstLayers(t *testing.T) {
	for _, name := range folders {
		e := open(t, name)
		around := len(e.before) + len(e.after)
		for most, want := range map[int]int{0: around + leastRoom, 20: 20, 1000: around + e.room} {
			if got := len(e.FirstLayers(strings.Repeat("card ", 200), most)) / e.Network().Hidden; got != want {
				t.Errorf("%s: %d tokens of at most %d, want %d", name, got, most, want)
			}
		}
		if got := len(e.FirstLayers("", 64)) / e.Network().Hidden; got != around {
			t.Errorf("%s: %d tokens of an empty text", name, got)
		}
	}
}

// An adapted text has the same bits alone, in a batch and without the assembly.
func TestAdaptedSameBits(t *testing.T) {
	for _, name := range folders {
		e := open(t, name)
		e = e.WithAdapter(someAdapter(t, e, 5, 0.2))
		want, err := e.EncodeBatch(t.Context(), someTexts())
		if err != nil {
			t.Fatal(err)
		}
		check := func(how string) {
			for i, text := range someTexts() {
				if !slices.Equal(encodeOne(t, e, text), want[i]) {
					t.Errorf("%s: %.20q has another vector %s", name, text, how)
				}
			}
		}
		check("alone")
		kernelstest.WithoutAssembly(func() { check("without assembly") })
	}
}

// Encoders that differ by their adapters have names of their own and share working memory, and an
// adapter is replaced, not added to.
func TestSeveralAdapters(t *testing.T) {
	e := open(t, "mean")
	one, other := e.WithAdapter(someAdapter(t, e, 2, 0.1)), e.WithAdapter(someAdapter(t, e, 3, 0.3))
	again := other.WithAdapter(someAdapter(t, other, 2, 0.1))
	if one.Name() != again.Name() || one.Name() == other.Name() || !strings.HasPrefix(one.Name(), e.Name()+"+adapter-") {
		t.Errorf("names %q, %q, %q and %q", e.Name(), one.Name(), other.Name(), again.Name())
	}
	for range 2 {
		plain, first, second := encodeOne(t, e, "my card"), encodeOne(t, one, "my card"), encodeOne(t, other, "my card")
		if !slices.Equal(first, encodeOne(t, again, "my card")) || cosine(first, second) > 0.9999 || cosine(first, plain[e.Dim():]) > 0.99999 {
			t.Errorf("cosines %v and %v", cosine(first, second), cosine(first, plain[e.Dim():]))
		}
	}
	places := [][]wordpiece.Span{{{Start: 3, End: 7}}}
	want, err := e.EncodeInContext(t.Context(), []string{"my card"}, places)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := other.EncodeInContext(t.Context(), []string{"my card"}, places); err != nil || !slices.Equal(got[0][0], want[0][0]) {
		t.Errorf("tokens in their context differ: %v", err)
	}
}

// An adapter is read for the model that it was trained for, and refused for another.
func TestAdapterOfAnotherModel(t *testing.T) {
	e := open(t, "mean")
	data, _ := someAdapter(t, e, 2, 0.1).MarshalBinary()
	if _, err := e.ParseAdapter(data); err != nil {
		t.Error(err)
	}
	if _, err := e.WithAdapter(someAdapter(t, e, 2, 0.1)).ParseAdapter(data); err != nil {
		t.Error(err)
	}
	for _, name := range folders[1:] {
		other := open(t, name)
		if _, err := other.ParseAdapter(data); err == nil || !strings.Contains(err.Error(), e.Name()) || !strings.Contains(err.Error(), other.Name()) {
			t.Errorf("%s: %v", name, err)
		}
	}
	data[len(data)-1] ^= 1
	if _, err := e.ParseAdapter(data); err == nil {
		t.Error("a damaged adapter")
	}
}
