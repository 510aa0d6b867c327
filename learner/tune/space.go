package tune

import (
	"math"
	"slices"
	"strconv"

	"github.com/hone-ml/hone/encode"
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
	// priorTrustSecond is that in the other dense parts. Middle layers have none: what a name
	// is about does not stand in them.
	priorTrustSecond = 5.0

	// fewWeight and severalWeight are the weights of the hashed part beside one dense part and
	// beside several. The last dense part weighs 1, and each other one secondWeight.
	fewWeight     = 0.3
	severalWeight = 0.25
	secondWeight  = 0.5
	// adaptedWeight is the weight of an adapted part before examples speak for it, and
	// adaptedShare the share it has of the trust in the main part's prior.
	adaptedWeight = 0.1
	adaptedShare  = 0.5
)

// Defaults returns the settings that a head has before any were chosen.
func Defaults(q *head.Spec) model.Settings {
	s := q.Kind.Space().Defaults
	main := mainPart(q)
	switch {
	case main == 0 && len(q.Parts) == 1 && Tunable(q):
		s.Parts = []float64{fewWeight, 1}
	case len(q.Parts) > 1 && s.Parts == nil: // features of tokens have weights of their own
		s.Parts = []float64{severalWeight}
		for i, part := range q.Parts {
			w := secondWeight
			switch {
			case i == main:
				w = 1
			case part == encode.Adapted:
				w = adaptedWeight
			}
			s.Parts = append(s.Parts, w)
		}
	}
	if q.Prior == nil {
		return s
	}
	s.Ridge, s.Bias = denseRidge, denseBias
	if len(q.Parts) > 1 {
		s.Bias = severalBias
	}
	if q.HasLines() {
		s.Lines = 1
	}
	adapted := slices.Contains(q.Parts, encode.Adapted)
	for i := range q.Prior {
		trust := priorTrustSecond
		switch {
		case i == main || q.Parts[i] == encode.Adapted:
			if trust = priorTrust; adapted {
				trust *= adaptedShare
			}
		case q.Parts[i] == encode.Middle:
			trust = 0
		}
		if q.Link() == model.Independent {
			trust /= 3
		}
		s.Trust = append(s.Trust, trust)
	}
	return s
}

// Fit returns settings for the parts of a spec that has other parts than when they were chosen: an
// adapted part that they do not know has no weight, and no weight is left of one that is gone.
func Fit(q *head.Spec, s model.Settings) model.Settings {
	s.Parts, s.Trust = slices.Clone(s.Parts), slices.Clone(s.Trust)
	if s.Parts != nil {
		s.Parts = s.Parts[:min(len(s.Parts), 1+len(q.Parts))]
		for len(s.Parts) < 1+len(q.Parts) {
			s.Parts = append(s.Parts, 0)
		}
	}
	s.Trust = s.Trust[:min(len(s.Trust), len(q.Parts))]
	return s
}

// WithoutAdapted returns the settings without weight of the adapted part; its trust in the prior is the
// main part's.
func WithoutAdapted(q *head.Spec, s model.Settings) model.Settings {
	s.Parts, s.Trust = slices.Clone(s.Parts), slices.Clone(s.Trust)
	at, main := slices.Index(q.Parts, encode.Adapted), mainPart(q)
	if at < 0 || main < 0 {
		return s
	}
	if at+1 < len(s.Parts) {
		s.Parts[at+1] = 0
	}
	if at < len(s.Trust) && main < len(s.Trust) {
		s.Trust[main] += s.Trust[at]
		s.Trust[at] = 0
	}
	return s
}

// mainPart returns the place of the dense part that is the most accurate before there are examples:
// the last one that is not adapted, -1 without one.
func mainPart(q *head.Spec) int {
	for i, part := range slices.Backward(q.Parts) {
		if part != encode.Adapted {
			return i
		}
	}
	return -1
}

// adaptedWeights are the weights of an adapted part that are tried. None is more likely than another before
// there are examples: the folds' encoders learned from two thirds of the labels, so they say too little of
// it rather than too much, and with hardly any of the rarer class there is none (package adapt).
var adaptedWeights = []float64{0, adaptedWeight, 0.25, 0.5, 1, 2, 4}

