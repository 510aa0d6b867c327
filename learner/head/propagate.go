package head

import (
	"cmp"
	"math"
	"slices"

	"github.com/hone-ml/hone/labelstudio"
)

// sureEnough is the score from which the model's own spans are offered to an
// annotator who is at work: a wrong one costs them more than a missing one.
const sureEnough = 0.5

// stretch is a drawn span in tokens of the whole document.
type stretch struct {
	labelstudio.Span
	passage  int
	from, to int
	// fromCut and toCut are how far the span begins after its first token does, and
	// ends before its last does, in bytes.
	fromCut, toCut int
}

func (p spotter) Extend(id string, in Sample, drawn []labelstudio.Region, s *Scratch) ([]labelstudio.Region, float64) {
	d := p.document(in.Data)
	if d.count != len(in.X.Tokens) {
		return nil, 0
	}
	taken := make([]bool, d.count)
	var marks []stretch
	base := 0
	starts := d.starts()
	for i, passage := range d.passages {
		tokens := d.tokens[i]
		for _, span := range p.Control.Spans(drawn, passage).Spans {
			m := stretch{Span: span, passage: i}
			m.from, m.to = covered(tokens, span.Start, span.End)
			for j, t := range tokens {
				if t.Start < span.End && t.End > span.Start {
					taken[base+j] = true
				}
			}
			if m.from < m.to {
				m.fromCut = max(0, span.Start-tokens[m.from].Start)
				m.toCut = max(0, tokens[m.to-1].End-span.End)
				m.from, m.to = m.from+base, m.to+base
				marks = append(marks, m)
			}
		}
		base += len(tokens)
	}
	if !slices.Contains(taken, true) {
		return nil, 0
	}
	p.believe(in.X.Tokens, starts, s)
	confidence := p.sureness(s)
	var out []labelstudio.Region
	out = append(out, p.regionsOf(id, d, d.copies(marks, taken))...)
	for i, is := range taken {
		if is {
			s.belief.p[i*tags+outside], s.belief.p[i*tags+begins], s.belief.p[i*tags+inside] = 1, 0, 0
		}
	}
	own := slices.DeleteFunc(p.find(s), func(f found) bool {
		return f.score < sureEnough || slices.Contains(taken[f.from:f.to], true)
	})
	return append(out, p.regions(id, d, own)...), confidence
}

// copies are the places where the same words stand as in marks, in the same case,
// and no token is taken; their tokens then are. The longest marks go first, and of
// words that are marked with several labels the one used most, last if none is.
func (d document) copies(marks []stretch, taken []bool) map[int][]labelstudio.Span {
	type saying struct {
		words  []string
		mark   stretch
		labels map[string]int
	}
	var sayings []*saying
	for _, m := range marks {
		words := d.words(m.from, m.to)
		at := slices.IndexFunc(sayings, func(s *saying) bool { return slices.Equal(s.words, words) })
		if at < 0 {
			at = len(sayings)
			sayings = append(sayings, &saying{words: words, labels: map[string]int{}})
		}
		s := sayings[at]
		label := m.Labels[0]
		s.labels[label]++
		if s.mark.Labels == nil || s.labels[label] >= s.labels[s.mark.Labels[0]] {
			s.mark = m
		}
	}
	slices.SortStableFunc(sayings, func(a, b *saying) int { return cmp.Compare(len(b.words), len(a.words)) })
	out := map[int][]labelstudio.Span{}
	for _, s := range sayings {
		base := 0
		for i, tokens := range d.tokens {
			text := d.passages[i].Text
			for from := 0; from+len(s.words) <= len(tokens); from++ {
				to := from + len(s.words)
				if slices.Contains(taken[base+from:base+to], true) {
					continue
				}
				same := true
				for j, w := range s.words {
					t := tokens[from+j]
					same = same && text[t.Start:t.End] == w
				}
				if !same {
					continue
				}
				for j := from; j < to; j++ {
					taken[base+j] = true
				}
				out[i] = append(out[i], labelstudio.Span{
					Start: tokens[from].Start + s.mark.fromCut, End: tokens[to-1].End - s.mark.toCut,
					Labels: s.mark.Labels, Score: math.NaN(), // the annotator's word, not the model's
				})
			}
			base += len(tokens)
		}
	}
	return out
}

// words are the tokens' texts.
func (d document) words(from, to int) []string {
	var out []string
	base := 0
	for i, tokens := range d.tokens {
		for j, t := range tokens {
			if base+j >= from && base+j < to {
				out = append(out, d.passages[i].Text[t.Start:t.End])
			}
		}
		base += len(tokens)
	}
	return out
}

// regionsOf are spans of a document's passages as results.
func (p spotter) regionsOf(id string, d document, spans map[int][]labelstudio.Span) []labelstudio.Region {
	var out []labelstudio.Region
	for i, passage := range d.passages {
		out = append(out, p.Control.EncodeSpans(d.name(id, i), passage, spans[i])...)
	}
	return out
}
