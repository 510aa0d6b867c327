//go:build !amd64

package kernels

// Quantize rounds a row, of a length that is a multiple of 16, to 16 bits and stores the value of
// one unit in scale.
func Quantize(dst []int16, x []float32, scale *float32) { quantizeGo(dst, x, scale) }

// Gemm multiplies 4 or 6 rows of a with b and writes TileOut columns of c, or adds to them. k is
// the inner dimension; the matrices' rows are lda, ldb and ldc apart. Each sum goes over the
// inner dimension in order, so a row has the same bits whatever rows are beside it.
func Gemm(rows, k int, a []float32, lda int, b []float32, ldb int, c []float32, ldc int, add bool) {
	gemmGo(rows, k, a, lda, b, ldb, c, ldc, add)
}

// ScaleBias sets y to y*scale + bias.
func ScaleBias(y, scale, bias []float32) { scaleBiasGo(y, scale, bias) }

// AddScaled adds y*scale + bias to x.
func AddScaled(x, y, scale, bias []float32) { addScaledGo(x, y, scale, bias) }

// GELU sets h to GELU(h*scale + bias) * factor (Hendrycks & Gimpel 2016; the form with the error
// function).
func GELU(h, scale, bias, factor []float32) { geluGo(h, scale, bias, factor) }

// NormRow normalises a row, with a gain and a bias for each number.
func NormRow(x, weight, bias []float32, epsilon float32) { normRowGo(x, weight, bias, epsilon) }

// Softmax replaces the row by the softmax of scale times the row.
func Softmax(row []float32, scale float32) { softmaxGo(row, scale) }

// HasAVX2FMA is that of amd64.
var HasAVX2FMA bool
