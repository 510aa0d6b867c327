package finetune

import "golang.org/x/sys/cpu"

// hasAVX2FMA is true when the processor has the instructions that the assembly uses. Tests
// change it.
var hasAVX2FMA = cpu.X86.HasAVX2 && cpu.X86.HasFMA

//go:noescape
func gemm6AVX2(k int, a *float32, lda int, b *float32, ldb int, c *float32, ldc int, add bool)

//go:noescape
func gemm4AVX2(k int, a *float32, lda int, b *float32, ldb int, c *float32, ldc int, add bool)

//go:noescape
func gemm1AVX2(k int, a *float32, b *float32, ldb int, c *float32, add bool)

// gemmBlock multiplies 6, 4 or 1 rows of a with 16 columns of b.
func gemmBlock(rows, k int, a []float32, lda int, b []float32, ldb int, c []float32, ldc int, add bool) {
	if !hasAVX2FMA {
		gemmGo(rows, k, a, lda, b, ldb, c, ldc, add)
		return
	}
	last := rows - 1
	_, _, _ = a[last*lda+k-1], b[(k-1)*ldb+tileOut-1], c[last*ldc+tileOut-1]
	switch rows {
	case 6:
		gemm6AVX2(k, &a[0], lda, &b[0], ldb, &c[0], ldc, add)
	case 4:
		gemm4AVX2(k, &a[0], lda, &b[0], ldb, &c[0], ldc, add)
	case 1:
		gemm1AVX2(k, &a[0], &b[0], ldb, &c[0], add)
	}
}
