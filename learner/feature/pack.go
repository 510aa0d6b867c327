package feature

import (
	"fmt"
	"math"
)

const packVersion = 1

// Pack is a vector's direction in a byte a number, behind a version: its cosine
// to the original is above 0.9999 unless few numbers stand out by far. A vector
// without numbers, or of zeros, has nothing but the version. The error is about
// numbers that are none.
func Pack(x []float32) ([]byte, error) {
	var most float64
	for i, f := range x {
		if math.IsNaN(float64(f)) || math.IsInf(float64(f), 0) {
			return nil, fmt.Errorf("number %d of a vector is %v", i, f)
		}
		most = max(most, math.Abs(float64(f)))
	}
	b := append(make([]byte, 0, 1+len(x)), packVersion)
	if most == 0 {
		return b, nil
	}
	for _, f := range x {
		b = append(b, byte(int8(math.Round(float64(f)/most*math.MaxInt8))))
	}
	return b, nil
}

// Unpack gives a vector of length 1, or nil when it has no numbers; ok is false
// for what Pack did not make.
func Unpack(b []byte) (x []float32, ok bool) {
	if len(b) == 0 || b[0] != packVersion {
		return nil, false
	}
	var squares int64
	for _, c := range b[1:] {
		squares += int64(int8(c)) * int64(int8(c))
	}
	if squares == 0 {
		return nil, true
	}
	scale := 1 / math.Sqrt(float64(squares))
	x = make([]float32, len(b)-1)
	for i, c := range b[1:] {
		x[i] = float32(float64(int8(c)) * scale)
	}
	return x, true
}
