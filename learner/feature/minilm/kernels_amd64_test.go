package minilm

import (
	"math"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// without runs f with the kernels of any machine.
func without(f func()) {
	defer func(v bool) { vectors = v }(vectors)
	vectors = false
	f()
}

func needVectors(t *testing.T) {
	t.Helper()
	if !vectors {
		t.Skip("no AVX2 and FMA here: there is only one kind of kernels")
	}
}

func same(t *rapid.T, what string, got, want []float32) {
	t.Helper()
	for i := range want {
		if math.Float32bits(got[i]) != math.Float32bits(want[i]) {
			t.Fatalf("%s: number %d is %g, want %g", what, i, got[i], want[i])
		}
	}
}

// The assembly gives what Go gives, bit for bit, and touches nothing else.
func TestAssemblyIsTheSame(t *testing.T) {
	needVectors(t)
	rapid.Check(t, func(t *rapid.T) {
		off := rapid.IntRange(0, 3).Draw(t, "offset") // not every row is aligned
		n := lanes * rapid.IntRange(1, 12).Draw(t, "eights")
		draw := func(most float32) []float32 { return row(t, n+off+lanes, most)[off:] }
		x, y, scale, bias, factor := draw(20), draw(100), draw(2), draw(2), draw(2)

		both := func(what string, from []float32, f func(x []float32)) {
			got, want := slices.Clone(from), slices.Clone(from)
			f(got[:n])
			without(func() { f(want[:n]) })
			same(t, what, got, want)
		}
		both("scaleBias", x, func(x []float32) { scaleBias(x, scale, bias) })
		both("addScaled", x, func(x []float32) { addScaled(x, y, scale, bias) })
		both("gelu", x, func(x []float32) { gelu(x, scale, bias, factor) })
		both("normRow", x, func(x []float32) { normRow(x, scale, bias) })
		both("softmax", y, func(x []float32) { softmax(x, 0.2) })
		bytes := rapid.SliceOfN(rapid.Byte(), n, n).Draw(t, "bytes")
		both("spread", x, func(x []float32) { spread(x, bytes) })
	})
}

func TestProductsAreTheSame(t *testing.T) {
	needVectors(t)
	rapid.Check(t, func(t *rapid.T) {
		rows := rapid.SampledFrom([]int{4, 6}).Draw(t, "rows")
		k := rapid.IntRange(1, 40).Draw(t, "k")
		lda := k + rapid.IntRange(0, 5).Draw(t, "beyond a")
		ldb := tileOut + rapid.IntRange(0, 5).Draw(t, "beyond b")
		ldc := tileOut + rapid.IntRange(0, 5).Draw(t, "beyond c")
		a, b, c := row(t, rows*lda, 10), row(t, k*ldb+5, 10), row(t, rows*ldc+5, 10)
		add := rapid.Bool().Draw(t, "add")
		got, want := slices.Clone(c), slices.Clone(c)
		gemm(rows, k, a, lda, b, ldb, got, ldc, add)
		gemmGo(rows, k, a, lda, b, ldb, want, ldc, add)
		same(t, "product", got, want)
	})
}

// And so has a text the same vector on a machine without.
func TestSameVectorWithoutAssembly(t *testing.T) {
	needVectors(t)
	e := encoder(t)
	for _, text := range []string{"", "Where's my card?"} {
		want := e.Encode(nil, text)
		var got []float32
		without(func() { got = e.Encode(nil, text) })
		if !slices.Equal(got, want) {
			t.Errorf("%q has another vector without AVX2", text)
		}
	}
}
