package learner

import (
	"context"

	"github.com/hone-ml/hone/event"
	"github.com/hone-ml/hone/internal/parallel"
	"github.com/hone-ml/hone/vector"
)

// Vectors returns for each task, in order, a vector whose cosine tells how alike tasks are, of any
// length above 0, by the first head that has a features.Similarity. It is nil for a task without
// text, for one of which a part has not arrived, and for all while nothing is known of the
// project. space is equal for vectors that can be compared. It waits for no vector. The error is
// the context's. Safe for concurrent use.
func (l *Learner) Vectors(ctx context.Context, p event.ProjectID, tasks []event.Task) (vectors [][]float32, space string, err error) {
	vectors = make([][]float32, len(tasks))
	s := l.snapshot(p)
	if s == nil {
		return vectors, "", ctx.Err()
	}
	for _, h := range s.heads {
		if c, ok := s.features.Similarity(h.Spec, h.weights); ok {
			err = parallel.ForEachChunk(ctx, len(tasks), func(_, from, to int) {
				var b vector.Buffer
				for i := from; i < to; i++ {
					vectors[i] = c.Vector(tasks[i].Data, &b)
				}
			})
			return vectors, c.Space(), err
		}
	}
	return vectors, "", ctx.Err()
}
