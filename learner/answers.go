package learner

import (
	"context"
	"encoding/json"
	"slices"

	"github.com/hone-ml/hone/event"
	"github.com/hone-ml/hone/internal/parallel"
	"github.com/hone-ml/hone/learner/head"
)

// Answers answers texts that need be no tasks of the project, from its last snapshot, with
// everything that was learned: settings that keep suggestions from annotators do not count. It
// waits for missing vectors as Predict does. ok is false when nothing can be predicted. The
// error is the context's. Safe for concurrent use.
func (l *Learner) Answers(ctx context.Context, p event.ProjectID, data []json.RawMessage) (out head.AnswerBatch, ok bool, err error) {
	s := l.snapshot(p)
	if s == nil {
		return out, false, ctx.Err()
	}
	heads := s.readyHeads()
	out.Version = s.status.Version
	for _, h := range heads {
		out.AddControl(h.Spec)
	}
	tasks := make([]event.Task, len(data))
	for i, d := range data {
		tasks[i].Data = d
	}
	l.encodeNow(ctx, s, heads, tasks)
	out.Answers = make([][]head.PredictedAnswer, len(tasks))
	for i := range tasks {
		if len(s.features.Unencoded(specsOf(heads), tasks[i:i+1])) > 0 {
			out.Unencoded++
		}
	}
	err = parallel.ForEachChunk(ctx, len(tasks), func(_, from, to int) {
		var scratch head.Scratch
		for i := from; i < to; i++ {
			out.Answers[i] = s.answersTo(heads, tasks[i].Data, &scratch)
		}
	})
	return out, len(heads) > 0, err
}

// answersTo returns the answers of all heads that find a text and whose control annotators
// would see.
func (s *snapshot) answersTo(heads []headSnapshot, data json.RawMessage, scratch *head.Scratch) (out []head.PredictedAnswer) {
	predicted := s.answers(heads, data, scratch)
	hidden := head.Hidden(s.visibility, predicted, nil)
	for _, a := range predicted {
		i := slices.IndexFunc(heads, func(h headSnapshot) bool { return h.Control.Name == a.Control })
		if i < 0 || hidden[a.Control] {
			continue
		}
		h := heads[i]
		x, _ := s.featuresOf(heads, i, data)
		e := h.predictor.Estimate(head.Sample{Data: data, X: x}, make([]float64, h.predictor.Classes()), scratch)
		out = append(out, head.PredictedAnswer{
			Control: a.Control, Type: h.Control.Type, AnswerValues: h.Values(a.Regions, data), Confidence: a.Confidence, Classes: e.Classes,
		})
	}
	return out
}
