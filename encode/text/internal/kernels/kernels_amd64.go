package kernels

import "golang.org/x/sys/cpu"

// HasAVX2FMA is true when the processor has the instructions that the assembly uses. Only tests
// change it, see package kernelstest.
var HasAVX2FMA = cpu.X86.HasAVX2 && cpu.X86.HasFMA

// eightTimes repeats each constant eight times, as the assembly reads them.
func eightTimes(values ...float32) [][simdLanes]float32 {
	t := make([][simdLanes]float32, len(values))
	for i, v := range values {
		for j := range t[i] {
			t[i][j] = v
		}
	}
	return t
}

// Constants of the assembly.
var (
	geluConstants = eightTimes(append(append([]float32{-geluEnd, geluEnd, 0.5}, geluP[:]...), geluQ[:]...)...)
	expConstants  = eightTimes(append([]float32{expEnd, log2e, magic23, -ln2Hi, -ln2Lo}, expSeries[:]...)...)
	intConstants  = [3]float32{minRowMax, 1.0 / maxQuantized, maxQuantized}
)

//go:noescape
func spreadAVX2(dst *int16, src *byte, pairs int)

//go:noescape
func quantizeAVX2(dst *int16, x *float32, n int, scale *float32, constants *[3]float32)

//go:noescape
func product6AVX2(pairs int, a *int16, lda int, b *int16, scales, c *float32, ldc int, add bool)

//go:noescape
func product4AVX2(pairs int, a *int16, lda int, b *int16, scales, c *float32, ldc int, add bool)

//go:noescape
func gemm6AVX2(k int, a *float32, lda int, b *float32, ldb int, c *float32, ldc int, add bool)

//go:noescape
func gemm4AVX2(k int, a *float32, lda int, b *float32, ldb int, c *float32, ldc int, add bool)

//go:noescape
func scaleBiasAVX2(y, scale, bias *float32, n int)

//go:noescape
func addScaledAVX2(x, y, scale, bias *float32, n int)

//go:noescape
func geluAVX2(h, scale, bias, factor *float32, n int, constants *[simdLanes]float32)

//go:noescape
func normAVX2(x, weight, bias *float32, n int, constants *[2]float32)

//go:noescape
func softmaxAVX2(row *float32, n int, scale float32, constants *[simdLanes]float32)

// Spread unpacks a tile of int8 weights, TileOut columns, to 16 bits. The weights of each two
// inputs to an output come to lie side by side.
func Spread(dst []int16, src []byte) {
	if !HasAVX2FMA {
		spreadGo(dst, src)
		return
	}
	dst = dst[:len(src)]
	spreadAVX2(&dst[0], &src[0], len(src)/(2*TileOut))
}

// Quantize rounds a row, of a length that is a multiple of 16, to 16 bits and stores the value of
// one unit in scale.
func Quantize(dst []int16, x []float32, scale *float32) {
	if !HasAVX2FMA {
		quantizeGo(dst, x, scale)
		return
	}
	dst = dst[:len(x)]
	quantizeAVX2(&dst[0], &x[0], len(x), scale, &intConstants)
}

// Product multiplies 4 or 6 rows of a, k integers each and lda apart, with an unpacked tile and
// with the rows' scales. It writes TileOut columns of c, or adds to them. k is a multiple of 8
// and at most 384.
func Product(rows, k int, a []int16, lda int, b []int16, scales, c []float32, ldc int, add bool) {
	if !HasAVX2FMA {
		productGo(rows, k, a, lda, b, scales, c, ldc, add)
		return
	}
	last := rows - 1
	_, _, _, _ = a[last*lda+k-1], b[k*TileOut-1], scales[last], c[last*ldc+TileOut-1]
	if rows == 6 {
		product6AVX2(k/2, &a[0], lda, &b[0], &scales[0], &c[0], ldc, add)
		return
	}
	product4AVX2(k/2, &a[0], lda, &b[0], &scales[0], &c[0], ldc, add)
}

// Gemm multiplies 4 or 6 rows of a with b and writes TileOut columns of c, or adds to them. k is
// the inner dimension; the matrices' rows are lda, ldb and ldc apart. Each sum goes over the
// inner dimension in order, so a row has the same bits whatever rows are beside it.
func Gemm(rows, k int, a []float32, lda int, b []float32, ldb int, c []float32, ldc int, add bool) {
	if !HasAVX2FMA {
		gemmGo(rows, k, a, lda, b, ldb, c, ldc, add)
		return
	}
	last := rows - 1
	_, _, _ = a[last*lda+k-1], b[(k-1)*ldb+TileOut-1], c[last*ldc+TileOut-1]
	if rows == 6 {
		gemm6AVX2(k, &a[0], lda, &b[0], ldb, &c[0], ldc, add)
		return
	}
	gemm4AVX2(k, &a[0], lda, &b[0], ldb, &c[0], ldc, add)
}

// ScaleBias sets y to y*scale + bias.
func ScaleBias(y, scale, bias []float32) {
	if !HasAVX2FMA {
		scaleBiasGo(y, scale, bias)
		return
	}
	n := len(y)
	scale, bias = scale[:n], bias[:n]
	scaleBiasAVX2(&y[0], &scale[0], &bias[0], n)
}

// AddScaled adds y*scale + bias to x.
func AddScaled(x, y, scale, bias []float32) {
	if !HasAVX2FMA {
		addScaledGo(x, y, scale, bias)
		return
	}
	n := len(x)
	y, scale, bias = y[:n], scale[:n], bias[:n]
	addScaledAVX2(&x[0], &y[0], &scale[0], &bias[0], n)
}

// GELU sets h to GELU(h*scale + bias) * factor (Hendrycks & Gimpel 2016; the form with the error
// function).
func GELU(h, scale, bias, factor []float32) {
	if !HasAVX2FMA {
		geluGo(h, scale, bias, factor)
		return
	}
	n := len(h)
	scale, bias, factor = scale[:n], bias[:n], factor[:n]
	geluAVX2(&h[0], &scale[0], &bias[0], &factor[0], n, &geluConstants[0])
}

// NormRow normalises a row, with a gain and a bias for each number.
func NormRow(x, weight, bias []float32, epsilon float32) {
	if !HasAVX2FMA {
		normRowGo(x, weight, bias, epsilon)
		return
	}
	n := len(x)
	weight, bias = weight[:n], bias[:n]
	normAVX2(&x[0], &weight[0], &bias[0], n, &[2]float32{1 / float32(n), epsilon})
}

// Softmax replaces the row by the softmax of scale times the row.
func Softmax(row []float32, scale float32) {
	if !HasAVX2FMA {
		softmaxGo(row, scale)
		return
	}
	softmaxAVX2(&row[0], len(row), scale, &expConstants[0])
}
