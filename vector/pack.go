package vector

import (
	"encoding/binary"
	"fmt"
	"math"
	"slices"
)

const (
	packVersion   = 1
	tokensVersion = 2
	partsVersion  = 3

	// maxDim bounds the dimension, so that damaged bytes cannot ask for all memory.
	maxDim = 1 << 16
)

// Pack returns a version byte and the direction of a vector, one byte for each number. The cosine
// to the original is above 0.9999 unless a few numbers are far larger than all others. A vector
// without numbers, or of zeros, has only the version. The error is that of NaN or infinite
// numbers.
func Pack(x []float32) ([]byte, error) {
	b, err := packRow(append(make([]byte, 0, 1+len(x)), packVersion), x)
	if err == nil && !slices.ContainsFunc(b[1:], func(c byte) bool { return c != 0 }) {
		b = b[:1]
	}
	return b, err
}

// PackParts packs a vector of several parts of equal length, which stand one after the other: a
// version byte, the number of parts, and each part as in Pack. A vector of one part is packed by
// Pack. The errors are those of Pack, and that of a length that is not a multiple of parts.
func PackParts(x []float32, parts int) ([]byte, error) {
	if parts == 1 || len(x) == 0 {
		return Pack(x)
	}
	if parts < 1 || parts > math.MaxInt8 || len(x)%parts != 0 {
		return nil, fmt.Errorf("a vector of %d numbers has no %d parts of equal length", len(x), parts)
	}
	b := append(make([]byte, 0, 2+len(x)), partsVersion, byte(parts))
	var err error
	for part := range slices.Chunk(x, len(x)/parts) {
		if b, err = packRow(b, part); err != nil {
			return nil, err
		}
	}
	return b, nil
}

// UnpackParts returns the parts of a vector that PackParts or Pack returned, each of length 1, or
// nil when it has no numbers. There are as many as were packed, none when the vector has no
// numbers at all. ok is false for other bytes.
func UnpackParts(b []byte) (parts [][]float32, ok bool) {
	if n, rows, ok := partsOf(b); ok {
		parts = make([][]float32, n)
		memory := make([]float32, len(rows))
		dim := len(rows) / n
		for i := range parts {
			if x := memory[i*dim:][:dim:dim]; unpackRow(x, rows[i*dim:][:dim]) {
				parts[i] = x
			}
		}
		return parts, true
	}
	x, ok := Unpack(b)
	if x != nil {
		parts = [][]float32{x}
	}
	return parts, ok
}

// partsOf splits what PackParts returned for several parts into their number and the rows.
func partsOf(b []byte) (n int, rows []byte, ok bool) {
	if len(b) < 3 || b[0] != partsVersion {
		return 0, nil, false
	}
	n, rows = int(b[1]), b[2:]
	return n, rows, n > 1 && len(rows)%n == 0
}

// packRow appends the direction of a vector, one byte for each number.
func packRow(b []byte, x []float32) ([]byte, error) {
	var most float64
	for i, f := range x {
		if math.IsNaN(float64(f)) || math.IsInf(float64(f), 0) {
			return nil, fmt.Errorf("number %d of a vector is %v", i, f)
		}
		most = max(most, math.Abs(float64(f)))
	}
	for _, f := range x {
		v := 0.0
		if most > 0 {
			v = math.Round(float64(f) / most * math.MaxInt8)
		}
		b = append(b, byte(int8(v)))
	}
	return b, nil
}

// PackTokens packs the vectors of a text's tokens, of which some may be nil: a version byte, the
// dimension, and a row for each token as in Pack. The errors are those of Pack, and that of
// vectors of different dimensions.
func PackTokens(xs [][]float32) ([]byte, error) {
	dim := 0
	for _, x := range xs {
		if dim == 0 {
			dim = len(x)
		}
		if n := len(x); n != 0 && n != dim {
			return nil, fmt.Errorf("a token has a vector of %d numbers, another of %d", n, dim)
		}
	}
	b := append(make([]byte, 0, 1+binary.MaxVarintLen32+dim*len(xs)), tokensVersion)
	b = binary.AppendUvarint(b, uint64(dim))
	none := make([]float32, dim)
	var err error
	for i := 0; i < len(xs) && err == nil; i++ {
		x := xs[i]
		if len(x) == 0 {
			x = none
		}
		b, err = packRow(b, x)
	}
	return b, err
}

// UnpackTokens returns the vectors of n tokens, each of length 1 or nil. ok is false for bytes
// that PackTokens did not return for n tokens.
func UnpackTokens(b []byte, n int) (xs [][]float32, ok bool) {
	dim, b, ok := rowsOf(b)
	if !ok || dim > 0 && len(b) != n*dim {
		return nil, false
	}
	xs = make([][]float32, n)
	memory := make([]float32, len(b))
	for i := 0; len(b) > 0; i++ {
		if x := memory[i*dim:][:dim:dim]; unpackRow(x, b[:dim]) {
			xs[i] = x
		}
		b = b[dim:]
	}
	return xs, true
}

// rowsOf splits what PackTokens returned into the dimension, 0 when no token has a vector, and the
// rows.
func rowsOf(b []byte) (dim int, rows []byte, ok bool) {
	if len(b) == 0 || b[0] != tokensVersion {
		return 0, nil, false
	}
	d, n := binary.Uvarint(b[1:])
	if n <= 0 || d > maxDim {
		return 0, nil, false
	}
	dim, rows = int(d), b[1+n:]
	if dim == 0 {
		return 0, nil, len(rows) == 0
	}
	return dim, rows, len(rows)%dim == 0
}

// PackedKind says which function packed a vector.
type PackedKind int

// PackedText is packed by Pack or PackParts, PackedTokens by PackTokens. PackedKinds is the number of kinds.
const (
	PackedText PackedKind = iota
	PackedTokens
	PackedKinds
)

// PackedAs returns the kind of packed bytes and the dimension of the vectors, 0 when there are no
// numbers. ok is false for bytes that none of them returned.
func PackedAs(b []byte) (kind PackedKind, dim int, ok bool) {
	if len(b) > 0 && b[0] == packVersion {
		return PackedText, len(b) - 1, true
	}
	if _, rows, ok := partsOf(b); ok {
		return PackedText, len(rows), true
	}
	dim, _, ok = rowsOf(b)
	return PackedTokens, dim, ok
}

// Unpack returns a vector of length 1, or nil when it has no numbers. ok is false for bytes that
// Pack did not return.
func Unpack(b []byte) (x []float32, ok bool) {
	if len(b) == 0 || b[0] != packVersion {
		return nil, false
	}
	x = make([]float32, len(b)-1)
	if !unpackRow(x, b[1:]) {
		return nil, true
	}
	return x, true
}

// unpackRow fills x with the vector at length 1. It returns false when all numbers are 0.
func unpackRow(x []float32, b []byte) bool {
	var squares int64
	for _, c := range b {
		squares += int64(int8(c)) * int64(int8(c))
	}
	if squares == 0 {
		return false
	}
	scale := 1 / math.Sqrt(float64(squares))
	for i, c := range b {
		x[i] = float32(float64(int8(c)) * scale)
	}
	return true
}
