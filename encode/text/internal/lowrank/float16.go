package lowrank

import "math"

const maxFloat16 = 65504

// toFloat16 rounds to the nearest IEEE 754 number of 16 bits, ties to even. What is too
// large becomes the largest finite number.
func toFloat16(f float32) uint16 {
	bits := math.Float32bits(f)
	sign := uint16(bits>>16) & 0x8000
	f = math.Float32frombits(bits &^ (1 << 31))
	switch {
	case !(f <= maxFloat16):
		return sign | 0x7bff
	case f < 1.0/(1<<14): // subnormal: units of 2^-24
		return sign | uint16(math.RoundToEven(float64(f)*(1<<24)))
	}
	bits = math.Float32bits(f)
	bits += 0xfff + bits>>13&1
	return sign | uint16(min(bits>>13-(127-15)<<10, 0x7bff))
}

// fromFloat16 converts an IEEE 754 number of 16 bits. It is exact.
func fromFloat16(h uint16) float32 {
	exponent, fraction := h>>10&0x1f, float64(h&0x3ff)
	var v float64
	switch exponent {
	case 0:
		v = math.Ldexp(fraction, -24)
	case 0x1f:
		v = math.Inf(1)
		if fraction != 0 {
			v = math.NaN()
		}
	default:
		v = math.Ldexp(fraction+1024, int(exponent)-25)
	}
	if h&0x8000 != 0 {
		v = -v
	}
	return float32(v)
}
