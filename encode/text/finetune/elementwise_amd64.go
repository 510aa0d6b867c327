package finetune

const simdLanes = 8

// geluConstants are the constants of the assembly.
var geluConstants = eightTimes(append(append(append([]float32{-geluEnd, geluEnd, 0.5}, geluP[:]...), geluQ[:]...),
	expEnd, log2e, magic23, -ln2Hi, -ln2Lo, 1.0/5040, 1.0/720, 1.0/120, 1.0/24, 1.0/6, 1, 1/rootTwoPi, -0.5)...)

func eightTimes(values ...float32) [][simdLanes]float32 {
	out := make([][simdLanes]float32, len(values))
	for i, v := range values {
		for j := range out[i] {
			out[i][j] = v
		}
	}
	return out
}

//go:noescape
func geluAVX2(out, x *float32, n int, constants *[simdLanes]float32)

//go:noescape
func geluBackAVX2(out, gradient, x *float32, n int, constants *[simdLanes]float32)

// gelu writes GELU of x to out.
func gelu(out, x []float32) {
	n := 0
	if hasAVX2FMA && len(x) >= simdLanes {
		n = len(x) / simdLanes * simdLanes
		_ = out[n-1]
		geluAVX2(&out[0], &x[0], n, &geluConstants[0])
	}
	geluGo(out[n:], x[n:])
}

// geluBack writes GELU of x to out and multiplies gradient by its derivative.
func geluBack(out, gradient, x []float32) {
	n := 0
	if hasAVX2FMA && len(x) >= simdLanes {
		n = len(x) / simdLanes * simdLanes
		_, _ = out[n-1], gradient[n-1]
		geluBackAVX2(&out[0], &gradient[0], &x[0], n, &geluConstants[0])
	}
	geluBackGo(out[n:], gradient[n:], x[n:])
}
