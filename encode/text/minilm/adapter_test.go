package minilm

import (
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/hone-ml/hone/encode/text/internal/lowrank"
)

func someAdapter(t testing.TB, spread float64) *lowrank.Adapter {
	t.Helper()
	rng := rand.New(rand.NewPCG(5, 6))
	w := make([]float32, adapterBase.AdapterSize(2))
	for i := range w {
		w[i] = float32(rng.NormFloat64() * spread)
	}
	a, err := lowrank.NewAdapter(adapterBase, 2, w)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// An adapter is read for this encoder, and one of another is refused.
func TestAdapterBytes(t *testing.T) {
	e, a := encoder(t), someAdapter(t, 0.1)
	data, _ := a.MarshalBinary()
	if b, err := e.ParseAdapter(data); err != nil || b.Hash() != a.Hash() {
		t.Fatalf("%v", err)
	}
	other := adapterBase
	other.Name = "bert/1 0123456789abcdef"
	foreign, err := lowrank.NewAdapter(other, 1, make([]float32, other.AdapterSize(1)))
	if err != nil {
		t.Fatal(err)
	}
	data, _ = foreign.MarshalBinary()
	if _, err := e.ParseAdapter(data); err == nil || !strings.Contains(err.Error(), other.Name) {
		t.Error(err)
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
