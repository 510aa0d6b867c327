// Package kernels is the arithmetic of transformers: products of matrices, of float32 and of
// integers, and what is done to a row of numbers. It is written in Go's assembler for AVX2 with
// FMA and, the products of integers, for arm64.
//
// All of it gives the same bits on every machine: each operation is rounded in a fixed order,
// fused multiply-adds among them. Lengths of rows are multiples of eight.
package kernels

import "math"

// The kernels as any machine computes them: number by number what kernels_amd64.s
// computes eight at a time, each operation rounded in the same way. Sums of a row
// are of eight lanes, which sum8 adds up.

const simdLanes = 8

const (
	// TileOut is how many columns a product has.
	TileOut = 16
	// SpareRows is the number of rows behind the last one that a product may write:
	// products come in blocks of four and six rows.
	SpareRows = 5

	// geluEnd is where the normal distribution is 0 or 1, up to 2e-8.
	geluEnd = 5.5

	log2e = 1.44269504088896341
	ln2Hi = 0.693359375 // of few bits
	ln2Lo = -2.12194440e-4
	// expEnd is the least exponent: what is smaller is as good as nothing, and
	// nothing is ever denormal.
	expEnd = -60
	// magic23 added to a number leaves its nearest integer in the lowest bits.
	magic23 = 3 << 22

	// maxQuantized is the largest of a row's numbers in 16 bits: 384 products with
	// int8 fit 32 bits.
	maxQuantized = 1<<15 - 1
	// minRowMax replaces the largest number of a row of zeros.
	minRowMax = 1e-30
)

// The normal distribution function less a half is u times P(u²) over Q(u²), for u
// up to geluEnd: tools/minilm/gelu.py finds the coefficients, the highest first.
var (
	geluP = [6]float32{2.2216037010025502e-08, 6.530728114739759e-06, 0.00018285668920725584, 0.004761607386171818, 0.035142187029123306, 0.3989419937133789}
	geluQ = [6]float32{1.1954002729908098e-06, 7.86097880336456e-05, 0.001962425885722041, 0.029398612678050995, 0.254751980304718, 1}
	// The exponential function's series, the highest power first.
	expSeries = [8]float32{1.0 / 5040, 1.0 / 720, 1.0 / 120, 1.0 / 24, 1.0 / 6, 0.5, 1, 1}
)

// spreadGo unpacks a tile of int8 weights to 16 bits. The weights of each two inputs to an
// output come to lie side by side.
func spreadGo(dst []int16, src []byte) {
	for len(src) >= 2*TileOut {
		for j := range TileOut {
			dst[2*j], dst[2*j+1] = int16(int8(src[j])), int16(int8(src[TileOut+j]))
		}
		dst, src = dst[2*TileOut:], src[2*TileOut:]
	}
}

// quantizeGo rounds a row to 16 bits, its largest number to maxQuantized, and stores the
// value of one unit in scale.
func quantizeGo(dst []int16, x []float32, scale *float32) {
	most := float32(minRowMax)
	for _, v := range x {
		most = max(most, v, -v)
	}
	*scale = float32(most * (1.0 / maxQuantized))
	inverse := maxQuantized / most
	for i, v := range x {
		r := float32(v*inverse) + magic23
		dst[i] = int16(math.Float32bits(r) - math.Float32bits(magic23))
	}
}

// productGo multiplies rows of a, k integers each and lda apart, with an unpacked tile and
// with the rows' scales. It writes TileOut columns of c, or adds to them. The integer sums
// are exact if k is at most 384.
func productGo(rows, k int, a []int16, lda int, b []int16, scales, c []float32, ldc int, add bool) {
	for r := range rows {
		row := a[r*lda:][:k]
		var sums [TileOut]int32
		for j := 0; j < TileOut; j += 4 { // as many as there are registers for
			var s0, s1, s2, s3 int32
			tile := b[2*j : k*TileOut]
			for i := 1; i < len(row); i += 2 {
				v, w, t := int32(row[i-1]), int32(row[i]), (*[8]int16)(tile)
				s0 += v*int32(t[0]) + w*int32(t[1])
				s1 += v*int32(t[2]) + w*int32(t[3])
				s2 += v*int32(t[4]) + w*int32(t[5])
				s3 += v*int32(t[6]) + w*int32(t[7])
				tile = tile[min(len(tile), 2*TileOut):]
			}
			sums[j], sums[j+1], sums[j+2], sums[j+3] = s0, s1, s2, s3
		}
		storeScaled((*[TileOut]float32)(c[r*ldc:]), &sums, scales[r], add)
	}
}

// storeScaled writes sums times scale to out, or adds them.
func storeScaled(out *[TileOut]float32, sums *[TileOut]int32, scale float32, add bool) {
	for j, sum := range sums {
		if add {
			out[j] = fusedMulAdd(float32(sum), scale, out[j])
		} else {
			out[j] = float32(float32(sum) * scale)
		}
	}
}

