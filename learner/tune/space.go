package tune

import (
	"slices"

	"github.com/hone-ml/hone/learner/head"
	"github.com/hone-ml/hone/learner/model"
)

// A head with dense parts starts from these: measured on parts of the training
// texts of several public sets, accuracy is flat around them.
const (
	denseRidge = 0.01
	// denseBias lets rare classes be rare: embeddings of texts of one kind are near
	// each other, so a small bias has all classes guessed alike.
	denseBias = 0.2
	// severalBias is the default bias with two dense parts or more, whose say is larger:
	// 50 labels of spam gain .004 of macro-F1 over a bias of .3, and tweets with
	// anonymous labels as much.
	severalBias = 0.4
	// priorTrust is how much the names count where there is one dense part, and of the
	// best of several.
	priorTrust = 15.0
	// priorTrustBeside is how much they count in a part beside the best.
	priorTrustBeside = 5.0
)

// Defaults are the settings before any were chosen.
func Defaults(q *head.Spec) model.Settings {
	s := q.Kind.Space().Defaults
	if q.Dense == 1 && Tunable(q) {
		s.Parts = []float64{0.3, 1}
	}
	if q.Dense > 1 && s.Parts == nil { // those of tokens are others than of texts
		// Hashed n-grams, a static embedding, and a transformer that says most. With 0.5
		// and 0.25 for the first two intents gain little and spam loses much.
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
		for range len(q.Prior) - 1 {
			s.Trust = append(s.Trust, priorTrustBeside)
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

// denseGrid are the weights tried of the dense parts: of all but the last, and of the
// last, which is the slowest to make and says most. The third is the default.
var denseGrid = [...][2]float64{{0, 1}, {0.25, 1}, {0.5, 1}, {1, 1}, {1, 0.25}, {1, 0}}

// dimension is one thing about the settings that can be chosen.
type dimension struct {
	// values are tried one after the other, and start is the index of the default.
	values []float64
	start  int
	set    func(s *model.Settings, v float64)
}

// Tunable reports whether the weights of the feature parts are chosen, and settings
// while labels come in.
func Tunable(q *head.Spec) bool { return q.Kind.Space().Tunable }

// dimensions are what is chosen for a question, in the order in which it is: what matters
// most comes first.
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
			return // the kind knows better
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
		// From the best part alone to the lesser ones alone, which are ahead on some
		// texts, such as spam.
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
