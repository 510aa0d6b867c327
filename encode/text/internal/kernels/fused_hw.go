//go:build arm64 || loong64 || ppc64le || riscv64 || s390x

package kernels

// fusedMulAdd returns a*b + c, rounded once: on these machines the compiler fuses the two
// operations.
func fusedMulAdd(a, b, c float32) float32 { return a*b + c }
