package head

import (
	"strings"

	"github.com/hone-ml/hone/content"
	"github.com/hone-ml/hone/event"
)

// Lack says what a task's data lack for the control to be learned or predicted.
func (q *Spec) Lack(data []byte) event.Lack {
	if q.Answer != AnswerSide {
		if text, err := q.text(data); err != nil || strings.TrimSpace(text) == "" {
			return event.LackText
		}
		return ""
	}
	var sides [2]string
	for i, o := range q.objects[:2] {
		text, err := content.Text(o, data)
		if err != nil || strings.TrimSpace(text) == "" {
			return event.LackText
		}
		sides[i] = text
	}
	if sides[0] == sides[1] {
		return event.LackDifference
	}
	return ""
}

// LackOf is what a task's data lack: a text for each of the controls, or else a difference
// where two are compared.
func LackOf(specs []*Spec, data []byte) event.Lack {
	if len(specs) == 0 {
		return ""
	}
	texts, same := false, false
	for _, q := range specs {
		lack := q.Lack(data)
		texts, same = texts || lack != event.LackText, same || lack == event.LackDifference
	}
	switch {
	case !texts:
		return event.LackText
	case same:
		return event.LackDifference
	}
	return ""
}
