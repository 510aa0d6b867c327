package model

import (
	"fmt"
	"math"
	"testing"

	"pgregory.net/rapid"
)

func TestAxpyIsTheSameOnEveryMachine(t *testing.T) {
	number := rapid.Float32Range(-1e30, 1e30)
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(0, 140).Draw(t, "n")
		a := number.Draw(t, "a")
		off := rapid.IntRange(0, 3).Draw(t, "offset") // not every row is aligned
		x := rapid.SliceOfN(number, n+off, n+off).Draw(t, "x")[off:]
		// What lies behind x's length must stay.
		got := rapid.SliceOfN(number, n+off+9, n+off+9).Draw(t, "y")[off:]
		want := append([]float32(nil), got...)
		for i := range x {
			want[i] += float32(a * x[i])
		}
		twin := append([]float32(nil), got...)
		axpy(a, x, got)
		axpyGo(a, x, twin)
		for i := range want {
			if w := math.Float32bits(want[i]); w != math.Float32bits(got[i]) || w != math.Float32bits(twin[i]) {
				t.Fatalf("at %d of %d: %g and %g, want %g", i, n, got[i], twin[i], want[i])
			}
		}
	})
}

func BenchmarkAxpy(b *testing.B) {
	for _, n := range []int{4, 10, 77, 150} {
		x, y := make([]float32, n), make([]float32, n)
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			for b.Loop() {
				axpy(0.5, x, y)
			}
		})
		b.Run(fmt.Sprintf("%d_go", n), func(b *testing.B) {
			for b.Loop() {
				axpyGo(0.5, x, y)
			}
		})
	}
}
