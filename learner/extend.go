package learner

import (
	"context"
	"slices"

	"github.com/hone-ml/hone/event"
	"github.com/hone-ml/hone/labelstudio/regions"
	"github.com/hone-ml/hone/labelstudio/wire"
	"github.com/hone-ml/hone/learner/head"
)

// Extend answers an annotator who is at work on a task, from the project's last
// snapshot: drawn is what they drew so far. Controls that label spans answer with
// the same words elsewhere in the task, labelled alike, and with spans the model is
// sure of, neither of which overlaps what is drawn; they need not have learned
// anything. Other controls answer as in Predict. With nothing drawn, but for hints,
// the answer has no regions. Project and config are as in Predict. Safe for
// concurrent use.
func (l *Learner) Extend(ctx context.Context, p event.ProjectID, labelConfig string, task event.Task, drawn []regions.Region) (wire.Prediction, error) {
	if p == 0 {
		ids := l.Projects()
		if len(ids) > 1 {
			return wire.Prediction{}, ErrWhichProject
		}
		if len(ids) == 1 {
			p = ids[0]
		}
	}
	s := l.snapshot(p)
	if s == nil || !l.fits(s, labelConfig) {
		return wire.Prediction{}, ctx.Err()
	}
	out := wire.Prediction{Result: []regions.Region{}, ModelVersion: s.status.Version}
	drawn = slices.Clone(drawn)
	drawn = slices.DeleteFunc(drawn, func(r regions.Region) bool { return r.Hint })
	if len(drawn) == 0 {
		return out, ctx.Err()
	}
	if known := suggested(s.known()); len(known) > 0 {
		l.encodeNow(ctx, known, []event.Task{task})
	}
	var scratch head.Scratch
	var sum float64
	answered := 0
	for i, h := range s.heads {
		e, extends := h.mind.(head.Interactive)
		x, ok := l.featuresOf(s.heads, i, task.Data)
		if !ok || h.silence.all || !extends && h.mind.Examples() == 0 {
			continue
		}
		var said []regions.Region
		var confidence float64
		if extends {
			said, confidence = e.Propagate(h.ID, head.Sample{Data: task.Data, X: x}, drawn, &scratch)
		} else {
			said, confidence = h.mind.Predict(h.ID, head.Sample{Data: task.Data, X: x}, &scratch)
		}
		sum += confidence
		answered++
		out.Result = append(out.Result, said...)
	}
	out.Score = min(max(sum/float64(max(1, answered)), leastScore), 1)
	return out, ctx.Err()
}
