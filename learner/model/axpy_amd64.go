package model

import "golang.org/x/sys/cpu"

var hasAVX = cpu.X86.HasAVX

// axpyAVX adds a times x to y, n numbers.
//
//go:noescape
func axpyAVX(a float32, x, y *float32, n int)

// axpy adds a times x to y, which is at least as long. Half the time of learning
// and of predicting with many classes is spent here.
func axpy(a float32, x, y []float32) {
	if len(x) < leastAVX || !hasAVX {
		axpyGo(a, x, y)
		return
	}
	y = y[:len(x)]
	axpyAVX(a, &x[0], &y[0], len(x))
}
