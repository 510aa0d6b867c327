//go:build !amd64

package static

// sumRows adds the vectors of up to block pieces to s.total.
func (e *Encoder) sumRows(s *scratch, ids []int32) { e.sumGo(s, ids) }
