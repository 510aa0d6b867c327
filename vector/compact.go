package vector

import (
	"math"
	"slices"
)

// A packed vector is a list of numbers of 16 bits: how many are of terms (two
// numbers, the lower half first), how many dense parts there are, for each part its
// length and its scale (a float32, the lower half first), then the terms, then the
// parts' numbers.
//
// Terms are sorted by value and bucket. Each value has its units, a count, and the
// gaps from bucket to bucket; a gap of escape has another that is added to it.
const (
	packedHead = 3
	packedPart = 3
	escape     = math.MaxUint16
)

// Compact returns the vector in about half the memory, for examples: one of 40 words has 500
// terms, and most terms have one of four values. Terms keep their values, in another order.
// Numbers of a dense part become multiples of 1/32767 of its largest, which changes no cosine
// by more than 1e-8. Tokens stay as they are.
func (v Vector) Compact() Vector {
	if v.Packed != nil || len(v.Terms) == 0 && len(v.Dense) == 0 || len(v.Dense) > math.MaxUint16 {
		return v
	}
	p := make([]uint16, packedHead, packedHead+len(v.Dense)*packedPart+len(v.Terms)*5/4+64)
	p[2] = uint16(len(v.Dense))
	for _, d := range v.Dense {
		if len(d) > math.MaxUint16 {
			return v
		}
		scale := math.Float32bits(maxAbs(d) / math.MaxInt16)
		p = append(p, uint16(len(d)), uint16(scale), uint16(scale>>16))
	}
	terms := len(p)
	p = packTerms(p, v.Terms)
	p[0], p[1] = uint16(len(p)-terms), uint16((len(p)-terms)>>16)
	for _, d := range v.Dense {
		per := 0.0
		if most := maxAbs(d); most > 0 {
			per = math.MaxInt16 / float64(most)
		}
		for _, x := range d {
			p = append(p, uint16(int16(Round(float64(x)*per))))
		}
	}
	v.Terms, v.Dense, v.Packed = nil, nil, append(make([]uint16, 0, len(p)), p...)
	return v
}

// maxAbs returns the largest absolute value.
func maxAbs(d []float32) float32 {
	var most float32
	for _, x := range d {
		most = max(most, x, -x)
	}
	return most
}

func packTerms(p []uint16, terms []Term) []uint16 {
	turned := make([]uint32, len(terms)) // the units above the bucket
	for i, t := range terms {
		turned[i] = uint32(t)<<Bits | uint32(t)>>valueBits
	}
	slices.Sort(turned)
	for len(turned) > 0 {
		units, n := turned[0]>>Bits, 0
		for n < len(turned) && n < math.MaxUint16 && turned[n]>>Bits == units {
			n++
		}
		p = append(p, uint16(units), uint16(n))
		last := uint32(0)
		for _, t := range turned[:n] {
			bucket := t & (Buckets - 1)
			gap := bucket - last
			for ; gap >= escape; gap -= escape {
				p = append(p, escape)
			}
			p = append(p, uint16(gap))
			last = bucket
		}
		turned = turned[n:]
	}
	return p
}

// Buffer is memory for one expanded vector at a time.
type Buffer struct {
	terms   []Term
	numbers []float32
	dense   [][]float32
}

// Expand returns a compact vector with its terms and dense parts, which are valid until r is used
// again. It returns any other vector as it is.
func (v Vector) Expand(r *Buffer) Vector {
	if v.Packed == nil {
		return v
	}
	terms, parts := int(v.Packed[0])|int(v.Packed[1])<<16, int(v.Packed[2])
	heads := v.Packed[packedHead:][:packedPart*parts]
	p := v.Packed[packedHead+packedPart*parts:]
	r.unpackTerms(p[:terms])
	p = p[terms:]
	r.numbers = slices.Grow(r.numbers[:0], len(p))[:len(p)]
	numbers := r.numbers
	r.dense = r.dense[:0]
	for ; len(heads) > 0; heads = heads[packedPart:] {
		n, scale := int(heads[0]), math.Float32frombits(uint32(heads[1])|uint32(heads[2])<<16)
		if n == 0 {
			r.dense = append(r.dense, nil)
			continue
		}
		d := numbers[:n:n]
		for i, x := range p[:n] {
			d[i] = scale * float32(int16(x))
		}
		r.dense = append(r.dense, d)
		p, numbers = p[n:], numbers[n:]
	}
	v.Terms, v.Dense, v.Packed = r.terms, r.dense, nil
	return v
}

func (r *Buffer) unpackTerms(p []uint16) {
	// There are fewer terms than numbers.
	dst := slices.Grow(r.terms[:0], len(p))[:len(p)]
	at := 0
	for len(p) > 0 {
		units, n := uint32(p[0])&(1<<valueBits-1), int(p[1])
		p = p[2:]
		bucket, i := uint32(0), 0
		for end := at + n; at < end; i++ {
			bucket += uint32(p[i])
			dst[at] = Term(bucket<<valueBits | units)
			if p[i] != escape {
				at++
			}
		}
		p = p[i:]
	}
	r.terms = dst[:at]
}

// Parts returns the number of dense parts, also of a compact vector.
func (v Vector) Parts() int {
	if v.Packed != nil {
		return int(v.Packed[2])
	}
	return len(v.Dense)
}

// HasPart reports whether a dense part, below Parts, has numbers.
func (v Vector) HasPart(part int) bool {
	if v.Packed != nil {
		return v.Packed[packedHead+packedPart*part] > 0
	}
	return len(v.Dense[part]) > 0
}
