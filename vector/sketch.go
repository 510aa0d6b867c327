package vector

import (
	"encoding/binary"
	"math"
)

// A sketch is the number of dense parts, and for each part its length (2 bytes), its scale (a
// float32) and its numbers, two a byte, the first in the lower half. A number is a whole multiple
// of the scale, from -7 to 7, plus 8.
const (
	sketchHead = 1
	sketchPart = 6
	sketchMost = 7
	// MaxSketch is the largest length of a sketch, in bytes.
	MaxSketch = 1000
)

// Sketch returns the dense parts of a vector in four bits a number (scalar quantisation), to rank
// many vectors by that need not be exact: the cosine to the original is about 0.99. Terms and
// tokens are left out. Where it would be longer than MaxSketch the first parts are left out too.
// It is nil when there are no numbers.
func (v Vector) Sketch(r *Buffer) []byte {
	dense := v.Expand(r).Dense
	size, first := sketchHead, len(dense)
	for first > 0 && size+sketchPart+(len(dense[first-1])+1)/2+(first-1)*sketchPart <= MaxSketch {
		first--
		size += sketchPart + (len(dense[first])+1)/2
	}
	if size += first * sketchPart; size > MaxSketch || len(dense) > math.MaxUint8 || !hasNumbers(dense[first:]) {
		return nil
	}
	b := append(make([]byte, 0, size), byte(len(dense)))
	for i, d := range dense {
		if i < first {
			d = nil
		}
		b = appendSketch(b, d)
	}
	return b
}

func hasNumbers(dense [][]float32) bool {
	for _, d := range dense {
		if len(d) > 0 {
			return true
		}
	}
	return false
}

func appendSketch(b []byte, d []float32) []byte {
	b = binary.LittleEndian.AppendUint16(b, uint16(len(d)))
	at := len(b)
	b = append(b, 0, 0, 0, 0)
	per := float32(0)
	if most := maxAbs(d); most > 0 {
		per = sketchMost / most
	}
	var along, squares float64 // the scale is that of the least squared difference
	for i := 0; i < len(d); i += 2 {
		pair := byte(0)
		for j, x := range d[i:min(i+2, len(d))] {
			n := math.Round(float64(x * per))
			along += n * float64(x)
			squares += n * n
			pair |= byte(int8(n)+8) << (4 * j)
		}
		b = append(b, pair)
	}
	if squares > 0 {
		binary.LittleEndian.PutUint32(b[at:], math.Float32bits(float32(along/squares)))
	}
	return b
}

// ExpandSketch returns a vector of the dense parts in a sketch, without terms. It is valid until r
// is used again. ok is false for bytes that Sketch does not return.
func ExpandSketch(b []byte, r *Buffer) (v Vector, ok bool) {
	if len(b) < sketchHead {
		return Vector{}, false
	}
	parts, b := int(b[0]), b[sketchHead:]
	r.numbers, r.dense = r.numbers[:0], r.dense[:0]
	if need := 2 * len(b); cap(r.numbers) < need { // no part moves when the next is appended
		r.numbers = make([]float32, 0, need)
	}
	for range parts {
		if len(b) < sketchPart {
			return Vector{}, false
		}
		n := int(binary.LittleEndian.Uint16(b))
		scale := math.Float32frombits(binary.LittleEndian.Uint32(b[2:]))
		b = b[sketchPart:]
		if len(b) < (n+1)/2 {
			return Vector{}, false
		}
		if n == 0 {
			r.dense = append(r.dense, nil)
			continue
		}
		var values [16]float32
		for i := range values {
			values[i] = float32(i-8) * scale
		}
		at := len(r.numbers)
		r.numbers = r.numbers[:at+(n+1)/2*2]
		out := r.numbers[at:]
		for i, pair := range b[:(n+1)/2] {
			out[2*i], out[2*i+1] = values[pair&15], values[pair>>4]
		}
		r.numbers = r.numbers[:at+n]
		r.dense = append(r.dense, r.numbers[at:at+n:at+n])
		b = b[(n+1)/2:]
	}
	return Vector{Dense: r.dense}, len(b) == 0
}
