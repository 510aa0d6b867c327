package minilm

import (
	"slices"
	"testing"

	"github.com/hone-ml/hone/encode/text/internal/kernels/kernelstest"
)

// A text has the same vector on a machine without the assembly.
func TestSameVectorWithoutAssembly(t *testing.T) {
	e := encoder(t)
	for _, text := range []string{"", "Where's my card?"} {
		want := e.Encode(nil, text)
		var got []float32
		if !kernelstest.WithoutAssembly(func() { got = e.Encode(nil, text) }) {
			t.Skip("there is only one kind of kernels here")
		}
		if !slices.Equal(got, want) {
			t.Errorf("%q has another vector without AVX2", text)
		}
	}
}

func BenchmarkEncodeWithoutAssembly(b *testing.B) {
	e := encoder(b)
	texts := textsOf(b, e, 22, 4)
	start, i := cpuSeconds(), 0
	kernelstest.WithoutAssembly(func() {
		for b.Loop() {
			e.Encode(nil, texts[i%len(texts)])
			i++
		}
	})
	rate(b, b.N, cpuSeconds()-start)
}
