package model

// leastAVX is the length from which on axpyAVX is faster than axpyGo.
const leastAVX = 8

// axpyGo is axpy without assembly.
func axpyGo(a float32, x, y []float32) {
	y = y[:len(x)]
	for i, v := range x {
		// The conversion keeps the compiler from fusing the two, which would round
		// differently from machine to machine.
		y[i] += float32(a * v)
	}
}
