//go:build !amd64

package finetune

func gemmBlock(rows, k int, a []float32, lda int, b []float32, ldb int, c []float32, ldc int, add bool) {
	gemmGo(rows, k, a, lda, b, ldb, c, ldc, add)
}
