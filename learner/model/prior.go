package model

import "fmt"

// Prior is the mean of the Gaussian prior on the weights, a PriorMean for each dense part. A
// model without examples has these weights. The hashed part and missing parts
// have mean zero. A Prior is immutable and may be shared by any number of models.
type Prior []PriorMean

// PriorMean is the mean for one dense part. Settings.Trust scales it.
type PriorMean struct {
	// Weights has one number for each dimension of the part and each class, dimension by
	// dimension.
	Weights []float32
	// Bias has one number for each class, which is added to its margin; nil is zero.
	Bias []float32
}

// validate panics when the mean, of a part, is not for that many classes.
func (w PriorMean) validate(part, classes int) {
	if len(w.Weights)%classes != 0 || w.Bias != nil && len(w.Bias) != classes {
		panic(fmt.Sprintf("model: the prior of part %d does not fit %d classes", part, classes))
	}
}

// Mix returns the mean of two priors of the same parts and classes, of which b has that share. A
// part that one of them lacks has the other's, less.
func (p Prior) Mix(b Prior, share float64) Prior {
	out := make(Prior, max(len(p), len(b)))
	for part := range out {
		for _, from := range []struct {
			prior Prior
			by    float32
		}{{p, float32(1 - share)}, {b, float32(share)}} {
			if part >= len(from.prior) || from.by == 0 {
				continue
			}
			g, to := from.prior[part], &out[part]
			to.Weights = addScaled(to.Weights, from.by, g.Weights)
			to.Bias = addScaled(to.Bias, from.by, g.Bias)
		}
	}
	return out
}

// addScaled adds by times x to sum and returns it. A nil sum is zero.
func addScaled(sum []float32, by float32, x []float32) []float32 {
	if sum == nil && x != nil {
		sum = make([]float32, len(x))
	}
	axpy(by, x, sum)
	return sum
}

// scaledPrior is a prior scaled to the units of weights. It is read-only.
type scaledPrior struct {
	dense [][]float32
	bias  []float32
}

// scale multiplies the prior by the trust in each part. It panics when the prior is not for
// that many classes.
func (p Prior) scale(classes int, trust []float64) scaledPrior {
	g := scaledPrior{bias: make([]float32, classes)}
	for part := range p {
		var dense []float32
		if part < len(trust) && trust[part] != 0 {
			w := p[part]
			w.validate(part, classes)
			by := float32(trust[part])
			dense = make([]float32, len(w.Weights))
			axpy(by, w.Weights, dense)
			axpy(by, w.Bias, g.bias)
		}
		g.dense = append(g.dense, dense)
	}
	return g
}
