package learner

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/hone-ml/hone/event"
	"github.com/hone-ml/hone/labelstudio/regions"
	"github.com/hone-ml/hone/labelstudio/wire"
	"github.com/hone-ml/hone/learner/head"
	"github.com/hone-ml/hone/vector"
)

// Predict answers each task from the project's last snapshot, in order, without
// waiting for learning. Project 0 means the only one there is; with several the
// error is ErrWhichProject. A task is abstained from (the zero Prediction) when
// nothing was learned yet, when the settings suggest nothing, when it has no text, or when labelConfig, if given,
// asks for other answers than those that were learned. Score is the mean
// confidence of the heads, 0.01 to 1: what the queue pushes lies below that.
// Safe for concurrent use.
func (l *Learner) Predict(ctx context.Context, p event.ProjectID, labelConfig string, tasks []event.Task) ([]wire.Prediction, error) {
	if p == 0 {
		ids := l.Projects()
		if len(ids) > 1 {
			return nil, ErrWhichProject
		}
		if len(ids) == 1 {
			p = ids[0]
		}
	}
	out := make([]wire.Prediction, len(tasks))
	s := l.snapshot(p)
	if s == nil || !l.fits(s, labelConfig) {
		return out, ctx.Err()
	}
	heads := suggested(s.known())
	if len(heads) == 0 {
		return out, ctx.Err()
	}
	l.encodeNow(ctx, heads, tasks)
	err := each(ctx, len(tasks), func(_, from, to int) {
		var scratch head.Scratch
		for i := from; i < to; i++ {
			out[i] = l.answer(s, heads, tasks[i].Data, &scratch)
		}
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

const leastScore = 0.01

func (l *Learner) answer(s *snapshot, heads []frozen, data json.RawMessage, scratch *head.Scratch) wire.Prediction {
	result := []regions.Region{}
	var sum float64
	answered := 0
	for i, h := range heads {
		x, ok := l.featuresOf(heads, i, data)
		if !ok {
			continue
		}
		said, confidence := h.mind.Predict(h.ID, head.Sample{Data: data, X: x}, scratch)
		sum += confidence
		answered++
		result = append(result, said...)
	}
	if answered == 0 {
		return wire.Prediction{}
	}
	return wire.Prediction{
		Result: result, Score: min(max(sum/float64(answered), leastScore), 1), ModelVersion: s.status.Version,
	}
}

// featuresOf are those of head i; ok is false when the task has no text.
func (l *Learner) featuresOf(heads []frozen, i int, data json.RawMessage) (vector.Vector, bool) {
	x := l.features.of(heads[i].Spec, data)
	return x, !x.Empty()
}

// Regions are the results of Predict as JSON, nil where it abstains.
func (l *Learner) Regions(ctx context.Context, p event.ProjectID, tasks []event.Task) ([]json.RawMessage, error) {
	answers, err := l.Predict(ctx, p, "", tasks)
	if err != nil {
		return nil, err
	}
	out := make([]json.RawMessage, len(answers))
	for i, a := range answers {
		if a.Abstains() {
			continue
		}
		if out[i], err = json.Marshal(a.Result); err != nil {
			return nil, fmt.Errorf("regions of task %d: %w", tasks[i].ID, err)
		}
	}
	return out, nil
}

// Estimates says how sure every head is of every task, in order; a task
// without text, or a project nothing was learned of, gets an empty list. version
// is the live version's name, "" before there is one. Encodings are cached by
// content. The Labels slices are shared: don't write them. Safe for concurrent
// use.
func (l *Learner) Estimates(ctx context.Context, p event.ProjectID, tasks []event.Task) (estimates [][]event.Estimate, version string, err error) {
	estimates = make([][]event.Estimate, len(tasks))
	s := l.snapshot(p)
	if s == nil {
		return estimates, "", ctx.Err()
	}
	heads := s.known()
	classes := 0
	for _, h := range heads {
		classes += h.mind.Classes()
	}
	if len(heads) > 0 {
		// One piece of memory each for all tasks.
		all := make([]event.Estimate, len(tasks)*len(heads))
		ps := make([]float64, len(tasks)*classes)
		err = each(ctx, len(tasks), func(_, from, to int) {
			var scratch head.Scratch
			for i := from; i < to; i++ {
				row := all[i*len(heads) : i*len(heads) : (i+1)*len(heads)]
				at := i * classes
				for j, h := range heads {
					n := h.mind.Classes()
					if x, ok := l.featuresOf(heads, j, tasks[i].Data); ok {
						row = append(row, h.mind.Estimate(head.Sample{Data: tasks[i].Data, X: x}, ps[at:at+n:at+n], &scratch))
					}
					at += n
				}
				estimates[i] = row
			}
		})
	}
	if err == nil {
		err = ctx.Err()
	}
	if err != nil {
		return nil, "", err
	}
	return estimates, s.status.Version, nil
}
