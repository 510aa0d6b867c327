package regions

import (
	"cmp"
	"encoding/json"
	"slices"
	"strings"

	"github.com/hone-ml/hone/internal/jsonscan"
	"github.com/hone-ml/hone/labelstudio/labelconfig"
	"github.com/hone-ml/hone/labelstudio/passage"
)

// spanKeys are the control tags that label spans, as their results spell them.
var spanKeys = []string{"labels", "hypertextlabels", "paragraphlabels"}

// Span is a stretch of a passage that has labels.
type Span struct {
	// Start and End are bytes of Passage.Text, Start before End.
	Start, End int
	// Labels are names of the control's labels, in its order; mostly one.
	Labels []string
	// Score is 0 to 1.
	Score float64
}

// SpanAnswer is what an annotation says about one control in one passage.
type SpanAnswer struct {
	// Spans by place. They may overlap.
	Spans []Span
	// OK is false when the annotation says nothing about the control. With OK and
	// no spans the answer is "there are none".
	OK bool
	// Lost counts regions of the control that cannot be used: outside the text, of
	// no length, or with labels that the control does not have.
	Lost int
}

// Spans reads what the regions of a finished annotation say about a span control
// in a passage; nil regions say nothing. A region to_name another object, or one
// that was only drawn as a hint for a model, is passed over. No region at all is
// the answer "none", unless the control is only shown at times or must be answered.
func Spans(c labelconfig.Control, regions []Region, p passage.Passage) SpanAnswer {
	a := SpanAnswer{OK: regions != nil && !c.Conditional && !c.Required}
	at := p.Locator()
	for _, r := range regions {
		if r.FromName != c.Name || r.ToName != p.Object && r.ToName != "" || r.Hint {
			continue
		}
		labels := spanLabels(c, r.Value)
		start, end, err := at.Find(r.Value)
		if len(labels) == 0 || err != nil {
			a.Lost++
			continue
		}
		a.OK = true
		a.Spans = append(a.Spans, Span{Start: start, End: end, Labels: labels})
	}
	slices.SortStableFunc(a.Spans, compareSpans)
	return a
}

func compareSpans(a, b Span) int {
	return cmp.Or(cmp.Compare(a.Start, b.Start), cmp.Compare(a.End, b.End))
}

// spanLabels are the labels in a region's value that the control has.
func spanLabels(c labelconfig.Control, value json.RawMessage) (names []string) {
	var fields map[string]json.RawMessage
	if jsonscan.KindOf(value) != jsonscan.Object || json.Unmarshal(value, &fields) != nil {
		return nil
	}
	raw, ok := fields[strings.ToLower(c.Type)]
	for _, k := range spanKeys {
		if !ok {
			raw, ok = fields[k]
		}
	}
	ids, _ := choicePaths(raw)
	chosen := make([]bool, len(c.Labels))
	for _, id := range ids {
		if i := labelAt(c, id); i >= 0 {
			chosen[i] = true
		}
	}
	for i, l := range c.Labels {
		if chosen[i] {
			names = append(names, l.Name)
		}
	}
	return names
}

// EncodeSpans are the regions that make Label Studio show the spans in a passage.
// What it could not show is left out: spans beyond the text, within a character or
// of line breaks alone, and labels that the control does not have. id is the front of the
// regions' ids, which are the same for the same spans.
func EncodeSpans(c labelconfig.Control, id string, p passage.Passage, spans []Span) []Region {
	spans = slices.Clone(spans)
	slices.SortStableFunc(spans, compareSpans)
	at := p.Locator()
	key := strings.ToLower(c.Type)
	var out []Region
	for _, s := range spans {
		labels := labelPaths(c, s.Labels)
		if len(labels) == 0 {
			continue
		}
		value, from, to, ok := at.Place(s.Start, s.End)
		if !ok {
			continue
		}
		value[key], value["text"] = labels, p.Text[s.Start:s.End]
		r := Region{ID: spanID(id, from, to), FromName: c.Name, ToName: p.Object, Type: key, Score: confidence(s.Score)}
		r.Value, _ = json.Marshal(value) // texts and numbers always marshal
		out = append(out, r)
	}
	return out
}

// labelPaths are what results carry for the named labels.
func labelPaths(c labelconfig.Control, names []string) []string {
	var out []string
	for _, l := range c.Labels {
		if slices.Contains(names, l.Name) {
			out = append(out, l.Path[0])
		}
	}
	return out
}
