//go:build !amd64

package static

// sum adds the vectors of up to block pieces to s.total.
func (e *Encoder) sum(s *scratch, ids []int32) { e.sumGo(s, ids) }
