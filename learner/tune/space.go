package tune

import (
	"slices"

	"github.com/hone-ml/hone/learner/head"
	"github.com/hone-ml/hone/learner/model"
)

// Defaults of a head with dense parts. Accuracy is flat around them, on parts of the
// training texts of several public sets.
const (
	denseRidge = 0.01
	// denseBias is large enough for rare classes to stay rare. Embeddings of similar texts
	// are near each other, so with a small bias all classes are predicted alike.
	denseBias = 0.2
	// severalBias is the default bias with two dense parts or more, which weigh more. With
	// 50 labels of spam it gains .004 of macro-F1 over a bias of .3, and of tweets with
	// anonymous labels as much.
	severalBias = 0.4
	// priorTrust is the weight of the label names' prior in the only dense part, or in the
	// last of several, which is the best.
	priorTrust = 15.0
	// priorTrustSecond is that in the other dense parts.
	priorTrustSecond = 5.0
)

// Defaults returns the settings that a head has before any were chosen.
func Defaults(q *head.Spec) model.Settings {
	s := q.Kind.Space().Defaults
	if q.Dense == 1 && Tunable(q) {
		s.Parts = []float64{0.3, 1}
	}
	if q.Dense > 1 && s.Parts == nil { // features of tokens have weights of their own
		// Hashed n-grams, a static embedding, and a transformer, which is the most accurate.
		// With 0.5 and 0.25 for the first two, intents gain little and spam loses much.
		s.Parts = []float64{0.25}
		for range q.Dense - 1 {
			s.Parts = append(s.Parts, 0.5)
		}
		s.Parts = append(s.Parts, 1)
	}
	if q.Prior != nil {
		s.Ridge, s.Bias = denseRidge, denseBias
		if q.Dense > 1 {
			s.Bias = severalBias
		}
		if q.HasLines() {
			s.Lines = 1
		}
		for range len(q.Prior) - 1 {
			s.Trust = append(s.Trust, priorTrustSecond)
		}
		s.Trust = append(s.Trust, priorTrust)
		if q.Link() == model.Independent {
			for i := range s.Trust {
				s.Trust[i] /= 3
			}
		}
	}
	return s
}

// denseGrid holds the weights tried for the dense parts: for all but the last, and for the
// last, which is the slowest and the most accurate. The third row is the default.
var denseGrid = [...][2]float64{{0, 1}, {0.25, 1}, {0.5, 1}, {1, 1}, {1, 0.25}, {1, 0}}

// dimension is one setting that is chosen.
type dimension struct {
	// values are in the order in which they are tried. start is the index of the default.
	values []float64
	start  int
	set    func(s *model.Settings, v float64)
}

// Tunable reports whether the weights of the feature parts are chosen too, and settings
// are chosen while labels come in.
func Tunable(q *head.Spec) bool { return q.Kind.Space().Tunable }

// dimensions returns what is chosen for a head, the most important first.
func dimensions(q *head.Spec) []dimension {
	d := Defaults(q)
	var out []dimension
	if q.Prior != nil {
		out = append(out, dimension{[]float64{0, 0.25, 0.5, 1, 1.5, 2.5}, 3, func(s *model.Settings, v float64) {
			s.Trust = slices.Clone(d.Trust)
			for i := range s.Trust {
				s.Trust[i] *= v
			}
		}}, dimension{[]float64{0.03, 0.1, d.Bias, 1, 3}, 2, func(s *model.Settings, v float64) { s.Bias = v }})
	}
	part := func(i int, values ...float64) {
		now := 1.0
		if i < len(d.Parts) {
			now = d.Parts[i]
		}
		if !slices.Contains(values, now) {
			return // the kind sets it
		}
		out = append(out, dimension{values, slices.Index(values, now), func(s *model.Settings, v float64) {
			s.Parts = slices.Clone(s.Parts)
			for len(s.Parts) <= i {
				s.Parts = append(s.Parts, 1)
			}
			s.Parts[i] = v
		}})
	}
	switch {
	case !Tunable(q):
	case q.Dense == 1:
		part(0, 0, 0.1, 0.3, 1)
	case q.Dense > 1:
		part(0, 0, 0.1, 0.25, 0.5, 1)
		// From the last part alone to the others alone, which are better on some texts,
		// such as spam.
		out = append(out, dimension{[]float64{0, 1, 2, 3, 4, 5}, 2, func(s *model.Settings, v float64) {
			s.Parts = slices.Clone(s.Parts)
			for i := 1; i < q.Dense; i++ {
				s.Parts[i] = denseGrid[int(v)][0]
			}
			s.Parts[q.Dense] = denseGrid[int(v)][1]
		}})
	}
	ridges := slices.Clone(q.Kind.Space().Ridges)
	if !slices.Contains(ridges, d.Ridge) {
		ridges = append(ridges, d.Ridge)
		slices.Sort(ridges)
		slices.Reverse(ridges)
	}
	return append(out, dimension{ridges, slices.Index(ridges, d.Ridge), func(s *model.Settings, v float64) { s.Ridge = v }})
}
