package learner

import (
	"context"
	"fmt"
	"math"

	"github.com/hone-ml/hone/encode"
	"github.com/hone-ml/hone/event"
	"github.com/hone-ml/hone/internal/parallel"
	"github.com/hone-ml/hone/learner/head"
	"github.com/hone-ml/hone/vector"
)

// Vectors returns for each task, in order, a dense vector whose cosine tells how alike tasks are,
// of any length above 0, all of one dimension: what the first head with dense parts reads of a
// transformer's middle and last layers side by side, or of words where there is no transformer;
// where it reads tokens, the sum of theirs. It is nil for a task without text, for one of which a
// part has not arrived, and for all while nothing is known of the project. space is equal for
// vectors that can be compared. It waits for no vector. The error is the context's. Safe for
// concurrent use.
func (l *Learner) Vectors(ctx context.Context, p event.ProjectID, tasks []event.Task) (vectors [][]float32, space string, err error) {
	vectors = make([][]float32, len(tasks))
	s := l.snapshot(p)
	if s == nil {
		return vectors, "", ctx.Err()
	}
	for _, h := range s.heads {
		shares := comparedParts(h.Spec)
		if shares == nil {
			continue
		}
		err = parallel.ForEachChunk(ctx, len(tasks), func(_, from, to int) {
			var buffer vector.Buffer
			for i := from; i < to; i++ {
				vectors[i] = wholeText(s.features.Task(h.Spec, tasks[i].Data).Expand(&buffer), shares)
			}
		})
		return vectors, fmt.Sprintf("%s %v %x", s.features.Name(), shares, h.Seed), err
	}
	return vectors, "", ctx.Err()
}

// comparedParts returns the share of each dense part in the cosine of two tasks, those of the
// weights that heads begin with (ADR 30); nil without a part that can be compared.
func comparedParts(q *head.Spec) []float64 {
	for _, by := range []map[encode.Part]float64{{encode.Middle: 0.5, encode.Sentence: 1}, {encode.Words: 1}} {
		shares := make([]float64, len(q.Parts))
		sum := 0.0
		for i, kind := range q.Parts {
			shares[i] = by[kind]
			sum += shares[i]
		}
		if sum > 0 {
			return shares
		}
	}
	return nil
}

// wholeText returns the parts of a text's vector side by side, or the sum of its tokens' last
// parts; nil when numbers are missing.
func wholeText(x vector.Vector, shares []float64) (out []float32) {
	if len(x.Tokens) > 0 {
		return sumOfTokens(x.Tokens)
	}
	for i, share := range shares {
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
