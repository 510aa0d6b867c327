package finetune

import "math"

// addBias adds bias to each of the rows of y, ldy apart.
func addBias(rows int, y []float32, ldy int, bias []float32) {
	for r := range rows {
		row := y[r*ldy:][:len(bias)]
		for i, b := range bias {
			row[i] += b
		}
	}
}

// normalizeRows replaces the rows of z, each as long as gain, by their normalised form
// without gain and bias, writes that with gain and bias to out, and what the rows were
// multiplied with to inverse (Ba, Kiros & Hinton 2016, "Layer Normalization").
func normalizeRows(rows int, z, out, inverse, gain, bias []float32, epsilon float64) {
	width := len(gain)
	bias = bias[:width]
	for r := range rows {
		row, to := z[r*width:][:width], out[r*width:][:width]
		var sum float64
		for _, v := range row {
			sum += float64(v)
		}
		mean := float32(sum / float64(width))
		var squares float64
		for i, v := range row {
			d := v - mean
			row[i] = d
			squares += float64(d) * float64(d)
		}
		scale := float32(1 / math.Sqrt(squares/float64(width)+epsilon))
		inverse[r] = scale
		for i, v := range row {
			h := v * scale
			row[i], to[i] = h, h*gain[i]+bias[i]
		}
	}
}

// normalizeRowsBack replaces the gradients of the results of normalizeRows by those of its
// inputs. hat is what it left in z.
func normalizeRowsBack(rows int, gradient, hat, inverse, gain []float32) {
	width := len(gain)
	for r := range rows {
		g, h := gradient[r*width:][:width], hat[r*width:][:width]
		var sum, along float64
		for i, v := range g {
			d := v * gain[i]
			g[i] = d
			sum += float64(d)
			along += float64(d) * float64(h[i])
		}
		mean, slope, scale := float32(sum/float64(width)), float32(along/float64(width)), inverse[r]
		for i, d := range g {
			g[i] = (d - mean - h[i]*slope) * scale
		}
	}
}

// The normal distribution function less a half is u times P(u²) over Q(u²), for u up to
// geluEnd: tools/minilm/gelu.py finds the coefficients, the highest first.
var (
	geluP = [6]float32{2.2216037010025502e-08, 6.530728114739759e-06, 0.00018285668920725584, 0.004761607386171818, 0.035142187029123306, 0.3989419937133789}
	geluQ = [6]float32{1.1954002729908098e-06, 7.86097880336456e-05, 0.001962425885722041, 0.029398612678050995, 0.254751980304718, 1}
)

const (
	geluEnd   = 5.5 // where the normal distribution is 0 or 1, up to 2e-8
	rootTwoPi = 2.50662827463100050242
)

// normalCDF returns the normal distribution function of v.
func normalCDF(v float32) float32 {
	u := min(max(v, -geluEnd), geluEnd)
	t := u * u
	p := ((((geluP[0]*t+geluP[1])*t+geluP[2])*t+geluP[3])*t+geluP[4])*t + geluP[5]
	q := ((((geluQ[0]*t+geluQ[1])*t+geluQ[2])*t+geluQ[3])*t+geluQ[4])*t + geluQ[5]
	return 0.5 + u*p/q
}

// geluGo writes GELU of x to out (Hendrycks & Gimpel 2016; the form with the error function).
func geluGo(out, x []float32) {
	out = out[:len(x)]
	for i, v := range x {
		out[i] = v * normalCDF(v)
	}
}

// geluBackGo writes GELU of x to out and multiplies gradient by its derivative.
func geluBackGo(out, gradient, x []float32) {
	out, gradient = out[:len(x)], gradient[:len(x)]
	for i, v := range x {
		c := normalCDF(v)
		out[i] = v * c
		gradient[i] *= c + v*exp(-0.5*v*v)*(1/rootTwoPi)
	}
}

const (
	log2e   = 1.44269504088896341
	ln2Hi   = 0.693359375 // of few bits
	ln2Lo   = -2.12194440e-4
	expEnd  = -60 // what is smaller is as good as nothing
	magic23 = 3 << 22
)

// exp returns e^x for x of at most 0, up to a few units of the last place.
func exp(x float32) float32 {
	x = max(x, expEnd)
	t := float32(x*log2e) + magic23 // the nearest integer in the lowest bits
	n := t - magic23
	r := x - n*ln2Hi - n*ln2Lo
	p := (((((r/5040+1.0/720)*r+1.0/120)*r+1.0/24)*r+1.0/6)*r+0.5)*r*r + r + 1
	return math.Float32frombits(math.Float32bits(p) + math.Float32bits(t)<<23)
}

// softmax replaces the row by the softmax of scale times the row.
func softmax(row []float32, scale float32) {
	most := row[0]
	for _, v := range row {
		most = max(most, v)
	}
	var sum float32
	for i, v := range row {
		e := exp((v - most) * scale)
		row[i] = e
		sum += e
	}
	inverse := 1 / sum
	for i := range row {
		row[i] *= inverse
	}
}
