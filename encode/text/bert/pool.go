package bert

import (
	"math"

	"github.com/hone-ml/hone/encode/text/internal/lowrank"
)

func accumulate(total []float64, v []float32) {
	for i, x := range v {
		total[i] += float64(x)
	}
}

// addDirection adds v at length 1 to total. A vector without a length adds nothing.
func addDirection(total, v []float64) {
	scale := inverseLength(v)
	for i, x := range v {
		total[i] += float64(x * scale) // the conversion forbids a fused, so differently rounded, addition
	}
}

// inverseLength returns one over the length of a vector, or 0.
func inverseLength(v []float64) float64 {
	var squares float64
	for _, x := range v {
		squares += float64(x * x)
	}
	if !(squares > 0) {
		return 0
	}
	return 1 / math.Sqrt(squares)
}

// writeUnit writes v at length 1 to dst. It reports false when v has no direction: numbers that
// are not finite.
func writeUnit(dst []float32, v []float64) bool {
	scale := inverseLength(v)
	finite := true
	for i, x := range v {
		dst[i] = float32(x * scale)
		finite = finite && !math.IsNaN(x*scale)
	}
	return finite
}

// directions adds the parts of a text of the batch, each at length 1, to the sums of the parts.
func (s *scratch) directions(parts *[Parts][]float64, text int) {
	if !s.model.lastOnly {
		addDirection(parts[0][:s.model.Width], s.middle[text])
	}
	last := s.finish(s.pool(text))
	addDirection(parts[1][:len(last)], last)
}

// pool returns the vector of a text as the pooling makes it of its tokens'.
func (s *scratch) pool(text int) []float64 {
	width := s.model.Width
	v := s.pooled[:width]
	from, to := s.starts[text], s.starts[text+1]
	clear(v)
	switch s.model.pooling {
	case lowrank.PoolFirst:
		accumulate(v, s.x[from*width:][:width])
		return v
	case lowrank.PoolMax:
		accumulate(v, s.x[from*width:][:width])
		for r := from + 1; r < to; r++ {
			for i, x := range s.x[r*width:][:width] {
				v[i] = max(v[i], float64(x))
			}
		}
		return v
	}
	for r := from; r < to; r++ {
		accumulate(v, s.x[r*width:][:width])
	}
	by := float64(to - from)
	if s.model.pooling == lowrank.PoolRootMean {
		by = math.Sqrt(by)
	}
	for i := range v {
		v[i] /= by
	}
	return v
}

// finish takes a pooled vector through the modules after the pooling.
func (s *scratch) finish(v []float64) []float64 {
	for _, step := range s.model.after {
		if step.Weight == nil {
			scale := inverseLength(v)
			for i := range v {
				v[i] *= scale
			}
			continue
		}
		out := make([]float64, len(step.Bias))
		for o := range out {
			sum := float64(step.Bias[o])
			for i, w := range step.Weight[o*len(v):][:len(v)] {
				sum += float64(v[i] * float64(w)) // not fused
			}
			if step.Tanh {
				sum = math.Tanh(sum)
			}
			out[o] = sum
		}
		v = out
	}
	return v
}
