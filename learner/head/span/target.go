package span

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/hone-ml/hone/encode/text/token"
	"github.com/hone-ml/hone/labelstudio/labelconfig"
	"github.com/hone-ml/hone/labelstudio/regions"
	"github.com/hone-ml/hone/learner/model"
)

// Scheme is a control that labels spans, with the objects in which they are marked. It is
// immutable.
type Scheme struct {
	Control labelconfig.Control
	Objects []labelconfig.Object
	Labels  []string         // by class
	Classes map[string]int32 // by label
	Silent  map[string]bool  // labels with which no span is predicted
}

// Document cuts the data of a task into tokens.
func (c *Scheme) Document(data []byte) Document { return NewDocument(c.Objects, data) }

// Target returns the target of a document whose annotator drew these regions. A share's
// class is token * 2 labels + 2 label at the beginning of a span, and one more inside of
// it. Tokens outside of spans have no share. ok is false when the annotator said nothing
// of the control. The error is of regions that are outside of the text, when no others
// are left: to learn that there is no span would be wrong.
func (c *Scheme) Target(d Document, drawn []regions.Region) (shares []model.Share, ok bool, err error) {
	lost, base := 0, 0
	for i, p := range d.passages {
		a := regions.Spans(c.Control, drawn, p)
		ok = ok || a.OK
		lost += a.Lost
		shares = append(shares, c.shares(a.Spans, d.tokens[i], base)...)
		base += len(d.tokens[i])
	}
	if lost > 0 && len(shares) == 0 {
		return nil, false, fmt.Errorf("%d regions are outside of the text, or have no label of the control", lost)
	}
	return shares, ok, nil
}

// shares returns the target of a passage's tokens; base counts the tokens of earlier
// passages. Of spans that share a token the one that starts first is kept, and of those
// the longest.
func (c *Scheme) shares(marked []regions.Span, tokens []token.Token, base int) []model.Share {
	marked = slices.Clone(marked)
	slices.SortStableFunc(marked, func(a, b regions.Span) int {
		return cmp.Or(cmp.Compare(a.Start, b.Start), cmp.Compare(b.End, a.End))
	})
	var out []model.Share
	free := 0 // the first token that no span holds
	for _, s := range marked {
		from, to := tokensCovered(tokens, s.Start, s.End)
		if from < free || from == to {
			continue
		}
		free = to
		p := 1 / float32(len(s.Labels))
		for i := from; i < to; i++ {
			for _, l := range s.Labels {
				class := int32(2*len(c.Labels)*(base+i)) + 2*c.Classes[l]
				if i > from {
					class++
				}
				out = append(out, model.Share{Class: class, P: p})
			}
		}
	}
	return out
}

// splitTarget gives each of n tokens its part of an example's target, with classes
// counted from the token's own first.
func splitTarget(e model.Example, labels int) ([][]model.Share, error) {
	out := make([][]model.Share, len(e.X.Tokens))
	k := int32(2 * labels)
	for _, s := range e.Target {
		i := s.Class / k
		if s.Class < 0 || int(i) >= len(out) {
			return nil, fmt.Errorf("example %d: class %d is of no token of %d", e.ID, s.Class, len(out))
		}
		if s.P > 0 {
			out[i] = append(out[i], model.Share{Class: s.Class % k, P: s.P})
		}
	}
	return out, nil
}

// tagTarget returns a token's target for the boundary model.
func tagTarget(shares []model.Share) []model.Share {
	var p [numTags]float32
	for _, s := range shares {
		p[tagB+s.Class%2] += s.P
	}
	p[tagO] = max(0, 1-p[tagB]-p[tagI])
	out := make([]model.Share, 0, numTags)
	for y, v := range p {
		if v > 0 {
			out = append(out, model.Share{Class: int32(y), P: min(v, 1)})
		}
	}
	return out
}

// labelTarget returns a token's target for the label model, and its weight: the share of
// annotators who had the token in a span.
func labelTarget(shares []model.Share) (target []model.Share, weight float64) {
	var sum float32
	for _, s := range shares {
		sum += s.P
	}
	for _, s := range shares {
		if last := len(target) - 1; last >= 0 && target[last].Class == s.Class/2 {
			target[last].P += s.P / sum
			continue
		}
		target = append(target, model.Share{Class: s.Class / 2, P: s.P / sum})
	}
	for i := range target {
		target[i].P = min(target[i].P, 1)
	}
	return target, float64(sum)
}
