package learner

import (
	"context"
	"encoding/json"
	"slices"

	"github.com/hone-ml/hone/event"
	"github.com/hone-ml/hone/learner/head"
)

// Answer is what a head answers to a task, with its probabilities.
type Answer struct {
	Control, Type string
	head.AnswerValues
	// Confidence is 0 to 1.
	Confidence float64
	// Classes holds the probabilities of all labels; nil as in event.Estimate.
	Classes *event.Distribution
}

// AnsweredControl is a control whose answers can be predicted.
type AnsweredControl struct {
	Control, Type string
	// Answer is AnswerOfLabels, AnswerOfNumber or AnswerOfSpans.
	Answer string
	// Labels may be chosen, or mark spans.
	Labels []string
}

// What an answer consists of.
const (
	AnswerOfLabels = "labels"
	AnswerOfNumber = "number"
	AnswerOfSpans  = "spans"
)

func answeredControl(q *head.Spec) AnsweredControl {
	out := AnsweredControl{Control: q.Control.Name, Type: q.Control.Type, Answer: AnswerOfLabels, Labels: q.Labels}
	switch q.Answer {
	case head.AnswerNumber:
		out.Answer = AnswerOfNumber
	case head.AnswerSpans:
		out.Answer = AnswerOfSpans
	}
	return out
}

// AnswerBatch is what Answers returns of some tasks.
type AnswerBatch struct {
	// Version is the name of the live version.
	Version string
	// Fields are the fields of tasks' data that are read.
	Fields []string
	// Controls are those that can be answered, in the order of the label config.
	Controls []AnsweredControl
	// Answers are those of each task, in order; none for a task without text.
	Answers [][]Answer
	// Unencoded counts the tasks that lack vectors of a slow encoder: they are answered
	// without.
	Unencoded int
}

// Answers answers texts that need be no tasks of the project, from its last snapshot, with
// everything that was learned: settings that keep suggestions from annotators do not count. It
// waits for missing vectors as Predict does. ok is false when nothing can be predicted. The
// error is the context's. Safe for concurrent use.
func (l *Learner) Answers(ctx context.Context, p event.ProjectID, data []json.RawMessage) (out AnswerBatch, ok bool, err error) {
	s := l.snapshot(p)
	if s == nil {
		return out, false, ctx.Err()
	}
	heads := s.readyHeads()
	if len(heads) == 0 {
		return out, false, ctx.Err()
	}
	out.Version = s.status.Version
	for _, h := range heads {
		out.Fields = append(out.Fields, h.Fields()...)
		out.Controls = append(out.Controls, answeredControl(h.Spec))
	}
	slices.Sort(out.Fields)
	out.Fields = slices.Compact(out.Fields)
	tasks := make([]event.Task, len(data))
	for i, d := range data {
		tasks[i].Data = d
	}
	l.encodeNow(ctx, heads, tasks)
	for i := range tasks {
		for _, requests := range l.unencoded(heads, tasks[i:i+1]) {
			if len(requests) > 0 {
				out.Unencoded++
				break
			}
		}
	}
	out.Answers = make([][]Answer, len(tasks))
	err = forEachChunk(ctx, len(tasks), func(_, from, to int) {
		var scratch head.Scratch
		for i := from; i < to; i++ {
			out.Answers[i] = l.answersTo(s, heads, tasks[i].Data, &scratch)
		}
	})
	return out, true, err
}

// answersTo returns the answers of all heads that find a text and whose control annotators
// would see.
func (l *Learner) answersTo(s *snapshot, heads []headSnapshot, data json.RawMessage, scratch *head.Scratch) []Answer {
	predicted := l.answers(heads, data, scratch)
	hidden := head.Hidden(s.visibility, predicted, nil)
	out := []Answer{}
	for _, a := range predicted {
		i := slices.IndexFunc(heads, func(h headSnapshot) bool { return h.Control.Name == a.Control })
		if hidden[a.Control] || i < 0 {
			continue
		}
		h := heads[i]
		x, _ := l.featuresOf(heads, i, data)
		e := h.predictor.Estimate(head.Sample{Data: data, X: x}, make([]float64, h.predictor.Classes()), scratch)
		out = append(out, Answer{
			Control: a.Control, Type: h.Control.Type, AnswerValues: h.Values(a.Regions, data), Confidence: a.Confidence, Classes: e.Classes,
		})
	}
	return out
}
