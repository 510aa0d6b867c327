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
