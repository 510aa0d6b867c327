package learner

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/hone-ml/hone/event"
	"github.com/hone-ml/hone/internal/parallel"
	"github.com/hone-ml/hone/labelstudio/wire"
	"github.com/hone-ml/hone/learner/head"
	"github.com/hone-ml/hone/vector"
)

// Predict predicts the answers to tasks from the project's last snapshot and returns one
// prediction for each task, in order. It does not wait for learning, but up to
// Options.SlowWait for missing vectors. Project 0 means the only project; with several the
// error is ErrWhichProject. Predict abstains from a task (the zero Prediction) when nothing
// was learned yet, when the task has no text, or when labelConfig, if not empty, asks for
// other answers than those that were learned. A control that annotators would not see, given
// the other answers of the same prediction, has no answer. Score is the mean confidence of
// the heads that answer, 0.01 to 1; scores of the queue are lower. The other error is the context's. Safe for
// concurrent use.
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
	if s == nil || !l.compatibleWith(s, labelConfig) {
		return out, ctx.Err()
	}
	heads := suggested(s.readyHeads())
	if len(heads) == 0 {
		return out, ctx.Err()
	}
	l.encodeNow(ctx, s, heads, tasks)
	return out, s.predictAll(ctx, heads, tasks, out)
}

func (s *snapshot) predictAll(ctx context.Context, heads []headSnapshot, tasks []event.Task, out []wire.Prediction) error {
	return parallel.ForEachChunk(ctx, len(tasks), func(_, from, to int) {
		var scratch head.Scratch
		for i := from; i < to; i++ {
			out[i] = s.predictTask(heads, tasks[i].Data, &scratch)
		}
	})
}

// minPredictionScore is the lowest Score of a prediction.
const minPredictionScore = 0.01

// predictTask predicts with all heads. It abstains when no head finds a text.
func (s *snapshot) predictTask(heads []headSnapshot, data json.RawMessage, scratch *head.Scratch) wire.Prediction {
	result, confidence, ok := head.Combine(s.visibility, s.answers(heads, data, scratch), nil)
	if !ok {
		return wire.Prediction{}
	}
	return wire.Prediction{Result: result, Score: min(max(confidence, minPredictionScore), 1), ModelVersion: s.status.Version}
}

// answers returns those of all heads that find a text.
func (s *snapshot) answers(heads []headSnapshot, data json.RawMessage, scratch *head.Scratch) []head.ControlAnswer {
	out := make([]head.ControlAnswer, 0, len(heads))
	for i, h := range heads {
		if x, ok := s.featuresOf(heads, i, data); ok {
			a := head.ControlAnswer{Control: h.Control.Name}
			a.Regions, a.Confidence = h.predictor.Predict(h.ID, head.Sample{Data: data, X: x}, scratch)
			out = append(out, a)
		}
	}
	return out
}

// featuresOf returns the features of a task for head i. ok is false when it has no text.
func (s *snapshot) featuresOf(heads []headSnapshot, i int, data json.RawMessage) (vector.Vector, bool) {
	x := s.features.Task(heads[i].Spec, data)
	return x, !x.Empty()
}

// Regions returns the results of Predict for each task as JSON, nil where Predict abstains.
// Safe for concurrent use.
func (l *Learner) Regions(ctx context.Context, p event.ProjectID, tasks []event.Task) ([]json.RawMessage, error) {
	answers, err := l.Predict(ctx, p, "", tasks)
	if err != nil {
		return nil, err
	}
	return regionsOf(answers, tasks)
}

func regionsOf(answers []wire.Prediction, tasks []event.Task) (out []json.RawMessage, err error) {
	out = make([]json.RawMessage, len(answers))
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

// Suggestions are what Predict answers, as JSON with the score of each answer, nil and 0
// where it abstains. It waits for no slow encoder: it is for many tasks at a time, and
// what has no vector yet is answered without.
func (l *Learner) Suggestions(ctx context.Context, p event.ProjectID, tasks []event.Task) (results []json.RawMessage, scores []float64, err error) {
	answers := make([]wire.Prediction, len(tasks))
	if s := l.snapshot(p); s != nil {
		if heads := suggested(s.readyHeads()); len(heads) > 0 {
			if err := s.predictAll(ctx, heads, tasks, answers); err != nil {
				return nil, nil, err
			}
		}
	}
	scores = make([]float64, len(answers))
	for i, a := range answers {
		scores[i] = a.Score
	}
	results, err = regionsOf(answers, tasks)
	return results, scores, err
}

// Form is equal for label configs under which the same answers are learned, as of the
// last snapshot; "" when the config cannot be read, or nothing was heard of the project.
func (l *Learner) Form(p event.ProjectID) string {
	if s := l.snapshot(p); s != nil {
		return s.key
	}
	return ""
}

// Estimates returns for each task, in order, the estimate of each head. The list is empty for
// a task without text and for a project of which nothing was learned. version is the name of
// the live version, "" before there is one. The Labels slices are shared: the caller must not
// write to them. It uses the vectors that have arrived and waits for none. The error is the
// context's. Safe for concurrent use.
func (l *Learner) Estimates(ctx context.Context, p event.ProjectID, tasks []event.Task) (estimates [][]event.Estimate, version string, err error) {
	s := l.snapshot(p)
	if s == nil {
		return make([][]event.Estimate, len(tasks)), "", ctx.Err()
	}
	if estimates, err = s.reader().Estimates(ctx, tasks); err == nil {
		err = ctx.Err()
	}
	if err != nil {
		return nil, "", err
	}
	return estimates, s.status.Version, nil
}