// gemmGo multiplies rows of a with b for attention and writes TileOut columns of c, or adds
// to them. k is the inner dimension; the matrices' rows are lda, ldb and ldc apart.
func gemmGo(rows, k int, a []float32, lda int, b []float32, ldb int, c []float32, ldc int, add bool) {
	for r := range rows {
		var sums [TileOut]float32
		out := (*[TileOut]float32)(c[r*ldc:])
		if add {
			sums = *out
		}
		for i, v := range a[r*lda:][:k] {
			for j, w := range (*[TileOut]float32)(b[i*ldb:]) {
				sums[j] = fusedMulAdd(v, w, sums[j])
			}
		}
		*out = sums
	}
}

// scaleBiasGo sets y to y*scale + bias.
func scaleBiasGo(y, scale, bias []float32) {
	for i, v := range y {
		y[i] = fusedMulAdd(v, scale[i], bias[i])
	}
}

// addScaledGo adds y*scale + bias to x.
func addScaledGo(x, y, scale, bias []float32) {
	for i := range x {
		x[i] += fusedMulAdd(y[i], scale[i], bias[i])
	}
}

// geluGo sets h to GELU(h*scale + bias) * factor (Hendrycks & Gimpel 2016; the form with
// the error function).
func geluGo(h, scale, bias, factor []float32) {
	for i := range h {
		v := fusedMulAdd(h[i], scale[i], bias[i])
		u := min(max(v, -geluEnd), geluEnd)
		t := float32(u * u)
		p, q := geluP[0], geluQ[0]
		for j := 1; j < len(geluP); j++ {
			p, q = fusedMulAdd(p, t, geluP[j]), fusedMulAdd(q, t, geluQ[j])
		}
		g := float32(float32(p/q) * u)
		h[i] = float32(fusedMulAdd(v, g, float32(v*0.5)) * factor[i])
	}
}

// normRowGo normalises a row of numbers (Ba, Kiros & Hinton 2016, "Layer Normalization").
func normRowGo(x, weight, bias []float32, epsilon float32) {
	perWidth := 1 / float32(len(x))
	var sums [simdLanes]float32
	for i, v := range x {
		sums[i%simdLanes] += v
	}
	mean := float32(sum8(&sums) * perWidth)
	sums = [simdLanes]float32{}
	for i, v := range x {
		d := v - mean
		sums[i%simdLanes] = fusedMulAdd(d, d, sums[i%simdLanes])
	}
	variance := float32(sum8(&sums) * perWidth)
	inverse := 1 / float32(math.Sqrt(float64(variance+epsilon)))
	for i, v := range x {
		d := v - mean
		x[i] = fusedMulAdd(float32(d*inverse), weight[i], bias[i])
	}
}

// softmaxGo replaces the row by the softmax of scale times the row. The row's length is a
// multiple of eight.
func softmaxGo(row []float32, scale float32) {
	most := row[0]
	for _, v := range row {
		most = max(most, v)
	}
	var sums [simdLanes]float32
	for i, v := range row {
		d := v - most
		e := expGo(float32(d * scale))
		row[i] = e
		sums[i%simdLanes] += e
	}
	inverse := 1 / sum8(&sums)
	for i, v := range row {
		row[i] = float32(v * inverse)
	}
}

// expGo returns e^x for x of at most 0.
func expGo(x float32) float32 {
	x = max(x, expEnd)
	t := fusedMulAdd(x, log2e, magic23)
	n := t - magic23
	r := fusedMulAdd(n, -ln2Hi, x)
	r = fusedMulAdd(n, -ln2Lo, r)
	p := expSeries[0]
	for _, c := range expSeries[1:] {
		p = fusedMulAdd(p, r, c)
	}
	return math.Float32frombits(math.Float32bits(p) + math.Float32bits(t)<<23)
}

// sum8 adds the lanes in the order in which the assembly adds halves of vectors.
func sum8(s *[simdLanes]float32) float32 {
	return ((s[0] + s[4]) + (s[2] + s[6])) + ((s[1] + s[5]) + (s[3] + s[7]))
}

// fusedMulAddExact returns a*b + c rounded once, as a fused multiply-add does, on machines
// that may have no such instruction for float32.
func fusedMulAddExact(a, b, c float32) float32 {
	p := float64(a) * float64(b) // exact
	sum := p + float64(c)
	const half = 1 << 28
	if math.Float64bits(sum)&(2*half-1) == half {
		return breakTie(p, float64(c), sum)
	}
	return float32(sum)
}

// breakTie rounds a sum of float64 that, once rounded itself, lies half way between
// two float32, by what that rounding took off.
func breakTie(p, c, sum float64) float32 {
	rest := sum - p
	off := (p - (sum - rest)) + (c - rest)
	bits := math.Float64bits(sum)
	switch {
	case off == 0:
	case off > 0 == (sum > 0):
		bits++
	default:
		bits--
	}
	return float32(math.Float64frombits(bits))
}

// RowsPerBlock returns how many of the remaining rows to multiply together, 4 or 6, so
// that the fewest rows are beyond the end: at most one if more than two remain.
func RowsPerBlock(left int) int {
	switch left {
	case 1, 2, 3, 4, 7, 8:
		return 4
	}
	return 6
}
