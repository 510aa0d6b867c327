package draw

import "math"

// DesignEffect is by how much larger the variance of a mean that is estimated from one draw with these
// odds is than that from one of which all things are equally likely, where nothing tells how the errors of the
// guesses and the odds go together (Kish 1965, "Survey sampling"): the mean over the things of 1/(n odds). It is 1 or more, 0 of nothing.
func DesignEffect(odds []float64) float64 {
	n, sum := 0.0, 0.0
	for _, p := range odds {
		if p > 0 {
			n++
			sum += 1 / p
		}
	}
	return sum / math.Max(n*n, 1)
}

const (
	// coldest and hottest bound Temperature.
	coldest, hottest = 1.0 / 16, 16.0
	// halvings is how often the range between them is halved.
	halvings = 12
)

// Temperature returns the lowest temperature with which the odds of gains have a design effect of at most
// effect, within 1/16 and 16. The lower it is, the more surely what gains most is drawn. Where gains differ by
// orders of magnitude it is high, where they hardly differ low.
func Temperature(gains []float64, floor, effect float64) float64 {
	low, high := math.Log(coldest), math.Log(hottest)
	for range halvings {
		at := (low + high) / 2
		if DesignEffect(Odds(gains, floor, math.Exp(at))) <= effect {
			high = at
		} else {
			low = at
		}
	}
	return math.Exp(high)
}
