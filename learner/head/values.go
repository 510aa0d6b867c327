package head

import (
	"encoding/json"
	"unicode/utf8"

	"github.com/hone-ml/hone/content"
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

// Fields are the fields of a task's data that the control's objects show.
func (q *Spec) Fields() (names []string) {
	for _, o := range q.objects {
		names = append(names, content.Fields(o)...)
	}
	return names
}
