package head

import (
	"encoding/json"
	"slices"
	"unicode/utf8"

	"github.com/hone-ml/hone/content"
	"github.com/hone-ml/hone/event"
	"github.com/hone-ml/hone/labelstudio/regions"
)

// AnswerValues is what the regions of an answer to one control mean, for readers that know
// nothing of regions. One of the fields is not nil.
type AnswerValues struct {
	// Labels is not nil where labels of the whole text are chosen.
	Labels []string
	// Number is the answer to a Number.
	Number *float64
	// Spans is not nil where spans are labelled.
	Spans []SpanValue
}

// SpanValue is a labelled span of an object's text.
type SpanValue struct {
	// Object is the object tag's name.
	Object string
	// Start and End count characters of the text that annotators mark.
	Start, End int
	Text       string
	Labels     []string
	Score      float64
}

// Values reads predicted regions of the control for a task's data.
func (q *Spec) Values(predicted []regions.Region, data json.RawMessage) AnswerValues {
	switch q.Answer {
	case AnswerNumber:
		if v, ok := regions.Number(q.Control, predicted); ok {
			return AnswerValues{Number: &v}
		}
		return AnswerValues{}
	case AnswerSpans:
		return AnswerValues{Spans: q.spanValues(predicted, data)}
	}
	labels := regions.Choices(q.Control, predicted).Labels
	if labels == nil {
		labels = []string{}
	}
	return AnswerValues{Labels: labels}
}

func (q *Spec) spanValues(predicted []regions.Region, data json.RawMessage) []SpanValue {
	out := []SpanValue{}
	for _, o := range q.objects {
		p, err := content.Passage(o, data)
		if err != nil {
			continue
		}
		for _, r := range predicted {
			for _, s := range regions.Spans(q.Control, []regions.Region{r}, p).Spans {
				v := SpanValue{
					Object: o.Name, Text: p.Text[s.Start:s.End], Labels: s.Labels,
					Start: utf8.RuneCountInString(p.Text[:s.Start]),
				}
				v.End = v.Start + utf8.RuneCountInString(v.Text)
				if r.Score != nil {
					v.Score = *r.Score
				}
				out = append(out, v)
			}
		}
	}
	return out
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

// answered describes the control for those who read its answers.
func (q *Spec) answered() AnsweredControl {
	out := AnsweredControl{Control: q.Control.Name, Type: q.Control.Type, Answer: AnswerOfLabels, Labels: q.Labels}
	switch q.Answer {
	case AnswerNumber:
		out.Answer = AnswerOfNumber
	case AnswerSpans:
		out.Answer = AnswerOfSpans
	}
	return out
}

// PredictedAnswer is what a head answers to a task, with its probabilities.
type PredictedAnswer struct {
	Control, Type string
	AnswerValues
	// Confidence is 0 to 1.
	Confidence float64
	// Classes holds the probabilities of all labels; nil as in event.Estimate.
	Classes *event.Distribution
}

// AnswerBatch is what is answered to some tasks.
type AnswerBatch struct {
	// Version is the name of the live version.
	Version string
	// Fields are the fields of tasks' data that are read.
	Fields []string
	// Controls are those that can be answered, in the order of the label config.
	Controls []AnsweredControl
	// Answers are those of each task, in order; none for a task without text.
	Answers [][]PredictedAnswer
	// Unencoded counts the tasks that lack vectors of a slow encoder: they are answered
	// without.
	Unencoded int
}

// AddControl adds a control to those that can be answered.
func (b *AnswerBatch) AddControl(q *Spec) {
	b.Controls = append(b.Controls, q.answered())
	for _, o := range q.objects {
		b.Fields = append(b.Fields, content.Fields(o)...)
	}
	slices.Sort(b.Fields)
	b.Fields = slices.Compact(b.Fields)
}
