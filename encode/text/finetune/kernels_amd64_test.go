package finetune

import (
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// The assembly gives what Go gives, up to the rounding of sums, for any shape, and touches
// nothing else.
func TestAssemblyIsTheSame(t *testing.T) {
	if !hasAVX2FMA {
		t.Skip("no AVX2 and FMA here: there is only one kind of kernels")
	}
	rapid.Check(t, func(t *rapid.T) {
		p := drawProduct(t)
		got := p.run(true)
		hasAVX2FMA = false
		defer func() { hasAVX2FMA = true }()
		p.compare(t, "assembly", got, p.run(true), 1e-6)
		p.compare(t, "assembly, plain", p.run(false), p.run(true), 1e-6)
	})
}

// A row has the same bits whatever other rows are multiplied with it.
func TestRowsAreIndependent(t *testing.T) {
	if !hasAVX2FMA {
		t.Skip("no AVX2 and FMA here")
	}
	rapid.Check(t, func(t *rapid.T) {
		p := drawProduct(t)
		all := p.run(true)
		for r := range p.m {
			one := p
			one.m, one.a, one.c = 1, p.a[r*p.lda:], p.c[r*p.ldc:]
			if !slices.Equal(one.run(true)[:p.n], all[r*p.ldc:][:p.n]) {
				t.Fatalf("row %d of %d by %d by %d", r, p.m, p.k, p.n)
			}
		}
	})
}

func TestElementwiseAssemblyIsTheSame(t *testing.T) {
	if !hasAVX2FMA {
		t.Skip("no AVX2 and FMA here")
	}
	rapid.Check(t, func(t *rapid.T) {
		x := rapid.SliceOfN(rapid.Float32Range(-12, 12), 1, 40).Draw(t, "row")
		n := len(x)
		x, extra := append(x, 3), float32(7) // one more, not to be touched
		got, want := make([]float32, n+1), make([]float32, n+1)
		gradient, wantGradient := slices.Repeat([]float32{extra}, n+1), slices.Repeat([]float32{extra}, n+1)
		geluBack(got[:n], gradient[:n], x[:n])
		geluBackGo(want[:n], wantGradient[:n], x[:n])
		forward := make([]float32, n+1)
		gelu(forward[:n], x[:n])
		for i := range n {
			near(t, "GELU", got[i], float64(want[i]), 1e-6)
			near(t, "gradient", gradient[i], float64(wantGradient[i]), 1e-5)
			if forward[i] != got[i] {
				t.Fatalf("GELU of %g is %g forward and %g backward", x[i], forward[i], got[i])
			}
		}
		if got[n] != 0 || forward[n] != 0 || gradient[n] != extra {
			t.Fatal("written beyond the end")
		}
	})
}
