package span

import (
	"github.com/hone-ml/hone/labelstudio/regions"
	"github.com/hone-ml/hone/vector"
)

// Predictor answers with spans, from a Tagger as it was at one moment. It is immutable
// and read by any number of goroutines.
type Predictor struct {
	scheme *Scheme
	*View
}

// NewPredictor makes a predictor of a scheme's spans. The view is of a tagger with as many
// labels as the scheme has.
func NewPredictor(c *Scheme, v *View) Predictor { return Predictor{c, v} }

// Predict returns the spans of a task as regions whose ids begin with id, and how sure
// the model is of them, 0 to 1. tokens are the features of the same data.
func (p Predictor) Predict(id string, data []byte, tokens []vector.Vector, s *Scratch) ([]regions.Region, float64) {
	d := p.scheme.Document(data)
	if d.count != len(tokens) {
		return nil, 0 // another text than was encoded: cannot be
	}
	p.predictTokens(tokens, d.starts(), s)
	return p.candidateRegions(id, d, p.viterbi(s)), p.certainty(s)
}

// Certainty returns how sure the model is of the spans of a text, 0 to 1.
func (p Predictor) Certainty(tokens []vector.Vector, s *Scratch) float64 {
	p.predictTokens(tokens, nil, s)
	return p.certainty(s)
}

// candidateRegions returns spans of tokens as regions.
func (p Predictor) candidateRegions(id string, d Document, found []candidate) []regions.Region {
	var out []regions.Region
	base := 0
	for i, passage := range d.passages {
		tokens := d.tokens[i]
		var marked []regions.Span
		for _, f := range found {
			if f.from >= base && f.from < base+len(tokens) && !p.scheme.Silent[p.scheme.Labels[f.label]] {
				marked = append(marked, regions.Span{
					Start: tokens[f.from-base].Start, End: tokens[f.to-1-base].End,
					Labels: []string{p.scheme.Labels[f.label]}, Score: f.score,
				})
			}
		}
		out = append(out, regions.EncodeSpans(p.scheme.Control, d.idOf(id, i), passage, marked)...)
		base += len(tokens)
	}
	return out
}

// spanRegions returns spans of passages as regions.
func (p Predictor) spanRegions(id string, d Document, spans map[int][]regions.Span) []regions.Region {
	var out []regions.Region
	for i, passage := range d.passages {
		out = append(out, regions.EncodeSpans(p.scheme.Control, d.idOf(id, i), passage, spans[i])...)
	}
	return out
}
