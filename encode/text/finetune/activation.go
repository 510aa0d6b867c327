package finetune

import "github.com/hone-ml/hone/encode/text/internal/lowrank"

// activation is what stands between the matrices of a feed-forward layer. forward writes it of x
// to out; backward does too, and multiplies gradient by its derivative.
type activation struct {
	forward  func(out, x []float32)
	backward func(out, gradient, x []float32)
}

var activations = map[lowrank.Activation]activation{
	lowrank.GELU:     {gelu, geluBack},
	lowrank.GELUTanh: {geluTanh, geluTanhBack},
	lowrank.ReLU:     {relu, reluBack},
}

const (
	geluTanhScale = 0.7978845608028654 // sqrt(2/pi)
	geluTanhCube  = 0.044715
	geluTanhEnd   = 10 // where the hyperbolic tangent is 1, up to rounding
)

// tanh returns the hyperbolic tangent, up to 1e-7.
func tanh(u float32) float32 {
	e := exp(-2 * max(u, -u))
	t := (1 - e) / (1 + e)
	if u < 0 {
		return -t
	}
	return t
}

// geluTanhParts returns half of one plus the hyperbolic tangent, and its derivative.
func geluTanhParts(v float32) (half, slope float32) {
	v = min(max(v, -geluTanhEnd), geluTanhEnd)
	t := tanh(geluTanhScale * v * (1 + geluTanhCube*v*v))
	return 0.5 * (1 + t), 0.5 * (1 - t*t) * geluTanhScale * (1 + 3*geluTanhCube*v*v)
}

func geluTanh(out, x []float32) {
	for i, v := range x {
		half, _ := geluTanhParts(v)
		out[i] = v * half
	}
}

func geluTanhBack(out, gradient, x []float32) {
	for i, v := range x {
		half, slope := geluTanhParts(v)
		out[i] = v * half
		gradient[i] *= half + v*slope
	}
}

func relu(out, x []float32) {
	for i, v := range x {
		out[i] = max(0, v)
	}
}

func reluBack(out, gradient, x []float32) {
	for i, v := range x {
		out[i] = max(0, v)
		if v <= 0 {
			gradient[i] = 0
		}
	}
}
