// Package kernelstest has the kernels computed in Go, for tests.
package kernelstest

import "github.com/hone-ml/hone/encode/text/internal/kernels"

// WithoutAssembly calls f while all products and rows are computed in Go. Nothing else must use the
// kernels meanwhile. It reports whether that is another way than usual.
func WithoutAssembly(f func()) bool {
	had := kernels.HasAVX2FMA
	defer func() { kernels.HasAVX2FMA = had }()
	kernels.HasAVX2FMA = false
	f()
	return had
}
