package learner

import (
	"slices"

	"github.com/hone-ml/hone/learner/model"
)

// A head with dense parts starts from these: measured on parts of the training
// texts of several public sets, accuracy is flat around them.
const (
	denseRidge = 0.01
	// denseBias lets rare classes be rare: embeddings of texts of one kind are near
	// each other, so a small bias has all classes guessed alike.
	denseBias = 0.2
	// twoBias is that with two dense parts, whose say is larger: 50 labels of spam gain
	// .004 of macro-F1 over a bias of .3, and tweets with anonymous labels as much.
	twoBias = 0.4
	// trustIn is how much the names count where there is one dense part, and of the
	// better of two.
	trustIn = 15.0
	// trustBeside is that of the lesser part beside a better one.
	trustBeside = 5.0
)

// defaults are the settings before any were chosen.
func (q *question) defaults() model.Settings {
	s := q.kind.space().defaults
	if q.dense == 1 && q.tuned() {
		s.Parts = []float64{0.3, 1}
	}
	if q.dense > 1 && s.Parts == nil { // those of tokens are others than of texts
		// Hashed n-grams, a static embedding, and a transformer that says most. With 0.5
		// and 0.25 for the first two intents gain little and spam loses much.
		s.Parts = []float64{0.25, 0.5, 1}
	}
	if q.prior != nil {
		s.Ridge, s.Bias = denseRidge, denseBias
		if q.dense > 1 {
			s.Bias = twoBias
		}
		for range len(q.prior) - 1 {
			s.Trust = append(s.Trust, trustBeside)
		}
		s.Trust = append(s.Trust, trustIn)
		if q.link() == model.Independent {
			for i := range s.Trust {
				s.Trust[i] /= 3
			}
		}
	}
	return s
}

// mixes are the weights of two dense parts, the third of which is the default.
var mixes = [...][2]float64{{0, 1}, {0.25, 1}, {0.5, 1}, {1, 1}, {1, 0.25}, {1, 0}}

// axis is one thing about the settings that can be chosen.
type axis struct {
	// values are tried one after the other, and start is the index of the default.
	values []float64
	start  int
	set    func(s *model.Settings, v float64)
}

// tuned reports whether the weights of the feature parts are chosen, and settings
// while labels come in.
func (q *question) tuned() bool { return q.kind.space().tunable }

// axes are what is chosen for a question, in the order in which it is: what matters
// most comes first.
func (q *question) axes() []axis {
	d := q.defaults()
	var out []axis
	if q.prior != nil {
		out = append(out, axis{[]float64{0, 0.25, 0.5, 1, 1.5, 2.5}, 3, func(s *model.Settings, v float64) {
			s.Trust = slices.Clone(d.Trust)
			for i := range s.Trust {
				s.Trust[i] *= v
			}
		}}, axis{[]float64{0.03, 0.1, d.Bias, 1, 3}, 2, func(s *model.Settings, v float64) { s.Bias = v }})
	}
	part := func(i int, values ...float64) {
		now := 1.0
		if i < len(d.Parts) {
			now = d.Parts[i]
		}
		if !slices.Contains(values, now) {
			return // the kind knows better
		}
		out = append(out, axis{values, slices.Index(values, now), func(s *model.Settings, v float64) {
			s.Parts = slices.Clone(s.Parts)
			for len(s.Parts) <= i {
				s.Parts = append(s.Parts, 1)
			}
			s.Parts[i] = v
		}})
	}
	switch {
	case !q.tuned():
	case q.dense == 1:
		part(0, 0, 0.1, 0.3, 1)
	case q.dense > 1:
		part(0, 0, 0.1, 0.25, 0.5, 1)
		// From the better part alone to the lesser one alone, which is ahead on some
		// texts, such as spam.
		out = append(out, axis{[]float64{0, 1, 2, 3, 4, 5}, 2, func(s *model.Settings, v float64) {
			s.Parts = slices.Clone(s.Parts)
			copy(s.Parts[1:], mixes[int(v)][:])
		}})
	}
	ridges := slices.Clone(q.kind.space().ridges)
	if !slices.Contains(ridges, d.Ridge) {
		ridges = append(ridges, d.Ridge)
		slices.Sort(ridges)
		slices.Reverse(ridges)
	}
	return append(out, axis{ridges, slices.Index(ridges, d.Ridge), func(s *model.Settings, v float64) { s.Ridge = v }})
}
