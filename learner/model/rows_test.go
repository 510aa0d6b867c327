package model

import (
	"math"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/hone-ml/hone/encode/text/ngram"
	"github.com/hone-ml/hone/vector"
)

// What adds many rows must add what axpy adds, to the bit, for every number of
// classes: models on disk and in tests are compared that way.
func TestManyRowsAreThoseOneByOne(t *testing.T) {
	h := ngram.New()
	number := rapid.Float32Range(-1e10, 1e10)
	same := func(t *rapid.T, what string, got, want []float32) {
		for i := range want {
			if math.Float32bits(got[i]) != math.Float32bits(want[i]) {
				t.Fatalf("%s, %d: %g, want %g", what, i, got[i], want[i])
			}
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 80).Draw(t, "classes")
		numbers := func(name string, n int) []float32 { return rapid.SliceOfN(number, n, n).Draw(t, name) }
		w := newWeights(n, scaledPrior{})
		x := h.Encode(rapid.StringMatching(`[a-z ]{0,150}`).Draw(t, "text"))
		w.retain(x)
		delta, scale := numbers("delta", n), number.Draw(t, "scale")
		w.addTerms(x.Terms, scale, delta)
		l := w.current()
		row := make([]float32, n)
		var want []float32
		sum, at := make([]float32, n), make([]float32, n)
		for _, term := range x.Terms {
			clear(row)
			axpyGo(scale*term.Units(), delta, row)
			l.sumTerms([]vector.Term{term}, at)
			axpyGo(term.Units(), row, sum)
		}
		same(t, "terms one by one", at, sum)
		clear(at)
		l.sumTerms(x.Terms, at)
		same(t, "terms", at, sum)

		// Terms without a row, and those whose row is younger than the view.
		young := h.Encode(rapid.StringMatching(`[a-z ]{0,30}`).Draw(t, "young"))
		w.retain(young)
		mixed := rapid.Permutation(slices.Concat(x.Terms, young.Terms, h.Encode("0123456789").Terms)).Draw(t, "mixed")
		clear(sum)
		l.sumTermsGo(mixed, sum)
		clear(at)
		l.sumTerms(mixed, at)
		same(t, "mixed terms", at, sum)

		dims := rapid.IntRange(0, 9).Draw(t, "dims")
		d, rows, dst := numbers("x", dims), numbers("rows", dims*n), numbers("dst", n)
		want = append(want, dst...)
		for j, v := range d {
			axpyGo(v, rows[j*n:(j+1)*n], want)
		}
		addRows(append(d, 3), rows, dst) // more numbers than rows
		same(t, "rows", dst, want)

		want = append([]float32(nil), rows...)
		for j, v := range d {
			axpyGo(scale*v, delta, want[j*n:(j+1)*n])
		}
		addToRows(scale, d, delta, rows)
		same(t, "to rows", rows, want)
	})
}
