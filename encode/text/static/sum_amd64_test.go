package static

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"pgregory.net/rapid"
)

// The largest sums of a block must not overflow, nor any other differ.
func TestSumsAreTheSameWithAndWithoutAVX2(t *testing.T) {
	if !hasAVX2 {
		t.Skip("this processor has no AVX2")
	}
	const dim, pieces = 128, 5
	rapid.Check(t, func(t *rapid.T) {
		e := &Encoder{table: &vectorTable{dim: dim, rows: make([]byte, dim*pieces)}, factors: make([]uint32, pieces)}
		for i := range e.table.rows {
			e.table.rows[i] = rapid.SampledFrom([]byte{0, 1, 0x7f, 0x80, 0x81, 0xff, 40}).Draw(t, "number")
		}
		for i := range e.factors {
			e.factors[i] = rapid.SampledFrom([]uint32{0, 1, maxFactor, 40000}).Draw(t, "factor")
		}
		ids := rapid.SliceOfN(rapid.Int32Range(0, pieces-1), 0, maxBlockPieces).Draw(t, "ids")
		if rapid.Bool().Draw(t, "full") {
			ids = make([]int32, maxBlockPieces) // one piece, again and again
		}
		a := &scratch{sums: make([]uint64, dim/2), total: make([]int64, dim)}
		b := &scratch{sums: make([]uint64, dim/2), total: make([]int64, dim)}
		e.sumRows(a, ids)
		e.sumGo(b, ids)
		assert.Equal(t, b.total, a.total)
	})
}
