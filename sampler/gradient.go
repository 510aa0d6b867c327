package sampler

import (
	"cmp"
	"math"
	"slices"

	"github.com/cespare/xxhash/v2"

	"github.com/hone-ml/hone/event"
	"github.com/hone-ml/hone/sampler/coverage"
	"github.com/hone-ml/hone/sampler/strategy"
)

// gradientClasses is how many components of a head's gradient are kept, the largest. With more
// labels the others are below a sixteenth, and so is what they would add to its squared length.
const gradientClasses = 16

// gradient returns the gradient of the loss by the scores of all labels of all heads, were the
// labels those that are predicted: probability less 1 for a predicted label, the probability for
// another. Labels that may hold at once are each predicted or not, and so is each step of a
// scale, which is what its model learns. A head without classes is
// asked one question, whether its answer is right, as in package strategy: the gradient of a
// number would be 0 if the predicted one were right, but what is expected of it grows with its
// variance (expected model change; Cai, Zhang & Zhou 2013, ICDM).
func gradient(estimates []event.Estimate) (out []coverage.Component) {
	for _, e := range estimates {
		if _, ok := (strategy.Margin{}).Score(e); !ok {
			continue
		}
		class := xxhash.Sum64String(e.Control)
		var of []coverage.Component
		add := func(y int, value float64) {
			if v := int32(math.Round(coverage.GradientStep * value)); v != 0 {
				of = append(of, coverage.Component{Class: class + uint64(y), Value: v})
			}
		}
		addYesOrNo := func(y int, p float64) {
			if p >= 0.5 {
				add(y, p-1)
			} else {
				add(y, p)
			}
		}
		switch d := e.Classes; {
		case d == nil:
			wrong := (1 - e.Certainty) / 2
			add(0, -wrong)
			add(1, wrong)
		case d.Ordered:
			sum, above := total(d.P), 0.0
			for k := len(d.P) - 2; k >= 0; k-- {
				above += d.P[k+1] / sum
				addYesOrNo(k, above)
			}
		case d.Exclusive:
			sum, predicted := total(d.P), d.Likeliest()
			for y, p := range d.P {
				if y == predicted {
					add(y, p/sum-1)
				} else {
					add(y, p/sum)
				}
			}
		default:
			for y, p := range d.P {
				addYesOrNo(y, p)
			}
		}
		out = append(out, largest(of, gradientClasses)...)
	}
	slices.SortFunc(out, func(a, b coverage.Component) int { return cmp.Compare(a.Class, b.Class) })
	return out
}

func total(p []float64) (sum float64) {
	for _, v := range p {
		sum += v
	}
	return sum
}

// largest keeps the n components that are farthest from 0.
func largest(of []coverage.Component, n int) []coverage.Component {
	if len(of) <= n {
		return of
	}
	abs := func(v int32) int32 { return max(v, -v) }
	slices.SortStableFunc(of, func(a, b coverage.Component) int { return cmp.Compare(abs(b.Value), abs(a.Value)) })
	return of[:n]
}
