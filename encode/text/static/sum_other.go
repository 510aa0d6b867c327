//go:build !amd64

package static

// sumRows adds the vectors of up to maxBlockPieces pieces to s.total.
func (e *Encoder) sumRows(s *scratch, ids []int32) { e.sumGo(s, ids) }
