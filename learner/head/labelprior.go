package head

import (
	"math"
	"slices"
	"strings"
	"unicode"

	"github.com/hone-ml/hone/encode"
	"github.com/hone-ml/hone/labelstudio/labelconfig"
	"github.com/hone-ml/hone/learner/model"
	"github.com/hone-ml/hone/settings"
)

// WithEncoder returns the spec with the prior that the encoder makes of its label names.
func (q *Spec) WithEncoder(e encode.Encoder) *Spec {
	out := *q
	out.Parts = encode.DenseParts(e)
	out.Prior, out.NamePrior = nil, nil
	n, ok := q.Kind.(LabelPrior)
	if !ok {
		return &out
	}
	out.Prior = n.Prior(q, e)
	if q.anyLines() && out.Prior != nil {
		bare := *q
		bare.described = settings.Descriptions{}
		out.NamePrior = n.Prior(&bare, e)
		if out.NamePrior == nil { // names that say nothing
			out.NamePrior = model.Prior{}
		}
	}
	return &out
}

// HasLines reports whether lines that describe labels are a part of the prior.
func (q *Spec) HasLines() bool { return q.NamePrior != nil }

// prior returns the prior of a model with settings.
func (q *Spec) prior(s model.Settings) model.Prior {
	switch {
	case !q.HasLines() || s.Lines == 1:
		return q.Prior
	case s.Lines == 0:
		return q.NamePrior
	}
	return q.NamePrior.Mix(q.Prior, s.Lines)
}

// WithPriorOf returns the spec with the prior of another one that has the same labels.
func (q *Spec) WithPriorOf(old *Spec) *Spec {
	out := *q
	out.Parts, out.Prior, out.NamePrior = old.Parts, old.Prior, old.NamePrior
	return &out
}

// independentPriorBias is the cosine between a text and a label's name above which the
// name alone predicts the label, when labels are independent.
const independentPriorBias = 0.3

// Prior encodes each label's name like a text and takes that as the mean of the label's
// weights (as in Xian, Schiele & Akata 2017, "Zero-shot learning - the good, the bad and
// the ugly": class embeddings as the classifier), after subtracting the mean over labels.
func (choices) Prior(q *Spec, e encode.Encoder) model.Prior {
	k := len(q.Labels)
	if k < 2 {
		return nil
	}
	sums := make([][][]float64, k) // by label, part and dimension
	parts := 0
	for y := range q.Control.Labels {
		for _, t := range q.LabelTexts(y) {
			for part, x := range e.Encode(t).Dense {
				parts = max(parts, part+1)
				for len(sums[y]) <= part {
					sums[y] = append(sums[y], nil)
				}
				sums[y][part] = accumulate(sums[y][part], x)
			}
		}
	}
	prior := make(model.Prior, parts)
	says := false
	for part := range prior {
		names := make([][]float64, k)
		var mean []float64
		known := 0.0
		for y := range names {
			if part < len(sums[y]) && normalize(sums[y][part]) {
				names[y] = sums[y][part]
				known++
				mean = accumulate(mean, names[y])
			}
		}
		if known < 2 {
			continue
		}
		g := model.PriorMean{Weights: make([]float32, len(mean)*k)}
		for y, v := range names {
			for j := range v {
				v[j] -= mean[j] / known
			}
			if normalize(v) {
				says = true
			}
			for j, w := range v {
				g.Weights[j*k+y] = float32(w)
			}
		}
		if q.Link() == model.Independent {
			g.Bias = make([]float32, k)
			for y := range g.Bias {
				g.Bias[y] = -independentPriorBias
			}
		}
		prior[part] = g
	}
	if !says {
		return nil
	}
	return prior
}

// LabelTexts returns the texts that say what a label means: its name and what else the label
// config says of it, and the lines that describe it.
func (q *Spec) LabelTexts(class int) []string {
	return append(LabelTexts(q.Control.Labels[class]), q.lines(class)...)
}

// lines returns the lines that describe a label.
func (q *Spec) lines(class int) []string {
	return q.described.Lines(q.Control.Name, q.Labels[class])
}

// anyLines reports whether lines describe any label.
func (q *Spec) anyLines() bool {
	for class := range q.Labels {
		if len(q.lines(class)) > 0 {
			return true
		}
	}
	return false
}

// SameLines reports whether the same lines describe the labels of another spec of the control.
func (q *Spec) SameLines(other *Spec) bool {
	for class := range q.Labels {
		if !slices.Equal(q.lines(class), other.lines(class)) {
			return false
		}
	}
	return true
}

// Meaning is what says what a label means, beside its name.
type Meaning struct {
	Label string
	// Hint is that of the label config, "" without one. Lines describe the label.
	Hint  string
	Lines []string
}

// Meanings returns what is known of each label, nil when the kind has no prior of labels.
func (q *Spec) Meanings() (all []Meaning) {
	if _, reads := q.Kind.(LabelPrior); !reads {
		return nil
	}
	for class, l := range q.Control.Labels {
		all = append(all, Meaning{q.Labels[class], l.Hint, q.lines(class)})
	}
	return all
}

// LabelTexts returns the texts that say what a label means: the value that annotators
// read, its tooltip, and the alias that results carry. None is there twice.
func LabelTexts(l labelconfig.Label) []string {
	value := l.Value
	if len(l.Path) > 1 {
		value = strings.Join(l.Path, " ")
	}
	var out []string
	seen := map[string]bool{"": true}
	for _, s := range []string{value, l.Hint, l.Alias} {
		if s = splitIdentifier(s); !seen[strings.ToLower(s)] {
			seen[strings.ToLower(s)] = true
			out = append(out, s)
		}
	}
	return out
}

// splitIdentifier puts spaces between the words of account_blocked, card-lost, cardLost.
func splitIdentifier(name string) string {
	var b strings.Builder
	last := ' '
	for _, r := range name {
		switch {
		case r == '_' || r == '-' || r == '/' || r == '.' || r == ':':
			r = ' '
		case unicode.IsUpper(r) && unicode.IsLower(last):
			b.WriteRune(' ')
		}
		b.WriteRune(r)
		last = r
	}
	return strings.Join(strings.Fields(b.String()), " ")
}

// accumulate adds x to sum, and returns it. A nil sum is zero.
func accumulate[F float32 | float64](sum []float64, x []F) []float64 {
	if sum == nil {
		sum = make([]float64, len(x))
	}
	for j := range min(len(x), len(sum)) {
		sum[j] += float64(x[j])
	}
	return sum
}

// normalize scales v to length 1. ok is false when v is zero, or nearly: it is zero then.
func normalize(v []float64) (ok bool) {
	var n2 float64
	for _, x := range v {
		n2 += x * x
	}
	if n2 < 1e-12 {
		clear(v)
		return false
	}
	n := math.Sqrt(n2)
	for j := range v {
		v[j] /= n
	}
	return true
}
