package span

import (
	"cmp"
	"math"
	"slices"

	"github.com/hone-ml/hone/encode/text/token"
	"github.com/hone-ml/hone/labelstudio/regions"
	"github.com/hone-ml/hone/vector"
)

// minInteractiveScore is the score from which the model's own spans are offered to an
// annotator who is at work: a wrong one costs them more than a missing one.
const minInteractiveScore = 0.5

// drawnSpan is a span that the annotator drew, in tokens of the whole document.
type drawnSpan struct {
	regions.Span
	passage  int
	from, to int
	// fromCut is how many bytes after the start of its first token the span starts, and
	// toCut how many before the end of its last token it ends.
	fromCut, toCut int
}

// Propagate returns the spans that follow from those an annotator has drawn in a task: the
// same words elsewhere, labelled alike, and spans that the model is sure of. None overlaps
// what is drawn, or another. There are none when nothing is drawn of the control; it works
// before anything was learned. The rest is as in Predict.
func (p Predictor) Propagate(id string, data []byte, tokens []vector.Vector, drawn []regions.Region, s *Scratch) ([]regions.Region, float64) {
	d := p.scheme.Document(data)
	if d.count != len(tokens) {
		return nil, 0
	}
	spans, taken := p.drawnSpans(d, drawn)
	if !slices.Contains(taken, true) {
		return nil, 0
	}
	p.predictTokens(tokens, d.starts(), s)
	confidence := p.certainty(s)
	repeats := d.repeats(spans, taken)
	for i := range repeats {
		repeats[i] = slices.DeleteFunc(repeats[i], func(r regions.Span) bool { return p.scheme.Silent[r.Labels[0]] })
	}
	out := p.spanRegions(id, d, repeats)
	for i, is := range taken {
		if is {
			tags := s.probs.ofTags(i)
			tags[tagO], tags[tagB], tags[tagI] = 1, 0, 0
		}
	}
	own := slices.DeleteFunc(p.viterbi(s), func(f candidate) bool {
		return f.score < minInteractiveScore || slices.Contains(taken[f.from:f.to], true)
	})
	return append(out, p.candidateRegions(id, d, own)...), confidence
}

// drawnSpans returns the drawn spans that hold a token, and which tokens of the document
// they touch.
func (p Predictor) drawnSpans(d Document, drawn []regions.Region) (spans []drawnSpan, taken []bool) {
	taken = make([]bool, d.count)
	base := 0
	for i, passage := range d.passages {
		tokens := d.tokens[i]
		for _, span := range regions.Spans(p.scheme.Control, drawn, passage).Spans {
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
				spans = append(spans, m)
			}
		}
		base += len(tokens)
	}
	return spans, taken
}

// phrase is the words of drawn spans.
type phrase struct {
	words  []string
	drawn  drawnSpan      // the last one with the label used most
	labels map[string]int // how often each label was drawn
}

// phrases returns the words of drawn spans, the longest first.
func (d Document) phrases(drawn []drawnSpan) []*phrase {
	var out []*phrase
	for _, m := range drawn {
		words := d.words(m.from, m.to)
		at := slices.IndexFunc(out, func(s *phrase) bool { return slices.Equal(s.words, words) })
		if at < 0 {
			at = len(out)
			out = append(out, &phrase{words: words, labels: map[string]int{}})
		}
		s := out[at]
		label := m.Labels[0]
		s.labels[label]++
		if s.drawn.Labels == nil || s.labels[label] >= s.labels[s.drawn.Labels[0]] {
			s.drawn = m
		}
	}
	slices.SortStableFunc(out, func(a, b *phrase) int { return cmp.Compare(len(b.words), len(a.words)) })
	return out
}

// repeats returns the places where the words of drawn spans stand again, in the same case,
// by passage, and marks their tokens as taken. A place with a taken token is left out.
// The longest phrases go first. Words that are drawn with several labels get the one used
// most, and of those used equally often the last.
func (d Document) repeats(drawn []drawnSpan, taken []bool) map[int][]regions.Span {
	out := map[int][]regions.Span{}
	for _, s := range d.phrases(drawn) {
		base := 0
		for i, tokens := range d.tokens {
			for from := 0; from+len(s.words) <= len(tokens); from++ {
				to := from + len(s.words)
				if slices.Contains(taken[base+from:base+to], true) || !s.standsAt(d.passages[i].Text, tokens[from:to]) {
					continue
				}
				for j := from; j < to; j++ {
					taken[base+j] = true
				}
				out[i] = append(out[i], regions.Span{
					Start: tokens[from].Start + s.drawn.fromCut, End: tokens[to-1].End - s.drawn.toCut,
					Labels: s.drawn.Labels, Score: math.NaN(), // the annotator's word, not the model's
				})
			}
			base += len(tokens)
		}
	}
	return out
}

// standsAt reports whether the tokens of a text are the phrase, of which they have the length.
func (s *phrase) standsAt(text string, tokens []token.Token) bool {
	for i, w := range s.words {
		if text[tokens[i].Start:tokens[i].End] != w {
			return false
		}
	}
	return true
}
