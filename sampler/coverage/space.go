package coverage

import (
	"context"
	"maps"
	"math"

	"github.com/hone-ml/hone/internal/parallel"
)

// Point is one text: an id and the direction of its vector, of any length above 0. All points of
// a Space have vectors of one dimension.
type Point struct {
	ID     int64
	Vector []float32
}

// levels is the number of values that a cosine is rounded to, from -1 to 1.
const levels = 1 << 12

// Space holds a sample of a pool with the cosines of all its pairs and to all labelled points. A
// sample of n points takes 2n² bytes, a labelled point 2n, and each of both 4 bytes a dimension.
// The zero value is an empty one. One goroutine uses it.
type Space struct {
	at      map[int64]int // slot of each point of the sample
	ids     []int64       // by slot
	vectors [][]float32   // by slot, of length 1
	cosines []uint16      // level of each pair of slots, stride a row
	stride  int
	nearest []uint16    // by slot: the level of the nearest labelled point, 0 without any
	closest []uint16    // by slot: the level of the nearest other point of the sample, 0 without any
	pairs   [levels]int // by level: the pairs of the sample

	labelled map[int64]labelledPoint
}

// labelledPoint is a point that somebody labelled.
type labelledPoint struct {
	vector  []float32 // of length 1
	cosines []uint16  // levels, by slot of the sample, stride long
}

// Len returns the number of points in the sample.
func (s *Space) Len() int { return len(s.ids) }

// Bytes returns about how much memory it takes.
func (s *Space) Bytes() int {
	const entry = 64 // of a map
	out := 2*len(s.cosines) + len(s.ids)*(entry+8+4)
	for _, v := range s.vectors {
		out += 4 * len(v)
	}
	for _, p := range s.labelled {
		out += entry + 4*len(p.vector) + 2*cap(p.cosines)
	}
	return out
}

// Has reports whether a point is in the sample.
func (s *Space) Has(id int64) bool {
	_, ok := s.at[id]
	return ok
}

// HasLabelled reports whether a labelled point covers.
func (s *Space) HasLabelled(id int64) bool {
	_, ok := s.labelled[id]
	return ok
}

// Labelled returns the number of labelled points.
func (s *Space) Labelled() int { return len(s.labelled) }

// Update makes the sample exactly the points that keep holds true of and those that are added,
// which are not in it yet. The cosines of what stays are not computed again. The error is the
// context's; the space is then empty.
func (s *Space) Update(ctx context.Context, keep func(id int64) bool, added []Point) error {
	for slot := len(s.ids) - 1; slot >= 0; slot-- {
		if !keep(s.ids[slot]) {
			s.remove(slot)
		}
	}
	first := len(s.ids)
	s.grow(first + len(added))
	for _, p := range added {
		s.at[p.ID] = len(s.ids)
		s.ids = append(s.ids, p.ID)
		s.vectors = append(s.vectors, unit(p.Vector))
		s.nearest, s.closest = append(s.nearest, 0), append(s.closest, 0)
	}
	err := parallel.ForEachChunk(ctx, len(added), func(_, from, to int) {
		for slot := first + from; slot < first+to; slot++ {
			row := s.row(slot)
			for other := range slot + 1 {
				row[other] = level(dot(s.vectors[slot], s.vectors[other]))
			}
			for _, p := range s.labelled {
				p.cosines[slot] = level(dot(s.vectors[slot], p.vector))
				s.nearest[slot] = max(s.nearest[slot], p.cosines[slot])
			}
		}
	})
	if err != nil {
		*s = Space{}
		return err
	}
	for slot := first; slot < len(s.ids); slot++ {
		for other, c := range s.row(slot)[:slot] {
			s.cosines[other*s.stride+slot] = c
			s.pairs[c]++
			s.closest[slot], s.closest[other] = max(s.closest[slot], c), max(s.closest[other], c)
		}
	}
	return nil
}

// Label adds labelled points, which cover. They are not in the labelled ones yet.
func (s *Space) Label(points []Point) {
	if s.labelled == nil {
		s.labelled = map[int64]labelledPoint{}
	}
	for _, p := range points {
		l := labelledPoint{vector: unit(p.Vector), cosines: make([]uint16, s.stride)}
		s.labelled[p.ID] = l
		for slot, x := range s.vectors {
			l.cosines[slot] = level(dot(x, l.vector))
			s.nearest[slot] = max(s.nearest[slot], l.cosines[slot])
		}
	}
}

