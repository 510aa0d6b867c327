package minilm

import (
	"context"
	"slices"

	"github.com/hone-ml/hone/encode/text/wordpiece"
)

// contextLayers is how many layers EncodeInContext uses. The last ones turn towards
// what the text as a whole means; what a word is in its sentence is told best by
// those in the middle (Liu et al. 2019, "Linguistic Knowledge and Transferability of
// Contextual Representations").
const contextLayers = 3

// earlyLayers is the first layers, of which the last one normalises without a gain and a
// bias of its own: so every dimension is around zero and counts alike, whatever its
// part in the layers that are left out.
func earlyLayers(all []layer) []layer {
	early := slices.Clone(all[:contextLayers])
	n := layerNorm{make([]float32, hiddenSize), make([]float32, hiddenSize)}
	for i := range n.weight {
		n.weight[i] = 1
	}
	early[contextLayers-1].norm2 = n
	return early
}

// EncodeInContext gives each place in each text the direction of the mean of its word
// pieces as they are in their context, Dim numbers of length 1, or nil when no piece
// is there. Places of a text are in bytes, rise and do not overlap; a piece that stands
// in several counts for each. Texts of more than MaxPieces are read in windows, the
// first MaxWindows of them, alike in length and without overlap. A text has bit for bit
// the same vectors whatever is encoded beside it, as long as the encoder
// has the same Name. It runs on one core. The only error
// is the context's, which is looked at every few milliseconds.
func (e *Encoder) EncodeInContext(ctx context.Context, texts []string, places [][]wordpiece.Span) ([][][]float32, error) {
	w := e.Windowed()
	s := e.free.acquire()
	defer e.free.release(s)
	var all []textWindow
	var owners []int                                 // the text of each window
	spans := make([][]wordpiece.Span, 0, len(texts)) // of the pieces of each window
	for i, text := range texts {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		if len(places[i]) == 0 {
			continue
		}
		pieces, at := e.tokens.AppendSpans(nil, nil, text, w.maxPieces())
		count := windowCount(len(pieces))
		for j := range count {
			from, to := windowBounds(len(pieces), count, j)
			all = append(all, textWindow{pieces[from:to], len(owners)})
			owners, spans = append(owners, i), append(spans, at[from:to])
		}
	}
	sums := make([][][hiddenSize]float64, len(texts))
	counts := make([][]int, len(texts))
	for i, p := range places {
		sums[i], counts[i] = make([][hiddenSize]float64, len(p)), make([]int, len(p))
	}
	for _, g := range groupWindows(all) {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		s.reset()
		for _, p := range g {
			s.addText(p.pieces)
		}
		e.model.forward(s, e.model.contextLayers)
		for j, p := range g {
			i := owners[p.at]
			s.addToSpans(j, spans[p.at], places[i], sums[i], counts[i])
		}
	}
	out := make([][][]float32, len(texts))
	for i := range out {
		out[i] = make([][]float32, len(places[i]))
		for j, n := range counts[i] {
			if n > 0 {
				v := make([]float32, hiddenSize)
				normalize(v, &sums[i][j])
				out[i][j] = v
			}
		}
	}
	return out, nil
}

// addToSpans adds the rows of a window, the text-th of the batch, to the sums of the places
// in which their pieces stand.
func (s *scratch) addToSpans(text int, spans, places []wordpiece.Span, sums [][hiddenSize]float64, counts []int) {
	first := 0
	for i, at := range spans {
		for first < len(places) && places[first].End <= at.Start {
			first++
		}
		row := s.x[(s.starts[text]+1+i)*hiddenSize:][:hiddenSize] // the first is [CLS]
		for j := first; j < len(places) && places[j].Start < at.End; j++ {
			accumulate(&sums[j], row)
			counts[j]++
		}
	}
}
