package learner

import (
	"context"
	"slices"

	"github.com/hone-ml/hone/event"
	"github.com/hone-ml/hone/labelstudio/regions"
	"github.com/hone-ml/hone/labelstudio/wire"
	"github.com/hone-ml/hone/learner/head"
)

// Extend answers an annotator who is at work on a task, from the project's last snapshot.
// drawn holds the regions that the annotator has drawn so far. A control that labels spans
// answers with the other occurrences of the drawn words, and with spans of which the model
// is certain. They do not overlap what is drawn, and the control need not have learned
// anything. Other controls answer as in Predict; which controls are visible follows from what
// the annotator has answered, and from predictions for the rest. When nothing but hints is drawn the answer
// has no regions. Project, label config, Score and errors are as in Predict. It waits up to
// Options.SlowWait for missing vectors, and is safe for concurrent use.
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
	if s == nil || !l.compatibleWith(s, labelConfig) {
		return wire.Prediction{}, ctx.Err()
	}
	out := wire.Prediction{Result: []regions.Region{}, ModelVersion: s.status.Version}
	drawn = slices.Clone(drawn)
	drawn = slices.DeleteFunc(drawn, func(r regions.Region) bool { return r.Hint })
	if len(drawn) == 0 {
		return out, ctx.Err()
	}
	if ready := suggested(s.readyHeads()); len(ready) > 0 {
		l.encodeNow(ctx, s, ready, []event.Task{task})
	}
	var scratch head.Scratch
	var answers []head.ControlAnswer
	for i, h := range s.heads {
		e, extends := h.suggester.(head.Interactive)
		x, ok := s.featuresOf(s.heads, i, task.Data)
		if !ok || h.silence.All || !extends && h.predictor.Examples() == 0 {
			continue
		}
		a := head.ControlAnswer{Control: h.Control.Name}
		if extends {
			a.Regions, a.Confidence = e.Propagate(h.ID, head.Sample{Data: task.Data, X: x}, drawn, &scratch)
		} else {
			a.Regions, a.Confidence = h.suggester.Predict(h.ID, head.Sample{Data: task.Data, X: x}, &scratch)
		}
		answers = append(answers, a)
	}
	result, confidence, _ := head.Combine(s.visibility, answers, drawn)
	out.Result, out.Score = result, min(max(confidence, minPredictionScore), 1)
	return out, ctx.Err()
}