// Unlabel removes labelled points that keep is false of.
func (s *Space) Unlabel(keep func(id int64) bool) {
	before := len(s.labelled)
	maps.DeleteFunc(s.labelled, func(id int64, _ labelledPoint) bool { return !keep(id) })
	if len(s.labelled) == before {
		return
	}
	for slot := range s.nearest {
		s.nearest[slot] = 0
		for _, p := range s.labelled {
			s.nearest[slot] = max(s.nearest[slot], p.cosines[slot])
		}
	}
}

// row returns the levels of the cosines of a slot, by slot.
func (s *Space) row(slot int) []uint16 { return s.cosines[slot*s.stride:][:s.stride] }

// remove moves the last slot to a slot that is given up.
func (s *Space) remove(slot int) {
	last := len(s.ids) - 1
	delete(s.at, s.ids[slot])
	for other, l := range s.row(slot)[:last+1] {
		if other == slot {
			continue
		}
		s.pairs[l]--
		if l == s.closest[other] {
			s.closest[other] = s.closestBut(other, slot)
		}
	}
	if slot != last {
		s.ids[slot], s.vectors[slot], s.nearest[slot], s.closest[slot] = s.ids[last], s.vectors[last], s.nearest[last], s.closest[last]
		s.at[s.ids[slot]] = slot
		copy(s.row(slot)[:last], s.row(last)[:last])
		s.row(slot)[slot] = s.row(last)[last]
		for other := range last {
			s.cosines[other*s.stride+slot] = s.cosines[slot*s.stride+other]
		}
		for _, p := range s.labelled {
			p.cosines[slot] = p.cosines[last]
		}
	}
	s.vectors[last] = nil
	s.ids, s.vectors, s.nearest, s.closest = s.ids[:last], s.vectors[:last], s.nearest[:last], s.closest[:last]
}

// closestBut returns the level of the point of the sample that is nearest to a slot, but for one that is as near as
// any. Another one that is as near ends the search, as most do where there are many copies of a text.
func (s *Space) closestBut(slot, but int) (level uint16) {
	for other, l := range s.row(slot)[:len(s.ids)] {
		if other == slot || other == but {
			continue
		}
		if level = max(level, l); level == s.closest[slot] {
			break
		}
	}
	return level
}

// grow makes room for n points.
func (s *Space) grow(n int) {
	if s.at == nil {
		s.at = map[int64]int{}
	}
	if n <= s.stride {
		return
	}
	wider := make([]uint16, n*n)
	for slot := range s.ids {
		copy(wider[slot*n:], s.row(slot)[:len(s.ids)])
	}
	s.cosines, s.stride = wider, n
	for id, p := range s.labelled {
		p.cosines = append(make([]uint16, 0, n), p.cosines...)[:n]
		s.labelled[id] = p
	}
}

// level rounds a cosine.
func level(cosine float32) uint16 {
	x := (cosine + 1) * ((levels - 1) / 2.0)
	return uint16(min(max(x+0.5, 0), levels-1))
}

// cosineOf returns the cosine that a level stands for.
func cosineOf(level uint16) float64 { return float64(level)/((levels-1)/2.0) - 1 }

// unit returns a vector of length 1 with the direction of x, zeros for one without.
func unit(x []float32) []float32 {
	var squares float64
	for _, v := range x {
		squares += float64(v) * float64(v)
	}
	out := make([]float32, len(x))
	if squares == 0 {
		return out
	}
	scale := float32(1 / math.Sqrt(squares))
	for i, v := range x {
		out[i] = v * scale
	}
	return out
}

// dot returns the inner product of two vectors of one length. Four sums run side by side.
func dot(a, b []float32) float32 {
	b = b[:len(a)]
	var s0, s1, s2, s3 float32
	i := 0
	for ; i+3 < len(a); i += 4 {
		// The conversions forbid a fused, so differently rounded, addition.
		s0 += float32(a[i] * b[i])
		s1 += float32(a[i+1] * b[i+1])
		s2 += float32(a[i+2] * b[i+2])
		s3 += float32(a[i+3] * b[i+3])
	}
	for ; i < len(a); i++ {
		s0 += float32(a[i] * b[i])
	}
	return (s0 + s1) + (s2 + s3)
}