// dimension is one setting that is chosen.
type dimension struct {
	// values are those tried, one of them the default. The mean of several is geometric where
	// that is set, for a scale.
	values    []float64
	byDefault float64
	geometric bool
	// flat is true when all values are as likely before there are examples; else the default is
	// defaultWeight times as likely as each other one.
	flat bool
	// adapted is true when it is about an adapted part alone.
	adapted bool
	set     func(s *model.Settings, v float64)
}

// Tunable reports whether the weights of the feature parts are chosen too, and settings
// are chosen while labels come in.
func Tunable(q *head.Spec) bool { return q.Kind.Space().Tunable }

// dimensions returns what is chosen for a head, the most important first.
func dimensions(q *head.Spec) []dimension {
	d := Defaults(q)
	var out []dimension
	if q.Prior != nil {
		out = append(out,
			dimension{values: []float64{0, 0.25, 0.5, 1, 1.5, 2.5}, byDefault: 1, set: func(s *model.Settings, v float64) {
				s.Trust = slices.Clone(d.Trust)
				for i := range s.Trust {
					s.Trust[i] *= v
				}
			}},
			dimension{values: []float64{0.03, 0.1, d.Bias, 1, 3}, byDefault: d.Bias, geometric: true, set: func(s *model.Settings, v float64) { s.Bias = v }})
		if main, adapted := mainPart(q), slices.Index(q.Parts, encode.Adapted); adapted >= 0 && main >= 0 && len(d.Trust) == len(q.Parts) {
			out = append(out, dimension{values: []float64{0, adaptedShare, 1}, byDefault: adaptedShare, adapted: true, set: func(s *model.Settings, v float64) {
				s.Trust = slices.Clone(s.Trust)
				whole := s.Trust[main] + s.Trust[adapted]
				s.Trust[main], s.Trust[adapted] = (1-v)*whole, v*whole
			}})
		}
	}
	part := func(i int, adapted bool, values ...float64) {
		now := 1.0
		if i < len(d.Parts) {
			now = d.Parts[i]
		}
		if !slices.Contains(values, now) {
			return // the kind sets it
		}
		out = append(out, dimension{values: values, byDefault: now, flat: adapted, adapted: adapted, set: func(s *model.Settings, v float64) {
			s.Parts = slices.Clone(s.Parts)
			for len(s.Parts) < 1+len(q.Parts) { // Fit takes those that are missing for unknown
				s.Parts = append(s.Parts, 1)
			}
			s.Parts[i] = v
		}})
	}
	switch {
	case !Tunable(q):
	case len(q.Parts) == 1:
		part(0, false, 0, 0.1, fewWeight, 1)
	case len(q.Parts) > 1:
		part(0, false, 0, 0.1, severalWeight, 0.5, 1)
		// The last part, which is the most accurate on most texts, at the end: without it the
		// others may be better, as on spam.
		for i, p := range q.Parts {
			switch p {
			case encode.Middle:
				part(i+1, false, 0, 0.25, secondWeight, 1, 2, 4)
			case encode.Adapted:
				part(i+1, true, adaptedWeights...)
			default:
				part(i+1, false, 0, 0.25, secondWeight, 1, 2)
			}
		}
	}
	ridges := slices.Clone(q.Kind.Space().Ridges)
	if !slices.Contains(ridges, d.Ridge) {
		ridges = append(ridges, d.Ridge)
		slices.Sort(ridges)
		slices.Reverse(ridges)
	}
	return append(out, dimension{values: ridges, byDefault: d.Ridge, geometric: true, set: func(s *model.Settings, v float64) { s.Ridge = v }})
}

// mean returns the mean of the values, each by its weight, rounded to two digits: what is left
// follows from sums that may differ in their last bits from one machine to another.
func (d *dimension) mean(weights []float64) float64 {
	var total, sum float64
	for i, w := range weights {
		v := d.values[i]
		if d.geometric {
			v = math.Log(v)
		}
		total += w
		sum += w * v
	}
	v := sum / total
	if d.geometric {
		v = math.Exp(v)
	}
	return roundTo2(v)
}

func roundTo2(v float64) float64 {
	rounded, _ := strconv.ParseFloat(strconv.FormatFloat(v, 'g', 2, 64), 64) // what was formatted can be parsed
	return rounded
}
