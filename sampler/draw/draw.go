package draw

import "math"

// Odds returns the probability with which each of some things is drawn: floor/n + (1-floor) s(i), n being
// how many gain 0 or more, and s the softmax of the logarithms of the gains divided by temperature, which
// is to say that s is proportional to gain^(1/temperature). So neither the unit of the gains matters nor what
// they are multiplied by. What gains less than 0, or NaN, cannot be drawn. Where nothing gains more than
// 0 all have the same probability, as with a floor of 1. floor is from 0 to 1 and temperature above 0. The probabilities
// sum to 1, but for rounding, unless nothing can be drawn: then all are 0.
func Odds(gains []float64, floor, temperature float64) []float64 {
	n, most := 0, 0.0
	for _, g := range gains {
		if g >= 0 {
			n++
			most = max(most, g)
		}
	}
	out := make([]float64, len(gains))
	sum := 0.0
	for i, g := range gains {
		switch {
		case !(g >= 0):
		case most == 0 || math.IsInf(most, 1) && math.IsInf(g, 1):
			out[i] = 1
		default:
			out[i] = math.Pow(g/most, 1/temperature)
		}
		sum += out[i]
	}
	for i, g := range gains {
		if g >= 0 {
			out[i] = floor/float64(n) + (1-floor)*out[i]/sum
		}
	}
	return out
}

// Drawn is what was drawn.
type Drawn struct {
	// Index is that of the thing, -1 when nothing could be drawn.
	Index int
	// Even is set when the draw was one of those, a share of floor, in which all things are equally
	// likely. Alone they are a simple random sample.
	Even bool
}

// One draws one of the things that Odds was asked about with the same arguments, with its probability.
// The same seed and number draw the same; numbers count the draws of a seed.
func One(gains []float64, floor, temperature float64, seed, number uint64) Drawn {
	mixed := seed ^ mix(number+1)
	even := uniform(mixed, 1) < floor
	if even {
		floor = 1
	} else {
		floor = 0
	}
	p := Odds(gains, floor, temperature)
	left, last := uniform(mixed, 2), -1
	for i, x := range p {
		if x <= 0 {
			continue
		}
		last = i
		if left -= x; left < 0 {
			break
		}
	}
	return Drawn{Index: last, Even: even}
}

// uniform returns a number from 0 to below 1.
func uniform(seed, stream uint64) float64 { return float64(mix(seed+mix(stream))>>11) / (1 << 53) }

// mix is the finalizer of SplitMix64 (Steele, Lea & Flood 2014).
func mix(x uint64) uint64 {
	x += 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}
