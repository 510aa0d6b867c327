package encode

import (
	"math"
	"slices"

	"github.com/hone-ml/hone/encode/text/token"
	"github.com/hone-ml/hone/vector"
)

// EncodeTokens returns the features of each token of a text, for models that label tokens:
// those of token.Encode with the vectors of words, and of tokens in their context, that the
// encoder has. It is safe for concurrent use.
func EncodeTokens(e Encoder, text string, tokens []token.Token) []vector.Vector {
	if len(tokens) == 0 {
		return nil
	}
	return token.Encode(text, tokens, wordEncoderOf(e), tokenVectorsOf(e, text, tokens))
}

// wordEncoderOf returns the part of an encoder that has vectors of single words, nil if none has.
func wordEncoderOf(e Encoder) token.WordEmbedder {
	if f, ok := e.(interface{ Fast() Encoder }); ok {
		e = f.Fast()
	}
	if j, ok := e.(*union); ok {
		for _, d := range j.dense {
			if w, ok := d.(token.WordEmbedder); ok {
				return w
			}
		}
	}
	return nil
}

// contextual is an encoder that may have vectors of tokens in their context.
type contextual interface {
	// InContext returns the vectors in context of tokens, which are those of token.Segment for
	// the text: a list for each encoder that has such vectors, with one for each token. A list
	// that has not been computed yet is nil.
	InContext(text string, tokens []token.Token) [][][]float32
}

// tokenVectorsOf returns the vectors in context of a text's tokens, a list for each encoder that
// has such vectors. Vectors that are missing are nil.
func tokenVectorsOf(e Encoder, text string, tokens []token.Token) [][][]float32 {
	c, ok := e.(contextual)
	if !ok {
		return nil
	}
	whole := token.Segment(nil, text)
	all := c.InContext(text, whole)
	same := slices.Equal(whole, tokens)
	for i, xs := range all {
		switch {
		case xs == nil:
			all[i] = make([][]float32, len(tokens))
		case !same:
			// The text was cut into parts first, as a document is at its tags, and then into
			// tokens.
			all[i] = alignToTokens(xs, whole, tokens)
		}
	}
	return all
}

// alignToTokens returns for each token the normalized sum of the vectors xs of those tokens in
// whole that it overlaps. Both lists are in order and without overlaps.
func alignToTokens(xs [][]float32, whole, tokens []token.Token) [][]float32 {
	out := make([][]float32, len(tokens))
	first := 0
	for i, t := range tokens {
		for first < len(whole) && whole[first].End <= t.Start {
			first++
		}
		var sum []float64
		for j := first; j < len(whole) && whole[j].Start < t.End; j++ {
			if xs[j] == nil {
				continue
			}
			if out[i] == nil {
				out[i] = xs[j]
				continue
			}
			if sum == nil {
				sum = make([]float64, len(xs[j]))
				addVector(sum, out[i])
			}
			addVector(sum, xs[j])
		}
		if sum != nil {
			out[i] = normalized(sum)
		}
	}
	return out
}

func addVector(sum []float64, x []float32) {
	for k, v := range x {
		sum[k] += float64(v)
	}
}

// normalized returns sum at length 1, nil if it is zero.
func normalized(sum []float64) []float32 {
	var squares float64
	for _, v := range sum {
		squares += float64(v * v) // the conversion forbids a fused, so differently rounded, addition
	}
	if squares == 0 {
		return nil
	}
	x := make([]float32, len(sum))
	for k, v := range sum {
		x[k] = float32(v / math.Sqrt(squares))
	}
	return x
}
