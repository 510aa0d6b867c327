package kernels

import (
	"math"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

func needVectors(t *testing.T) {
	t.Helper()
	if !HasAVX2FMA {
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
		n := simdLanes * rapid.IntRange(1, 12).Draw(t, "eights")
		draw := func(most float32) []float32 { return row(t, n+off+simdLanes, most)[off:] }
		x, y, scale, bias, factor := draw(20), draw(100), draw(2), draw(2), draw(2)

		both := func(what string, from []float32, f func(x []float32)) {
			got, want := slices.Clone(from), slices.Clone(from)
			f(got[:n])
			had := HasAVX2FMA
			HasAVX2FMA = false
			f(want[:n])
			HasAVX2FMA = had
			same(t, what, got, want)
		}
		both("scaleBias", x, func(x []float32) { ScaleBias(x, scale, bias) })
		both("addScaled", x, func(x []float32) { AddScaled(x, y, scale, bias) })
		both("gelu", x, func(x []float32) { GELU(x, scale, bias, factor) })
		both("normRow", x, func(x []float32) { NormRow(x, scale, bias, normEpsilon) })
		both("softmax", y, func(x []float32) { Softmax(x, 0.2) })
	})
}

func TestProductsAreTheSame(t *testing.T) {
	needVectors(t)
	rapid.Check(t, func(t *rapid.T) {
		rows := rapid.SampledFrom([]int{4, 6}).Draw(t, "rows")
		k := rapid.IntRange(1, 40).Draw(t, "k")
		lda := k + rapid.IntRange(0, 5).Draw(t, "beyond a")
		ldb := TileOut + rapid.IntRange(0, 5).Draw(t, "beyond b")
		ldc := TileOut + rapid.IntRange(0, 5).Draw(t, "beyond c")
		a, b, c := row(t, rows*lda, 10), row(t, k*ldb+5, 10), row(t, rows*ldc+5, 10)
		add := rapid.Bool().Draw(t, "add")
		got, want := slices.Clone(c), slices.Clone(c)
		Gemm(rows, k, a, lda, b, ldb, got, ldc, add)
		gemmGo(rows, k, a, lda, b, ldb, want, ldc, add)
		same(t, "product", got, want)
	})
}

// Integers too: what is rounded to them, tiles, and their products, the largest
// among them.
func TestIntegersAreTheSame(t *testing.T) {
	needVectors(t)
	rapid.Check(t, func(t *rapid.T) {
		k := rapid.SampledFrom([]int{16, 32, rowSize}).Draw(t, "k")
		x := row(t, k, rapid.SampledFrom([]float32{0, 1e-35, 1, 1e6}).Draw(t, "most"))
		got, want := make([]int16, k), make([]int16, k)
		units := make([]float32, 2)
		Quantize(got, x, &units[0])
		quantizeGo(want, x, &units[1])
		if !slices.Equal(got, want) || units[0] != units[1] {
			t.Fatalf("%v becomes %v of %g, want %v of %g", x, got, units[0], want, units[1])
		}

		bytes := rapid.SliceOfN(rapid.SampledFrom([]byte{0, 1, 3, 127, 128, 129, 255}), k*TileOut, k*TileOut).Draw(t, "bytes")
		tile, twin := make([]int16, k*TileOut), make([]int16, k*TileOut)
		Spread(tile, bytes)
		spreadGo(twin, bytes)
		if !slices.Equal(tile, twin) {
			t.Fatalf("tiles %v, want %v", tile, twin)
		}

		rows := rapid.SampledFrom([]int{4, 6}).Draw(t, "rows")
		lda, ldc := k+rapid.IntRange(0, 5).Draw(t, "beyond a"), TileOut+rapid.IntRange(0, 5).Draw(t, "beyond c")
		a := rapid.SliceOfN(rapid.SampledFrom([]int16{0, 1, -1, 700, maxQuantized, -maxQuantized}), rows*lda, rows*lda).Draw(t, "a")
		scales, c := row(t, rows, 10), row(t, rows*ldc+5, 1e6)
		add := rapid.Bool().Draw(t, "add")
		sums, others := slices.Clone(c), slices.Clone(c)
		Product(rows, k, a, lda, tile, scales, sums, ldc, add)
		productGo(rows, k, a, lda, tile, scales, others, ldc, add)
		same(t, "product", sums, others)
	})
}
