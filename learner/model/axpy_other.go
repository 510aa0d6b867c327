//go:build !amd64

package model

// axpy adds a times x to y, which is at least as long.
func axpy(a float32, x, y []float32) { axpyGo(a, x, y) }
