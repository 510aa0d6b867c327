package minilm

import (
	"bytes"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

func someAdapter(t testing.TB, spread float64) *Adapter {
	t.Helper()
	rng := rand.New(rand.NewPCG(5, 6))
	w := make([]float32, AdapterSize(2))
	for i := range w {
		w[i] = float32(rng.NormFloat64() * spread)
	}
	a, err := NewAdapter(2, w)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// All float16 survive a conversion there and back.
func TestFloat16(t *testing.T) {
	for h := range 1 << 16 {
		if f := fromFloat16(uint16(h)); math.Abs(float64(f)) <= maxFloat16 && toFloat16(f) != uint16(h) {
			t.Fatalf("%#x is %g, which is %#x", h, f, toFloat16(f))
		}
	}
}

func TestAdapterBytes(t *testing.T) {
	a := someAdapter(t, 0.1)
	data, _ := a.MarshalBinary()
	b, err := ParseAdapter(data)
	if err != nil || b.rank != a.rank || !slices.Equal(b.weights, a.weights) || b.Hash() != a.Hash() {
		t.Fatalf("%v", err)
	}
	for _, at := range []int{0, 8, 12, 16, adapterHeader, len(data) - 1} {
		broken := bytes.Clone(data)
		broken[at] ^= 1
		if _, err := ParseAdapter(broken); err == nil {
			t.Errorf("accepted with byte %d changed", at)
		}
	}
}

// An adapter of zeros changes vectors by no more than rounding again.
func TestWithAdapter(t *testing.T) {
	e := encoder(t)
	adapted := e.WithAdapter(someAdapter(t, 0))
	if adapted.Parts() != 1 || e.Parts() != Parts || adapted.Windowed().Parts() != 1 {
		t.Errorf("%d parts, %d without the adapter", adapted.Parts(), e.Parts())
	}
	for _, text := range some() {
		var dot float64
		want := e.Encode(nil, text)[hiddenSize:]
		for i, v := range adapted.Encode(nil, text) {
			dot += float64(v) * float64(want[i])
		}
		if dot < 0.9999 {
			t.Errorf("%.40q: cosine %.6f", text, dot)
		}
	}
	long := strings.Repeat("my card is lost. ", 100)
	for _, a := range []*Encoder{adapted, adapted.Windowed()} {
		batch, err := a.EncodeBatch(t.Context(), []string{long, "hello"}, 2)
		if err != nil || !slices.Equal(batch[0], a.Encode(nil, long)) || !slices.Equal(batch[1], a.Encode(nil, "hello")) {
			t.Errorf("%s: a batch has other vectors than its texts: %v", a.Name(), err)
		}
	}
	if changed := e.WithAdapter(someAdapter(t, 0.1)); changed.Name() == adapted.Name() || changed.Name() == e.Name() {
		t.Errorf("names %q, %q, %q", e.Name(), adapted.Name(), changed.Name())
	}
}

// Bytes of any content are refused, or are those of an adapter.
func FuzzParseAdapter(f *testing.F) {
	data, _ := someAdapter(f, 0.1).MarshalBinary()
	f.Add(data[:adapterHeader])
	f.Add(data)
	f.Fuzz(func(t *testing.T, data []byte) {
		a, err := ParseAdapter(data)
		if err != nil {
			return
		}
		if again, _ := a.MarshalBinary(); !bytes.Equal(again, data) {
			t.Error("read as another adapter")
		}
	})
}
