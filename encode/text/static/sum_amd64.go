package static

import "golang.org/x/sys/cpu"

// sumLanes is how many numbers sumAVX2 takes at a time.
const sumLanes = 64

var hasAVX2 = cpu.X86.HasAVX2

// sumAVX2 writes the sum of n rows of dim numbers, each row times its factor.
//
//go:noescape
func sumAVX2(sums *int32, rows *byte, dim int, ids *int32, factors *uint32, n int)

// sumRows adds the vectors of up to maxBlockPieces pieces to s.total. Sums of integers are
// the same in any order.
func (e *Encoder) sumRows(s *scratch, ids []int32) {
	dim := e.table.dim
	if !hasAVX2 || dim%sumLanes != 0 || len(ids) == 0 {
		e.sumGo(s, ids)
		return
	}
	if s.narrow == nil {
		s.narrow = make([]int32, dim)
	}
	sumAVX2(&s.narrow[0], &e.table.rows[0], dim, &ids[0], &e.factors[0], len(ids))
	for i, v := range s.narrow {
		s.total[i] += int64(v)
	}
}
