//go:build !amd64 && !arm64

package minilm

func spread(dst []int16, src []byte) { spreadGo(dst, src) }

func product(rows, k int, a []int16, lda int, b []int16, scales, c []float32, ldc int, add bool) {
	productGo(rows, k, a, lda, b, scales, c, ldc, add)
}
