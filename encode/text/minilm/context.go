package minilm

import (
	"context"
	"slices"

	"github.com/hone-ml/hone/encode/text/wordpiece"
)

// contextLayers is how many layers EncodeInContext uses. The last layers represent the
// whole text; those in the middle represent best what a word is in its sentence (Liu et
// al. 2019, "Linguistic Knowledge and Transferability of Contextual Representations").
const contextLayers = 3

// earlyLayers returns the first contextLayers layers. The last of them normalises without
// gain and bias, so that every dimension is around zero and has the same weight, whatever
// the left-out layers make of it.
func earlyLayers(all []layer) []layer {
	early := slices.Clone(all[:contextLayers])
	n := layerNorm{make([]float32, hiddenSize), make([]float32, hiddenSize)}
	for i := range n.weight {
		n.weight[i] = 1
	}
	early[contextLayers-1].norm2 = n
	return early
}

// EncodeInContext returns one vector for each place in each text: the normalised mean of
// the contextual vectors of its word pieces, Dim numbers of length 1, or nil for a place
// without a piece. The places of a text are ranges of bytes; they rise and do not overlap.
// A piece that lies in several places counts for each. A text of more than MaxPieces is
// read in up to MaxWindows windows of equal length without overlap. Equal texts have equal
// vectors to the bit, whatever else is in the batch, as long as Name is the same. It runs
// on one core. The only error is the context's, which it checks every few milliseconds.
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

// addToSpans adds the rows of window number text of the batch to the sums of the places
// that their pieces lie in, and counts them. spans are the places of the pieces.
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
