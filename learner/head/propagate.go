package head

import (
	"cmp"
	"math"
	"slices"

	"github.com/hone-ml/hone/labelstudio/regions"
)

// minInteractiveScore is the score from which the model's own spans are offered to an
// annotator who is at work: a wrong one costs them more than a missing one.
const minInteractiveScore = 0.5

// drawnSpan is a drawn span in tokens of the whole document.
type drawnSpan struct {
	regions.Span
	passage  int
	from, to int
	// fromCut and toCut are how far the span begins after its first token does, and
	// ends before its last does, in bytes.
	fromCut, toCut int
}

func (p spansPredictor) Extend(id string, in Sample, drawn []regions.Region, s *Scratch) ([]regions.Region, float64) {
	d := p.document(in.Data)
	if d.count != len(in.X.Tokens) {
		return nil, 0
	}
	taken := make([]bool, d.count)
	var marks []drawnSpan
	base := 0
	starts := d.starts()
	for i, passage := range d.passages {
		tokens := d.tokens[i]
		for _, span := range regions.Spans(p.Control, drawn, passage).Spans {
			m := drawnSpan{Span: span, passage: i}
			m.from, m.to = tokensCovered(tokens, span.Start, span.End)
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
	p.predictTokens(in.X.Tokens, starts, s)
	confidence := p.certainty(s)
	var out []regions.Region
	out = append(out, p.regionsOf(id, d, d.repeats(marks, taken))...)
	for i, is := range taken {
		if is {
			s.tokenProbs.p[i*tags+tagO], s.tokenProbs.p[i*tags+tagB], s.tokenProbs.p[i*tags+tagI] = 1, 0, 0
		}
	}
	own := slices.DeleteFunc(p.viterbi(s), func(f candidate) bool {
		return f.score < minInteractiveScore || slices.Contains(taken[f.from:f.to], true)
	})
	return append(out, p.regions(id, d, own)...), confidence
}

// repeats are the places where the same words stand as in marks, in the same case,
// and no token is taken; their tokens then are. The longest marks go first, and of
// words that are marked with several labels the one used most, last if none is.
func (d document) repeats(marks []drawnSpan, taken []bool) map[int][]regions.Span {
	type phrase struct {
		words  []string
		mark   drawnSpan
		labels map[string]int
	}
	var phrases []*phrase
	for _, m := range marks {
		words := d.words(m.from, m.to)
		at := slices.IndexFunc(phrases, func(s *phrase) bool { return slices.Equal(s.words, words) })
		if at < 0 {
			at = len(phrases)
			phrases = append(phrases, &phrase{words: words, labels: map[string]int{}})
		}
		s := phrases[at]
		label := m.Labels[0]
		s.labels[label]++
		if s.mark.Labels == nil || s.labels[label] >= s.labels[s.mark.Labels[0]] {
			s.mark = m
		}
	}
	slices.SortStableFunc(phrases, func(a, b *phrase) int { return cmp.Compare(len(b.words), len(a.words)) })
	out := map[int][]regions.Span{}
	for _, s := range phrases {
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
				out[i] = append(out[i], regions.Span{
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
func (p spansPredictor) regionsOf(id string, d document, spans map[int][]regions.Span) []regions.Region {
	var out []regions.Region
	for i, passage := range d.passages {
		out = append(out, regions.EncodeSpans(p.Control, d.name(id, i), passage, spans[i])...)
	}
	return out
}
