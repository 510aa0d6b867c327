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
