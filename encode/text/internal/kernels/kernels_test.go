package kernels

import (
	"math"
	"math/big"
	"testing"

	"pgregory.net/rapid"
)

const (
	rowSize     = 384
	normEpsilon = 1e-12
)

// One rounding, against arithmetic that rounds nothing before.
func TestFusedRoundsOnce(t *testing.T) {
	// Numbers whose sums lie half way between two float32, but for a little.
	number := rapid.Custom(func(t *rapid.T) float32 {
		mantissa := rapid.SampledFrom([]float64{1, 1 + 1.0/(1<<23), 1 + 1.0/(1<<12), 1 - 1.0/(1<<24), 1 + 3.0/(1<<22), 1.5, 0, rapid.Float64Range(1, 2).Draw(t, "mantissa")}).Draw(t, "of")
		sign := rapid.SampledFrom([]float64{-1, 1}).Draw(t, "sign")
		return float32(sign * math.Ldexp(mantissa, rapid.IntRange(-30, 30).Draw(t, "exponent")))
	})
	rapid.Check(t, func(t *rapid.T) {
		a, b, c := number.Draw(t, "a"), number.Draw(t, "b"), number.Draw(t, "c")
		if rapid.Bool().Draw(t, "near") { // so that the product's last bits decide
			c = float32(math.Ldexp(float64(a*b), rapid.IntRange(-26, 26).Draw(t, "by")))
		}
		exact := new(big.Float).SetPrec(400).Mul(big.NewFloat(float64(a)), big.NewFloat(float64(b)))
		exact.SetPrec(400).Add(exact, big.NewFloat(float64(c)))
		want, _ := exact.Float32()
		if got := fusedMulAddExact(a, b, c); got != want {
			t.Fatalf("%g*%g + %g is %g, want %g", a, b, c, got, want)
		}
		if got := fusedMulAdd(a, b, c); got != want {
			t.Fatalf("%g*%g + %g is %g on this machine, want %g", a, b, c, got, want)
		}
	})
}

// The case that rounding twice gets wrong.
func TestFusedHalfWay(t *testing.T) {
	a, b := float32(1+1.0/(1<<12)), float32(1+1.0/(1<<12)) // 1 + 2^-11 + 2^-24
	for _, c := range []float32{0, 1.0 / (1 << 60), -1.0 / (1 << 60)} {
		exact := new(big.Float).SetPrec(400).Mul(big.NewFloat(float64(a)), big.NewFloat(float64(b)))
		exact.Add(exact, big.NewFloat(float64(c)))
		want, _ := exact.Float32()
		if got := fusedMulAddExact(a, b, c); got != want {
			t.Errorf("with %g: %.10g, want %.10g", c, got, want)
		}
		if got := fusedMulAddExact(-a, b, -c); got != -want {
			t.Errorf("with %g, negative: %.10g, want %.10g", c, got, -want)
		}
	}
}

func TestGELU(t *testing.T) {
	one, zero := []float32{1}, []float32{0}
	for v := -30.0; v <= 30; v += 0.0007 {
		x := float64(float32(v))
		h := []float32{float32(v)}
		geluGo(h, one, zero, one)
		want := x / 2 * math.Erfc(-x/math.Sqrt2)
		if off := math.Abs(float64(h[0]) - want); off > 3e-7*max(1, math.Abs(x)) {
			t.Fatalf("GELU(%v) is %v, want %v", x, h[0], want)
		}
	}
	h := []float32{3}
	geluGo(h, []float32{-0.5}, []float32{2}, []float32{4})
	if want := 4 * 0.25 * math.Erfc(-0.5/math.Sqrt2); math.Abs(float64(h[0])-want) > 1e-6 {
		t.Errorf("scaled %v, want %v", h[0], want)
	}
}

func TestExp(t *testing.T) {
	for v := float32(expEnd); v <= 0; v += 0.0011 {
		want := math.Exp(float64(v))
		if got := float64(expGo(v)); math.Abs(got-want) > 2e-7*want {
			t.Fatalf("exp(%v) is %v, want %v", v, got, want)
		}
	}
	for _, v := range []float32{-61, -1e9, -1e30, float32(math.Inf(-1))} {
		if got := expGo(v); got < 0 || got > 1e-26 {
			t.Errorf("exp(%v) is %v", v, got)
		}
	}
}

// row draws a row of n numbers.
func row(t *rapid.T, n int, most float32) []float32 {
	return rapid.SliceOfN(rapid.Float32Range(-most, most), n, n).Draw(t, "row")
}

func TestSoftmax(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := simdLanes * rapid.IntRange(1, 9).Draw(t, "eights")
		x := row(t, n, 200)
		got := append([]float32(nil), x...)
		softmaxGo(got, 0.3)
		var most, sum float64 = math.Inf(-1), 0
		for _, v := range x {
			most = max(most, 0.3*float64(v))
		}
		for _, v := range x {
			sum += math.Exp(0.3*float64(v) - most)
		}
		for i, v := range x {
			want := math.Exp(0.3*float64(v)-most) / sum
			if math.Abs(float64(got[i])-want) > 1e-5*want+1e-25 {
				t.Fatalf("number %d of %v is %v, want %v", i, x, got[i], want)
			}
		}
	})
}

func TestNorm(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		x, weight, bias := row(t, rowSize, 50), row(t, rowSize, 2), row(t, rowSize, 2)
		got := append([]float32(nil), x...)
		normRowGo(got, weight, bias, normEpsilon)
		var mean, variance float64
		for _, v := range x {
			mean += float64(v) / rowSize
		}
		for _, v := range x {
			variance += (float64(v) - mean) * (float64(v) - mean) / rowSize
		}
		if variance < 1e-3 {
			return // all alike: what rounding leaves is what is scaled up
		}
		for i, v := range x {
			want := (float64(v)-mean)/math.Sqrt(variance+normEpsilon)*float64(weight[i]) + float64(bias[i])
			if math.Abs(float64(got[i])-want) > 1e-3 {
				t.Fatalf("number %d is %v, want %v", i, got[i], want)
			}
		}
	})
}

// Blocks cover all rows and go beyond the end by less than there is room.
func TestBlocks(t *testing.T) {
	for rows := 1; rows <= 300; rows++ {
		r := 0
		for r < rows {
			r += RowsPerBlock(rows - r)
		}
		if over := r - rows; over > SpareRows || rows > 2 && over > 1 {
			t.Errorf("%d rows: %d beyond the end", rows, over)
		}
	}
}
