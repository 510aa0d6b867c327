package minilm

import "math"

// The kernels as any machine computes them: number by number what kernels_amd64.s
// computes eight at a time, each operation rounded in the same way. Sums of a row
// are of eight lanes, which sum8 adds up.

const lanes = 8

const (
	// geluEnd is where the normal distribution is 0 or 1, up to 2e-8.
	geluEnd = 5.5

	log2e = 1.44269504088896341
	ln2Hi = 0.693359375 // of few bits
	ln2Lo = -2.12194440e-4
	// expEnd is the least exponent: what is smaller is as good as nothing, and
	// nothing is ever denormal.
	expEnd = -60
	// expMagic added to a number leaves its nearest integer in the lowest bits.
	expMagic = 3 << 22

	normEpsilon = 1e-12
	perWidth    = float32(1) / width
)

// The normal distribution function less a half is u times P(u²) over Q(u²), for u
// up to geluEnd: tools/minilm/gelu.py finds the coefficients, the highest first.
var (
	geluP = [6]float32{2.2216037010025502e-08, 6.530728114739759e-06, 0.00018285668920725584, 0.004761607386171818, 0.035142187029123306, 0.3989419937133789}
	geluQ = [6]float32{1.1954002729908098e-06, 7.86097880336456e-05, 0.001962425885722041, 0.029398612678050995, 0.254751980304718, 1}
	// The exponential function's series, the highest power first.
	expSeries = [8]float32{1.0 / 5040, 1.0 / 720, 1.0 / 120, 1.0 / 24, 1.0 / 6, 0.5, 1, 1}
)

// spreadGo gives bytes of two's complement as numbers.
func spreadGo(dst []float32, src []byte) {
	dst = dst[:len(src)]
	for i, b := range src {
		dst[i] = float32(int8(b))
	}
}

// gemmGo gives tileOut columns of c, or adds to them, as the product of rows of a
// with b: k inner numbers, the matrices' rows lda, ldb and ldc apart.
func gemmGo(rows, k int, a []float32, lda int, b []float32, ldb int, c []float32, ldc int, add bool) {
	for r := range rows {
		var sums [tileOut]float32
		out := (*[tileOut]float32)(c[r*ldc:])
		if add {
			sums = *out
		}
		for i, v := range a[r*lda:][:k] {
			for j, w := range (*[tileOut]float32)(b[i*ldb:]) {
				sums[j] = fused(v, w, sums[j])
			}
		}
		*out = sums
	}
}

// scaleBiasGo gives y*scale + bias in y.
func scaleBiasGo(y, scale, bias []float32) {
	for i, v := range y {
		y[i] = fused(v, scale[i], bias[i])
	}
}

// addScaledGo adds y*scale + bias to x.
func addScaledGo(x, y, scale, bias []float32) {
	for i := range x {
		x[i] += fused(y[i], scale[i], bias[i])
	}
}

// geluGo gives GELU(h*scale + bias) * factor in h (Hendrycks & Gimpel 2016; the
// form with the error function).
func geluGo(h, scale, bias, factor []float32) {
	for i := range h {
		v := fused(h[i], scale[i], bias[i])
		u := min(max(v, -geluEnd), geluEnd)
		t := float32(u * u)
		p, q := geluP[0], geluQ[0]
		for j := 1; j < len(geluP); j++ {
			p, q = fused(p, t, geluP[j]), fused(q, t, geluQ[j])
		}
		g := float32(float32(p/q) * u)
		h[i] = float32(fused(v, g, float32(v*0.5)) * factor[i])
	}
}

// normRowGo normalises a row of width numbers (Ba, Kiros & Hinton 2016, "Layer
// Normalization").
func normRowGo(x, weight, bias []float32) {
	var sums [lanes]float32
	for i, v := range x {
		sums[i%lanes] += v
	}
	mean := float32(sum8(&sums) * perWidth)
	sums = [lanes]float32{}
	for i, v := range x {
		d := v - mean
		sums[i%lanes] = fused(d, d, sums[i%lanes])
	}
	variance := float32(sum8(&sums) * perWidth)
	inverse := 1 / float32(math.Sqrt(float64(variance+normEpsilon)))
	for i, v := range x {
		d := v - mean
		x[i] = fused(float32(d*inverse), weight[i], bias[i])
	}
}

// softmaxGo gives the exponentials of scale times the row, over their sum. The
// row's length is a multiple of eight.
func softmaxGo(row []float32, scale float32) {
	most := row[0]
	for _, v := range row {
		most = max(most, v)
	}
	var sums [lanes]float32
	for i, v := range row {
		d := v - most
		e := expGo(float32(d * scale))
		row[i] = e
		sums[i%lanes] += e
	}
	inverse := 1 / sum8(&sums)
	for i, v := range row {
		row[i] = float32(v * inverse)
	}
}

// expGo is the exponential function of a number that is not above 0.
func expGo(x float32) float32 {
	x = max(x, expEnd)
	t := fused(x, log2e, expMagic)
	n := t - expMagic
	r := fused(n, -ln2Hi, x)
	r = fused(n, -ln2Lo, r)
	p := expSeries[0]
	for _, c := range expSeries[1:] {
		p = fused(p, r, c)
	}
	return math.Float32frombits(math.Float32bits(p) + math.Float32bits(t)<<23)
}

// sum8 adds up lanes as halves of vectors are added up.
func sum8(s *[lanes]float32) float32 {
	return ((s[0] + s[4]) + (s[2] + s[6])) + ((s[1] + s[5]) + (s[3] + s[7]))
}

// fusedExactly gives a*b + c rounded once, as a fused multiply-add does, where the
// machine may have none for float32.
func fusedExactly(a, b, c float32) float32 {
	p := float64(a) * float64(b) // exact
	sum := p + float64(c)
	const half = 1 << 28
	if math.Float64bits(sum)&(2*half-1) == half {
		return unhalved(p, float64(c), sum)
	}
	return float32(sum)
}

// unhalved rounds a sum of float64 that, once rounded itself, lies half way between
// two float32, by what that rounding took off.
func unhalved(p, c, sum float64) float32 {
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
