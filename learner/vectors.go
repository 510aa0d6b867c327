package learner

import (
	"context"
	"fmt"
	"slices"

	"github.com/hone-ml/hone/encode"
	"github.com/hone-ml/hone/event"
	"github.com/hone-ml/hone/internal/parallel"
	"github.com/hone-ml/hone/learner/head"
	"github.com/hone-ml/hone/vector"
)

// Vectors returns for each task, in order, a dense vector that is near those of tasks alike, of
// any length above 0: what the first head with dense parts reads of the middle layers, else of
// sentences, else of words; where it reads tokens, the sum of theirs. It is nil for a task
// without text, for one whose vector has not arrived, and for all while nothing is known of the
// project. space is equal for vectors that can be compared. It waits for no vector. The error is
// the context's. Safe for concurrent use.
func (l *Learner) Vectors(ctx context.Context, p event.ProjectID, tasks []event.Task) (vectors [][]float32, space string, err error) {
	vectors = make([][]float32, len(tasks))
	s := l.snapshot(p)
	if s == nil {
		return vectors, "", ctx.Err()
	}
	for _, h := range s.heads {
		part := comparablePart(h.Spec)
		if part < 0 {
			continue
		}
		err = parallel.ForEachChunk(ctx, len(tasks), func(_, from, to int) {
			var buffer vector.Buffer
			for i := from; i < to; i++ {
				vectors[i] = wholeText(s.features.Task(h.Spec, tasks[i].Data).Expand(&buffer), part)
			}
		})
		return vectors, fmt.Sprintf("%s %d %x", s.features.Name(), part, h.Seed), err
	}
	return vectors, "", ctx.Err()
}

// comparablePart returns the dense part by which tasks are compared, -1 if there is none.
func comparablePart(q *head.Spec) int {
	for _, kind := range []encode.Part{encode.Middle, encode.Sentence, encode.Words} {
		if i := slices.Index(q.Parts, kind); i >= 0 {
			return i
		}
	}
	return -1
}

// wholeText returns a part of a text's vector, or the sum of its tokens' last parts; nil without
// numbers.
func wholeText(x vector.Vector, part int) (sum []float32) {
	if part < len(x.Dense) && len(x.Dense[part]) > 0 {
		return slices.Clone(x.Dense[part])
	}
	for _, t := range x.Tokens {
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
