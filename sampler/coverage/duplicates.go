package coverage

import "slices"

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

// distinct returns one of each group of near-duplicates among points, in their order: those of picked,
// and each other one that is a near-duplicate of none of these and of none before it.
func (s *Space) distinct(points []clustered, picked []int64) []clustered {
	near := s.near()
	copies := make([]bool, len(s.ids)) // by slot: of one that is kept
	keep := func(slot int) {
		if s.closest[slot] < near {
			return
		}
		for other, l := range s.row(slot)[:len(s.ids)] {
			if l >= near {
				copies[other] = true
			}
		}
	}
	for _, id := range picked {
		if slot, ok := s.at[id]; ok {
			keep(slot)
		}
	}
	out := make([]clustered, 0, len(points))
	for _, p := range points {
		switch {
		case slices.Contains(picked, p.id):
			out = append(out, p)
		case !copies[p.slot]:
			keep(p.slot)
			out = append(out, p)
		}
	}
	return out
}

// width returns the width of the kernel: a quarter of the median of 1-cosine over the pairs of
// distinct points. Half of the pairs are so far apart that the kernel is below exp(-4). A part that
// all vectors share makes all cosines nearer to 1 and changes nothing.
func (s *Space) width(distinct []clustered) float64 {
	left := s.pairs
	is := make([]bool, len(s.ids)) // by slot: distinct
	for _, p := range distinct {
		is[p.slot] = true
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
