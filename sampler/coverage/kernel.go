package coverage

import "math"

const (
	// one is the value of the kernel of equal points.
	one = 1<<16 - 1
	// widths is how many widths of the kernel make half of a sample's distances.
	widths = 4.0
	// leastWidth keeps the kernel of a sample whose points are nearly all alike from being that
	// of rounding.
	leastWidth = 0.01
)

// kernel gives the value of the kernel for each level of a cosine, from 0 to one.
type kernel [levels]uint16

// newKernel returns exp(-(1-cosine)/width): of vectors of length 1 it is a Gaussian kernel.
func newKernel(width float64) *kernel {
	var k kernel
	for l := range k {
		k[l] = uint16(math.Round(one * math.Exp((cosineOf(uint16(l))-1)/width)))
	}
	return &k
}

// width returns the width of the kernel: a quarter of the median of 1-cosine over all pairs of
// the sample. Half of the pairs are so far apart that the kernel is below exp(-4). A part that
// all vectors share makes all cosines nearer to 1 and changes nothing.
func (s *Space) width() float64 {
	var count [levels]int
	n := len(s.ids)
	for slot := range n {
		for _, l := range s.row(slot)[:slot] {
			count[l]++
		}
	}
	return max((1-cosineOf(medianOf(&count)))/widths, leastWidth)
}

// medianOf returns the level that half of the counted ones do not exceed.
func medianOf(count *[levels]int) uint16 {
	all, below := 0, 0
	for _, n := range count {
		all += n
	}
	for l, n := range count {
		if below += n; 2*below >= all {
			return uint16(l)
		}
	}
	return levels - 1
}
