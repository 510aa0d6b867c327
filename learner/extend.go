package learner

import (
	"cmp"
	"context"
	"math"
	"slices"

	"github.com/hone-ml/hone/event"
	"github.com/hone-ml/hone/labelstudio"
)

// sureEnough is the score from which the model's own spans are offered to an
// annotator who is at work: a wrong one costs them more than a missing one.
const sureEnough = 0.5

// Extend answers an annotator who is at work on a task, from the project's last
// snapshot: drawn is what they drew so far. Controls that label spans answer with
// the same words elsewhere in the task, labelled alike, and with spans the model is
// sure of, neither of which overlaps what is drawn; they need not have learned
// anything. Other controls answer as in Predict. With nothing drawn, but for hints,
// the answer has no regions. Project and config are as in Predict. Safe for
// concurrent use.
func (l *Learner) Extend(ctx context.Context, p event.ProjectID, labelConfig string, task event.Task, drawn []labelstudio.Region) (labelstudio.Prediction, error) {
	if p == 0 {
		ids := l.Projects()
		if len(ids) > 1 {
			return labelstudio.Prediction{}, ErrWhichProject
		}
		if len(ids) == 1 {
			p = ids[0]
		}
	}
	s := l.snapshot(p)
	if s == nil || !l.fits(s, labelConfig) {
		return labelstudio.Prediction{}, ctx.Err()
	}
	out := labelstudio.Prediction{Result: []labelstudio.Region{}, ModelVersion: s.status.Version}
	drawn = slices.Clone(drawn)
	drawn = slices.DeleteFunc(drawn, func(r labelstudio.Region) bool { return r.Hint })
	if len(drawn) == 0 {
		return out, ctx.Err()
	}
	if known := s.known(); len(known) > 0 {
		l.encodeNow(ctx, known, []event.Task{task})
	}
	var scratch scratch
	var sum float64
	answered := 0
	for i, h := range s.heads {
		e, extends := h.mind.(interactive)
		x, ok := l.featuresOf(s.heads, i, task.Data)
		if !ok || !extends && h.mind.Examples() == 0 {
			continue
		}
		id := "hone/" + h.control.Name
		var said []labelstudio.Region
		var confidence float64
		if extends {
			said, confidence = e.extend(id, input{task.Data, x}, drawn, &scratch)
		} else {
			said, confidence = h.mind.answer(id, input{task.Data, x}, &scratch)
		}
		sum += confidence
		answered++
		out.Result = append(out.Result, said...)
	}
	out.Score = min(max(sum/float64(max(1, answered)), leastScore), 1)
	return out, ctx.Err()
}

// stretch is a drawn span in tokens of the whole document.
type stretch struct {
	labelstudio.Span
	passage  int
	from, to int
	// fromCut and toCut are how far the span begins after its first token does, and
	// ends before its last does, in bytes.
	fromCut, toCut int
}

func (p spotter) extend(id string, in input, drawn []labelstudio.Region, s *scratch) ([]labelstudio.Region, float64) {
	d := p.document(in.data)
	if d.count != len(in.x.Tokens) {
		return nil, 0
	}
	taken := make([]bool, d.count)
	var marks []stretch
	base := 0
	starts := d.starts()
	for i, passage := range d.passages {
		tokens := d.tokens[i]
		for _, span := range p.control.Spans(drawn, passage).Spans {
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
	p.believe(in.x.Tokens, starts, s)
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
		out = append(out, p.control.EncodeSpans(d.name(id, i), passage, spans[i])...)
	}
	return out
}
