package simulate

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/hone-ml/hone/content"
	"github.com/hone-ml/hone/labelstudio/regions"
)

// A mark is a span as a text: label, object, start and end. Two annotators, or an
// annotator and the model, agree on a span when their marks are equal.

func markOf(label, object string, s regions.Span) string {
	return strings.Join([]string{label, object, strconv.Itoa(s.Start), strconv.Itoa(s.End)}, "\x00")
}

// labelOf returns the label of a mark; a text that is no mark is a label itself.
func labelOf(mark string) string {
	label, _, _ := strings.Cut(mark, "\x00")
	return label
}

// readMarks returns the marks that regions make in a task; nil when they answer nothing.
func (q *question) readMarks(rs []regions.Region, data json.RawMessage) *answer {
	var t *answer
	for _, o := range q.objects {
		p, err := content.Passage(o, data)
		if err != nil {
			continue
		}
		a := regions.Spans(q.Control, rs, p)
		if !a.OK {
			continue
		}
		if t == nil {
			t = &answer{}
		}
		for _, s := range a.Spans {
			for _, l := range s.Labels {
				if m := markOf(l, o.Name, s); !slices.Contains(t.labels, m) {
					t.labels = append(t.labels, m)
				}
			}
		}
	}
	return t
}

// markRegions returns marks as a result's regions.
func (q *question) markRegions(marks []string, data json.RawMessage) []regions.Region {
	var out []regions.Region
	for _, o := range q.objects {
		p, err := content.Passage(o, data)
		if err != nil {
			continue
		}
		var spans []regions.Span
		for _, m := range marks {
			f := strings.Split(m, "\x00")
			if len(f) != 4 || f[1] != o.Name {
				continue
			}
			start, err1 := strconv.Atoi(f[2])
			end, err2 := strconv.Atoi(f[3])
			if err1 == nil && err2 == nil {
				spans = append(spans, regions.Span{Start: start, End: end, Labels: []string{f[0]}, Score: 1})
			}
		}
		out = append(out, regions.EncodeSpans(q.Control, "r/"+q.Name+"/"+o.Name, p, spans)...)
	}
	return out
}

// renameMarks returns marks with the new names of their labels. Without names it returns the
// marks.
func renameMarks(marks []string, names map[string]string) []string {
	if names == nil {
		return marks
	}
	out := make([]string, len(marks))
	for i, m := range marks {
		label, rest, _ := strings.Cut(m, "\x00")
		out[i] = names[label] + "\x00" + rest
	}
	return out
}

// tagged returns the answers of a line with tokens and tags.
func (b *relabeler) tagged(e labelledEntry) ([][]*answer, error) {
	if len(b.from) != 1 || !b.from[0].isSpans() || len(b.from[0].objects) != 1 {
		return nil, fmt.Errorf("a line with tokens and tags has the spans of one control over one text, which %s does not have: use one with a single <Labels>", b.given)
	}
	q := b.from[0]
	p, err := content.Passage(q.objects[0], e.data)
	if err != nil {
		return nil, err
	}
	t := &answer{}
	for _, s := range e.tagged {
		if s.End > len(p.Text) {
			return nil, fmt.Errorf("the text is %q, and a span ends beyond it: let the config show $text", p.Text)
		}
		name, ok := q.labelNamed(s.Labels[0])
		if !ok {
			return nil, fmt.Errorf("label %q is not in %s: add <Label value=%q/> to it, or take the line out", s.Labels[0], b.given, s.Labels[0])
		}
		t.labels = append(t.labels, markOf(name, p.Object, s))
	}
	return [][]*answer{{t}}, nil
}
