package coverage

import (
	"cmp"
	"slices"
)

// duplicates is how many times nearer than two points on the mean near-duplicates are. At a twentieth
// the farthest pairs of three public sets differ in a number, a name or a word.
const duplicates = 20

// near returns the level from which on two points of the sample are near-duplicates.
func (s *Space) near() uint16 {
	all, sum := 0, 0
	for l, n := range s.pairs {
		all += n
		sum += n * (levels - 1 - l)
	}
	// By the mean, as the median is 0 where most points are copies of one.
	return uint16(levels - 1 - sum/(max(1, all)*duplicates))
}

// distinct returns one of each group of near-duplicates among points of the sample: in the order of
// order, those of picked first, each point that is a near-duplicate of none before it.
func (s *Space) distinct(of, picked []int64, order func(id int64) uint64) []int64 {
	type ordered struct {
		id     int64
		slot   int
		picked bool
		order  uint64
	}
	points := make([]ordered, 0, len(of))
	for _, id := range of {
		if slot, ok := s.at[id]; ok {
			points = append(points, ordered{id, slot, slices.Contains(picked, id), order(id)})
		}
	}
	slices.SortFunc(points, func(a, b ordered) int {
		if a.picked != b.picked {
			if a.picked {
				return -1
			}
			return 1
		}
		return cmp.Or(cmp.Compare(a.order, b.order), cmp.Compare(a.id, b.id))
	})
	near := s.near()
	copies := make([]bool, len(s.ids)) // by slot: of one that is in out
	out := make([]int64, 0, len(points))
	for _, p := range points {
		if copies[p.slot] && !p.picked {
			continue
		}
		out = append(out, p.id)
		if s.closest[p.slot] < near {
			continue
		}
		for other, l := range s.row(p.slot)[:len(s.ids)] {
			if l >= near {
				copies[other] = true
			}
		}
	}
	return out
}

// width returns the width of the kernel: a quarter of the median of 1-cosine over the pairs of
// distinct points. Half of the pairs are so far apart that the kernel is below exp(-4). A part that
// all vectors share makes all cosines nearer to 1 and changes nothing.
func (s *Space) width(distinct []int64) float64 {
	left := s.pairs
	is := make([]bool, len(s.ids)) // by slot: distinct
	for _, id := range distinct {
		is[s.at[id]] = true
	}
	for slot := range s.ids {
		if is[slot] {
			continue
		}
		for other, l := range s.row(slot)[:len(s.ids)] {
			if other < slot || is[other] { // each pair once
				left[l&(levels-1)]--
			}
		}
	}
	return max((1-cosineOf(medianOf(&left)))/widths, leastWidth)
}
