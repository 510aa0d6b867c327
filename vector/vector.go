package vector

import (
	"math"
	"slices"
)

const (
	// Bits is the size of the hashed space in bits.
	Bits = 18
	// Buckets is the number of hashed features.
	Buckets = 1 << Bits

	// MaxUnits is the largest value of a term, in multiples of Vector.Scale.
	MaxUnits = 1<<(valueBits-1) - 1

	valueBits = 32 - Bits
)

// Term is a hashed feature with its value, in 4 bytes: the bucket in the upper 18 bits, and in the
// lower 14 the value as a signed multiple of Vector.Scale. That is half the memory of an index
// and a float, and memory bounds the number of examples.
type Term uint32

// Bucket returns the number of the feature, below Buckets.
func (t Term) Bucket() uint32 { return uint32(t) >> valueBits }

// Units returns the value in multiples of Vector.Scale.
func (t Term) Units() float32 { return float32(int32(t) << Bits >> Bits) }

// NewTerm returns a term. bucket is below Buckets, and units from -MaxUnits to MaxUnits.
func NewTerm(bucket uint32, units int32) Term {
	return Term(bucket<<valueBits | uint32(units)&(1<<valueBits-1))
}

// Vector is the encoding of one text. It is immutable: any number of models, snapshots and caches
// may share it.
type Vector struct {
	// Terms are the hashed part, each bucket at most once, in no order. The length of this part
	// is 1, or 0 when the text has no features.
	Terms []Term
	// Scale is the size of one unit of a term.
	Scale float32
	// Norm2 is the squared length of the hashed part, with the rounding of the terms.
	Norm2 float32
	// Dense holds further parts (embeddings), each of length 1, or nil when the text has none.
	// The encoder defines their order.
	Dense [][]float32
	// Tokens holds the encodings of the text's tokens in order, for models that label tokens.
	// The parts above are then empty.
	Tokens []Vector
	// Packed holds the terms and dense parts of a vector made by Compact; Terms and
	// Dense are then empty.
	Packed []uint16
}

// Bytes returns the memory of the vector, for caches with a budget. A part that neighbouring
// tokens share counts once.
func (v Vector) Bytes() int {
	n := 4*cap(v.Terms) + 2*cap(v.Packed) + 64
	for _, d := range v.Dense {
		n += 4*cap(d) + 24
	}
	var before [][]float32
	for _, t := range v.Tokens {
		n += 4*len(t.Terms) + 24*len(t.Dense) + 104
		for _, d := range t.Dense {
			if len(d) > 0 && !sharesMemory(before, d) {
				n += 4 * len(d)
			}
		}
		before = t.Dense
	}
	return n
}

// sharesMemory reports whether one of parts is the same memory as d, which is not empty.
func sharesMemory(parts [][]float32, d []float32) bool {
	for _, p := range parts {
		if len(p) > 0 && &p[0] == &d[0] {
			return true
		}
	}
	return false
}

// TokenParts returns the largest number of dense parts among the tokens' vectors.
func (v Vector) TokenParts() int {
	parts := 0
	for _, t := range v.Tokens {
		parts = max(parts, len(t.Dense))
	}
	return parts
}

// HasTokenPart reports whether a token has numbers in a dense part.
func (v Vector) HasTokenPart(part int) bool {
	return slices.ContainsFunc(v.Tokens, func(t Vector) bool { return part < len(t.Dense) && len(t.Dense[part]) > 0 })
}

// Empty reports whether no part has numbers.
func (v Vector) Empty() bool {
	if len(v.Terms) > 0 || len(v.Packed) > 0 && v.Packed[0]|v.Packed[1] > 0 {
		return false
	}
	for part := range v.Parts() {
		if v.HasPart(part) {
			return false
		}
	}
	return len(v.Tokens) == 0
}

// quantize returns a vector of length 1 from buckets and their values, which run in parallel.
func quantize(buckets []uint32, values []float32) Vector {
	var biggest float32
	for _, v := range values {
		biggest = max(biggest, v, -v)
	}
	if biggest == 0 {
		return Vector{}
	}
	terms := make([]Term, 0, len(values))
	toUnits := MaxUnits / float64(biggest)
	var units2 int64
	for i, v := range values {
		u := Round(float64(v) * toUnits)
		if u == 0 {
			continue
		}
		units2 += int64(u) * int64(u)
		terms = append(terms, NewTerm(buckets[i], u))
	}
	return FromTerms(terms, units2)
}

// FromTerms returns a vector of length 1 from terms whose squared units sum to units2.
func FromTerms(terms []Term, units2 int64) Vector {
	scale := float32(1 / math.Sqrt(float64(units2)))
	return Vector{Terms: terms, Scale: scale, Norm2: float32(float64(units2) * float64(scale) * float64(scale))}
}

// Round returns math.Round of a number that is well within 32 bits.
func Round(x float64) int32 {
	n := int32(x)
	switch rest := x - float64(n); {
	case rest >= 0.5:
		n++
	case rest <= -0.5:
		n--
	}
	return n
}
