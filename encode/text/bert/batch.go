package bert

import (
	"cmp"
	"context"
	"slices"

	"github.com/hone-ml/hone/encode/text/wordpiece"
)

// textWindow holds the tokens of one window of a text. at is the window's place in its batch.
type textWindow struct {
	pieces []int32
	at     int
}

// EncodeBatch returns the vectors of texts, Encoder.Parts times Dim numbers each. The first part is of
// the middle layers, which know what kind of sentence it is: the mean of the tokens' vectors as
// they are before the gain and the bias of the layer's normalisation, at length 1, averaged over
// the layers. The last part is what the folder's model returns, which knows what the text is
// about; with an adapter it is the only one. Each has length 1. A text of more tokens than the network takes at once is read in
// windows of equal length without overlap, and has the normalised mean of their vectors. A text
// of which the network makes no finite numbers has no vector. EncodeBatch runs on one core. The
// only error is the context's, which it checks between groups of up to batchRows tokens, or one
// longer window.
func (e *Encoder) EncodeBatch(ctx context.Context, texts []string) ([][]float32, error) {
	all, owners, err := e.cutWindows(ctx, texts)
	if err != nil {
		return nil, err
	}
	sums := make([][Parts][]float64, len(all))
	s := e.free.acquire(e.model)
	defer e.free.release(s)
	for _, g := range e.groupWindows(all) {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		s.reset()
		for _, w := range g {
			s.addText(e.before, w.pieces, e.after)
		}
		s.forward()
		for j, w := range g {
			for part := range sums[w.at] {
				sums[w.at][part] = make([]float64, e.dim)
			}
			s.directions(&sums[w.at], j)
		}
	}
	vectors := make([][]float32, len(texts))
	for at := 0; at < len(sums); {
		i := owners[at]
		total := sums[at]
		for at++; at < len(sums) && owners[at] == i; at++ {
			for part := range total {
				for j, v := range sums[at][part] {
					total[part][j] += v
				}
			}
		}
		v, finite := make([]float32, e.Parts()*e.dim), true
		for part, sum := range total[Parts-e.Parts():] {
			finite = writeUnit(v[part*e.dim:][:e.dim], sum) && finite
		}
		if finite {
			vectors[i] = v
		}
	}
	return vectors, nil
}

// cutWindows cuts texts into windows. owners has the text of each.
func (e *Encoder) cutWindows(ctx context.Context, texts []string) (all []textWindow, owners []int, err error) {
	for i, text := range texts {
		if err := ctx.Err(); err != nil {
			return nil, nil, err
		}
		pieces := e.tokens.Append(nil, e.prepare(text), maxTokens)
		for _, w := range e.windowsOf(pieces) {
			all = append(all, textWindow{pieces[w.Start:w.End], len(all)})
			owners = append(owners, i)
		}
	}
	return all, owners, nil
}

// windowsOf returns the ranges of a text's tokens that go through the network at once: as few as
// possible, of equal length.
func (e *Encoder) windowsOf(pieces []int32) []wordpiece.Span {
	n := len(pieces)
	windows := make([]wordpiece.Span, max(1, (n+e.room-1)/e.room))
	for w := range windows {
		windows[w] = wordpiece.Span{Start: n * w / len(windows), End: n * (w + 1) / len(windows)}
	}
	return windows
}

// groupWindows puts windows into groups of up to batchRows tokens, or of one window. Windows of
// about equal lengths are together.
func (e *Encoder) groupWindows(all []textWindow) [][]textWindow {
	all = slices.Clone(all)
	slices.SortStableFunc(all, func(a, b textWindow) int { return cmp.Compare(len(b.pieces), len(a.pieces)) })
	around := len(e.before) + len(e.after)
	var groups [][]textWindow
	for len(all) > 0 {
		n, rows := 1, len(all[0].pieces)+around
		for n < len(all) && rows+len(all[n].pieces)+around <= batchRows {
			rows += len(all[n].pieces) + around
			n++
		}
		groups = append(groups, all[:n])
		all = all[n:]
	}
	return groups
}
