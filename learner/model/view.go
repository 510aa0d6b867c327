package model

import (
	"slices"

	"github.com/hone-ml/hone/vector"
)

// View is the state of a model at one moment. It is immutable: any number of goroutines may
// read it without a lock while the model goes on learning.
type View struct {
	link         Link
	settings     Settings
	weights      weightsView
	examples     int
	noLabelCount int
	classCounts  []int
}

// View returns an immutable view of the model as it is now. It costs a copy of the page
// table, and later a copy of each page when the model first writes to it.
func (m *Model) View() *View {
	return &View{link: m.link, settings: m.settings, weights: m.w.snapshot(), examples: len(m.examples), noLabelCount: m.noLabelCount, classCounts: slices.Clone(m.classCounts)}
}

// Classes is the number of classes.
func (v *View) Classes() int { return v.weights.classes }

// Link returns how the classes relate.
func (v *View) Link() Link { return v.link }

// Examples returns how many examples the model had.
func (v *View) Examples() int { return v.examples }

// ClassCounts returns for how many examples each class holds: for how many it has at least half
// of the annotators' shares. The caller must not write to it.
func (v *View) ClassCounts() []int { return v.classCounts }

// NoLabelShare returns the share of examples for which no class holds, smoothed as if two more
// examples had been seen of which half a one had no class.
func (v *View) NoLabelShare() float64 {
	return (float64(v.noLabelCount) + 0.5) / (float64(v.examples) + 2)
}

// Scratch is working memory for Predict. Each goroutine needs its own.
type Scratch struct {
	margins []float32
	buffer  vector.Buffer
}

// floats returns room for n margins, valid until the next call.
func (s *Scratch) floats(n int) []float32 {
	if cap(s.margins) < n {
		s.margins = make([]float32, n)
	}
	return s.margins[:n]
}

// Predict fills p with the probabilities of a text, one for each class. It allocates nothing
// once s has been used.
func (v *View) Predict(x vector.Vector, p []float64, s *Scratch) {
	margins := s.floats(v.weights.classes)
	v.weights.margins(x.Expand(&s.buffer), &v.settings, margins)
	p, power := p[:len(margins)], v.settings.power()
	for y, m := range margins {
		p[y] = power * float64(m)
	}
	v.link.probabilities(p, p)
}

// Predict returns what View().Predict would, without making a view.
func (m *Model) Predict(x vector.Vector, p []float64, s *Scratch) {
	v := View{link: m.link, settings: m.settings, weights: m.w.current()}
	v.Predict(x, p, s)
}

// PredictExample is Predict for an example, whether or not it is one of the model's.
func (m *Model) PredictExample(e Example, p []float64, s *Scratch) { m.Predict(e.X, p, s) }

// NoLabelShare returns what View().NoLabelShare would, without making a view.
func (m *dual) NoLabelShare() float64 {
	return (&View{examples: len(m.examples), noLabelCount: m.noLabelCount}).NoLabelShare()
}
