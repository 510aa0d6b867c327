package kernels

import (
	"math"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// The assembly gives what Go gives.
func TestIntegersAreTheSame(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		k := rapid.SampledFrom([]int{8, 32, rowSize}).Draw(t, "k")
		bytes := rapid.SliceOfN(rapid.Byte(), k*TileOut, k*TileOut).Draw(t, "bytes")
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
		got, want := slices.Clone(c), slices.Clone(c)
		Product(rows, k, a, lda, tile, scales, got, ldc, add)
		productGo(rows, k, a, lda, tile, scales, want, ldc, add)
		for i := range want {
			if math.Float32bits(got[i]) != math.Float32bits(want[i]) {
				t.Fatalf("number %d is %g, want %g", i, got[i], want[i])
			}
		}
	})
}
