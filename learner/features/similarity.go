package features

import (
	"fmt"
	"math"
	"slices"

	"github.com/hone-ml/hone/encode"
	"github.com/hone-ml/hone/learner/head"
	"github.com/hone-ml/hone/vector"
)

// Similarity computes vectors whose cosine tells how alike tasks are: the parts that a transformer
// makes of a text side by side, each with the weight that it has in a head's kernel, the adapted part
// too, or the part of words where there is no transformer; where a head reads tokens, the sum of
// theirs. It is safe for concurrent use.
type Similarity struct {
	features *Extractor
	spec     *head.Spec
	shares   []float64 // of each dense part in the cosine
}

// beginning are the weights that heads begin with (ADR 30). An adapted part has none until the labels
// give it one.
var beginning = map[encode.Part]float64{encode.Middle: 0.5, encode.Sentence: 1, encode.Words: 1}

// Similarity returns that of a head whose kernel gives the parts of features some weights, the hashed
// part first. A part that is not in there has the weight that heads begin with. ok is false when the
// head reads nothing that can be compared.
func (f *Extractor) Similarity(q *head.Spec, weights []float64) (c Similarity, ok bool) {
	c = Similarity{f, q, make([]float64, len(q.Parts))}
	network := slices.ContainsFunc(q.Parts, func(p encode.Part) bool { return p != encode.Words })
	for _, learned := range []bool{true, false} { // false where no weight is left
		for i, kind := range q.Parts {
			switch {
			case network && kind == encode.Words:
				continue
			case learned && i+1 < len(weights):
				c.shares[i] = weights[i+1]
			default:
				c.shares[i] = beginning[kind]
			}
			ok = ok || c.shares[i] > 0
		}
		if ok {
			return c, true
		}
	}
	return Similarity{}, false
}

// Space is equal where vectors can be compared.
func (c Similarity) Space() string {
	return fmt.Sprintf("%s %v %x", c.features.Name(), c.shares, c.spec.Seed)
}

// Vector returns the vector of a task, all of one dimension; nil without text, and when a part has
// not arrived. The buffer is for one goroutine.
func (c Similarity) Vector(data []byte, b *vector.Buffer) (out []float32) {
	x := c.features.Task(c.spec, data).Expand(b)
	if len(x.Tokens) > 0 {
		return sumOfTokens(x.Tokens)
	}
	for i, share := range c.shares {
		if share == 0 {
			continue
		}
		if i >= len(x.Dense) || len(x.Dense[i]) == 0 {
			return nil
		}
		scale := float32(math.Sqrt(share))
		for _, v := range x.Dense[i] {
			out = append(out, scale*v)
		}
	}
	return out
}

// sumOfTokens adds the last parts of tokens; nil when none has numbers.
func sumOfTokens(tokens []vector.Vector) (sum []float32) {
	for _, t := range tokens {
		if len(t.Dense) == 0 {
			continue
		}
		last := t.Dense[len(t.Dense)-1]
		if sum == nil && len(last) > 0 {
			sum = make([]float32, len(last))
		}
		for i, v := range last[:min(len(last), len(sum))] {
			sum[i] += v
		}
	}
	return sum
}
