package finetune

import "math"

const (
	firstDecay    = 0.9
	secondDecay   = 0.999
	adamEpsilon   = 1e-8
	warmupPortion = 10 // one tenth of the steps
)

// adamW is the optimiser with decoupled weight decay (Loshchilov & Hutter 2019, "Decoupled
// Weight Decay Regularization").
type adamW struct {
	decay         float64
	first, second []float32 // the moments
	step          int
}

func newAdamW(parameters int, decay float64) *adamW {
	return &adamW{decay: decay, first: make([]float32, parameters), second: make([]float32, parameters)}
}

// update changes the parameters by their gradient.
func (o *adamW) update(parameters, gradient []float32, rate float64) {
	o.step++
	c1, c2 := 1-math.Pow(firstDecay, float64(o.step)), 1-math.Pow(secondDecay, float64(o.step))
	stride, shrink := float32(rate/c1), float32(1-rate*o.decay)
	unbias := float32(1 / math.Sqrt(c2))
	first, second := o.first[:len(parameters)], o.second[:len(parameters)]
	for i, g := range gradient[:len(parameters)] {
		m := firstDecay*first[i] + (1-firstDecay)*g
		v := secondDecay*second[i] + (1-secondDecay)*g*g
		first[i], second[i] = m, v
		root := float32(math.Sqrt(float64(v)))*unbias + adamEpsilon
		parameters[i] = parameters[i]*shrink - stride*m/root
	}
}

// learningRate returns the rate of a step, of which the first is 0: it rises over the first
// tenth of the steps and then falls as a cosine.
func learningRate(peak float64, step, steps int) float64 {
	warmup := max(1, steps/warmupPortion)
	if step < warmup {
		return peak * float64(step+1) / float64(warmup)
	}
	return peak * 0.5 * (1 + math.Cos(math.Pi*float64(step-warmup)/float64(max(1, steps-warmup))))
}
