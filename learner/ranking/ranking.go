// Package ranking computes what tasks of a pool are ranked by: how sure heads are of them, how
// alike they are, and sketches, from which the former can be told nearly as well without the
// tasks' data.
package ranking

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/hone-ml/hone/event"
	"github.com/hone-ml/hone/internal/parallel"
	"github.com/hone-ml/hone/learner/features"
	"github.com/hone-ml/hone/learner/head"
	"github.com/hone-ml/hone/vector"
)

// Head is the model of a control.
type Head struct {
	*head.Spec
	Predictor head.Predictor
}

// Reader reads tasks with the heads of one snapshot. It is safe for concurrent use.
type Reader struct {
	Heads    []Head
	Features *features.Extractor
	// Hidden returns the names of the controls that annotators would not see with what is
	// predicted of a task; nil: they see all.
	Hidden func(data json.RawMessage, s *head.Scratch) map[string]bool
}

// Estimates returns for each task, in order, the estimate of each head that finds a text. The
// error is the context's.
func (r Reader) Estimates(ctx context.Context, tasks []event.Task) ([][]event.Estimate, error) {
	return r.estimates(ctx, len(tasks), func(i, j int, _ *vector.Buffer) head.Sample {
		return head.Sample{Data: tasks[i].Data, X: r.Features.Task(r.Heads[j].Spec, tasks[i].Data)}
	}, func(i int, s *head.Scratch) map[string]bool {
		if r.Hidden == nil {
			return nil
		}
		return r.Hidden(tasks[i].Data, s)
	})
}

// estimates returns those of n tasks. sample returns what head j reads of task i.
func (r Reader) estimates(ctx context.Context, n int, sample func(i, j int, b *vector.Buffer) head.Sample, hidden func(i int, s *head.Scratch) map[string]bool) ([][]event.Estimate, error) {
	out := make([][]event.Estimate, n)
	if len(r.Heads) == 0 {
		return out, ctx.Err()
	}
	classes := 0
	for _, h := range r.Heads {
		classes += h.Predictor.Classes()
	}
	// One allocation each for all tasks.
	all := make([]event.Estimate, n*len(r.Heads))
	ps := make([]float64, n*classes)
	err := parallel.ForEachChunk(ctx, n, func(_, from, to int) {
		var scratch head.Scratch
		var b vector.Buffer
		for i := from; i < to; i++ {
			row := all[i*len(r.Heads) : i*len(r.Heads) : (i+1)*len(r.Heads)]
			at := i * classes
			unseen := hidden(i, &scratch)
			for j, h := range r.Heads {
				n := h.Predictor.Classes()
				if in := sample(i, j, &b); !in.X.Empty() && !unseen[h.Control.Name] {
					row = append(row, h.Predictor.Estimate(in, ps[at:at+n:at+n], &scratch))
				}
				at += n
			}
			out[i] = row
		}
	})
	return out, err
}

// Vectors returns for each task, in order, its vector by a Similarity. The error is the context's.
func Vectors(ctx context.Context, c features.Similarity, tasks []event.Task) ([][]float32, error) {
	vectors := make([][]float32, len(tasks))
	err := parallel.ForEachChunk(ctx, len(tasks), func(_, from, to int) {
		var b vector.Buffer
		for i := from; i < to; i++ {
			vectors[i] = c.Vector(tasks[i].Data, &b)
		}
	})
	return vectors, err
}

// SketchSpace is equal where sketches mean the same, and "" where there are none: without dense
// parts, where heads read different texts or tokens, and where what is predicted hides controls.
func (r Reader) SketchSpace() string {
	if len(r.Heads) == 0 || r.Hidden != nil {
		return ""
	}
	for _, h := range r.Heads {
		if len(h.Parts) == 0 || !h.Kind.Space().Tunable || h.Seed != r.Heads[0].Seed {
			return ""
		}
	}
	return fmt.Sprintf("%s %x", r.Features.Name(), r.Heads[0].Seed)
}

// Sketches returns for each task, in order, its sketch in a space that is not "", at most
// vector.MaxSketch bytes, nil where there are no dense parts. whole is false of tasks of which
// a slow encoder's vector has not arrived. The error is the context's.
func (r Reader) Sketches(ctx context.Context, tasks []event.Task) (sketches [][]byte, whole []bool, err error) {
	sketches, whole = make([][]byte, len(tasks)), make([]bool, len(tasks))
	spec := r.Heads[0].Spec
	err = parallel.ForEachChunk(ctx, len(tasks), func(_, from, to int) {
		var b vector.Buffer
		for i := from; i < to; i++ {
			sketches[i] = r.Features.Task(spec, tasks[i].Data).Sketch(&b)
			whole[i] = r.Features.Missing(spec, tasks[i].Data) == 0
		}
	})
	return sketches, whole, err
}

// EstimateSketches is Estimates of tasks of which there are only sketches. What stands in the
// hashed part is not known, so an estimate is mostly less sure, and of a task without a sketch
// the list is empty.
func (r Reader) EstimateSketches(ctx context.Context, sketches [][]byte) ([][]event.Estimate, error) {
	return r.estimates(ctx, len(sketches), func(i, _ int, b *vector.Buffer) head.Sample {
		x, _ := vector.ExpandSketch(sketches[i], b)
		return head.Sample{X: x}
	}, func(int, *head.Scratch) map[string]bool { return nil })
}
