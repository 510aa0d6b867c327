package vector_test

import (
	"testing"

	"pgregory.net/rapid"

	"github.com/hone-ml/hone/encode/text/ngram"
	"github.com/hone-ml/hone/vector"
)

func TestDifferenceIsTheNegativeOfItsSwap(t *testing.T) {
	h := ngram.New()
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.SampledFrom([]string{"", "one", "one two", "three four five", "四 五"})
		dense := rapid.SliceOfN(rapid.Float32Range(-0.5, 0.5), 0, 2)
		a, b := h.Encode(text.Draw(t, "a")), h.Encode(text.Draw(t, "b"))
		a.Dense, b.Dense = [][]float32{dense.Draw(t, "da")}, [][]float32{dense.Draw(t, "db")}
		x, y := vector.Difference(a, b), vector.Difference(b, a)
		if len(x.Terms) != len(y.Terms) || x.Scale != y.Scale || x.Norm2 != y.Norm2 || len(x.Dense) != len(y.Dense) {
			t.Fatalf("%+v and %+v", x, y)
		}
		var norm2 float32
		for i, tx := range x.Terms {
			if ty := y.Terms[i]; tx.Bucket() != ty.Bucket() || tx.Units() != -ty.Units() {
				t.Fatalf("term %d: %v and %v", i, tx, ty)
			}
			norm2 += x.Scale * x.Scale * tx.Units() * tx.Units()
		}
		if d := norm2 - x.Norm2; d > 1e-4 || d < -1e-4 || norm2 > 1.0001 {
			t.Fatalf("length² %g, said %g", norm2, x.Norm2)
		}
		for part := range x.Dense {
			if len(x.Dense[part]) != len(y.Dense[part]) {
				t.Fatal("a part of one only")
			}
			for j := range x.Dense[part] {
				if x.Dense[part][j] != -y.Dense[part][j] {
					t.Fatalf("%v and %v", x.Dense, y.Dense)
				}
			}
		}
		if same := vector.Difference(a, a); !same.Empty() {
			t.Fatalf("of equal texts %+v", same)
		}
	})
	a, b := h.Encode("alpha beta"), h.Encode("alpha gamma")
	d := vector.Difference(a, b)
	shared := map[uint32]bool{}
	for _, t := range h.Encode("alpha").Terms {
		shared[t.Bucket()] = true
	}
	for _, term := range d.Terms {
		if v := d.Scale * term.Units(); shared[term.Bucket()] && (v > 0.01 || v < -0.01) {
			t.Errorf("what the texts share counts %g", v)
		}
	}
}
