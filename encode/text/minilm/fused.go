//go:build !(arm64 || loong64 || ppc64le || riscv64 || s390x)

package minilm

// fused is a*b + c, rounded once.
func fused(a, b, c float32) float32 { return fusedExactly(a, b, c) }
