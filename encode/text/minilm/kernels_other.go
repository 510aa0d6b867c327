//go:build !amd64

package minilm

func quantize(dst []int16, x []float32, scale *float32) { quantizeGo(dst, x, scale) }

func gemm(rows, k int, a []float32, lda int, b []float32, ldb int, c []float32, ldc int, add bool) {
	gemmGo(rows, k, a, lda, b, ldb, c, ldc, add)
}

func scaleBias(y, scale, bias []float32) { scaleBiasGo(y, scale, bias) }

func addScaled(x, y, scale, bias []float32) { addScaledGo(x, y, scale, bias) }

func gelu(h, scale, bias, factor []float32) { geluGo(h, scale, bias, factor) }

func normRow(x, weight, bias []float32) { normRowGo(x, weight, bias) }

func softmax(row []float32, scale float32) { softmaxGo(row, scale) }
