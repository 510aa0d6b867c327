package bert

import (
	"context"

	"github.com/hone-ml/hone/encode/text/wordpiece"
)

// HasPlaces reports whether EncodeInContext is supported: whether the tokenizer knows where in a
// text its tokens stand.
func (e *Encoder) HasPlaces() bool { return e.tokens.HasSpans() }

// placeSum sums up the vectors of the tokens in a place of a text.
type placeSum struct {
	total []float64
	count int
}

// EncodeInContext returns one vector for each place in each text: the normalised mean of the
// contextual vectors of its tokens, by the layer in the middle of the network, or nil for a place
// without a token. The places of a text are ranges of bytes; they rise and do not overlap. A
// token that lies in several places counts for each. An adapter makes no difference. All else is as for EncodeBatch.
func (e *Encoder) EncodeInContext(ctx context.Context, texts []string, places [][]wordpiece.Span) ([][][]float32, error) {
	var all []textWindow
	var owners []int
	var spans [][]wordpiece.Span // of the tokens of each window
	sums := make([][]placeSum, len(texts))
	for i, text := range texts {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		sums[i] = make([]placeSum, len(places[i]))
		if len(places[i]) == 0 {
			continue
		}
		pieces, at := e.tokens.AppendSpans(nil, nil, e.prepare(text), maxTokens)
		for _, w := range e.windowsOf(pieces) {
			all = append(all, textWindow{pieces[w.Start:w.End], len(all)})
			owners, spans = append(owners, i), append(spans, at[w.Start:w.End])
		}
	}
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
		s.forwardEarly()
		for j, w := range g {
			i := owners[w.at]
			s.addPlaces(s.starts[j]+len(e.before), spans[w.at], places[i], sums[i])
		}
	}
	out := make([][][]float32, len(texts))
	for i := range out {
		out[i] = make([][]float32, len(places[i]))
		for j, sum := range sums[i] {
			if v := make([]float32, s.model.Width); sum.count > 0 && writeUnit(v, sum.total) {
				out[i][j] = v
			}
		}
	}
	return out, nil
}

// addPlaces adds the rows of a window's tokens, from row first on, to the sums of the places that
// they lie in. spans are the places of the tokens.
func (s *scratch) addPlaces(first int, spans, places []wordpiece.Span, sums []placeSum) {
	from := 0
	for i, at := range spans {
		for from < len(places) && places[from].End <= at.Start {
			from++
		}
		row := s.x[(first+i)*s.model.Width:][:s.model.Width]
		for j := from; j < len(places) && places[j].Start < at.End; j++ {
			if sums[j].total == nil {
				sums[j].total = make([]float64, s.model.Width)
			}
			accumulate(sums[j].total, row)
			sums[j].count++
		}
	}
}
