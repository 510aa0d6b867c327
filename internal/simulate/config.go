package simulate

import (
	"bytes"
	"cmp"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/cespare/xxhash/v2"

	"github.com/hone-ml/hone/labelstudio/labelconfig"
	"github.com/hone-ml/hone/learner/head"
)

// inferConfig makes the label config of data that came without one: a Choices
// for each question that was answered, its classes those in the data.
func inferConfig(entries []labelledEntry) (string, error) {
	lines, exports, tagged := 0, 0, 0
	for _, e := range entries {
		if e.spans {
			tagged++
		} else if e.results == nil {
			lines++
		} else {
			exports++
		}
	}
	switch {
	case lines > 0 && exports > 0:
		return "", errors.New("one file has a text a line and the other is a Label Studio export: give the label config with --label-config")
	case tagged > 0 && tagged < len(entries):
		return "", errors.New("some lines have tokens and tags, and others labels of the whole text: keep one kind")
	case exports > 0:
		return inferExport(entries)
	}
	q := inferredControl{tag: labelconfig.TypeChoices, name: "label", objects: []string{"text"}, labels: map[string]bool{}}
	if tagged > 0 {
		q.tag = labelconfig.TypeLabels
	}
	for _, e := range entries {
		for _, s := range e.tagged {
			q.labels[s.Labels[0]] = true
		}
		q.multiple = q.multiple || e.multiple
		for _, l := range e.labels {
			q.labels[l] = true
		}
	}
	return writeConfig(map[string]string{"text": "text"}, []inferredControl{q}), nil
}

// inferredControl collects one control of a config that is inferred from answers.
type inferredControl struct {
	tag      string // of the control
	name     string
	objects  []string // names
	multiple bool
	required bool
	attrs    []string // further ones, in pairs
	labels   map[string]bool
	order    []string // of the labels; sorted if nil
}

func inferExport(entries []labelledEntry) (string, error) {
	found := map[string]*inferredControl{}
	for _, e := range entries {
		for _, regions := range e.results {
			for _, r := range regions {
				if r.FromName == "" || r.ToName == "" || inferNumber(found, r) {
					continue
				}
				tag, ok := inferableTypes[r.Type]
				if !ok {
					continue
				}
				var v struct {
					Choices []string `json:"choices"`
					Labels  []string `json:"labels"`
				}
				if err := json.Unmarshal(r.Value, &v); err != nil {
					return "", fmt.Errorf("%s: the labels of %q are no list of texts: give the label config with --label-config", e.where, r.FromName)
				}
				q := found[r.FromName]
				if q == nil {
					q = &inferredControl{tag: tag, name: r.FromName, objects: []string{r.ToName}, labels: map[string]bool{}}
					found[r.FromName] = q
				}
				q.multiple = q.multiple || len(v.Choices) > 1
				for _, l := range slices.Concat(v.Choices, v.Labels) {
					q.labels[l] = true
				}
			}
		}
	}
	if len(found) == 0 {
		return "", fmt.Errorf("%s and what follows: no annotation has choices, ratings, numbers or labelled spans of text, which is what a config can be made of; give the label config with --label-config if they are there under another name", entries[0].where)
	}
	field, err := textField(entries)
	if err != nil {
		return "", err
	}
	objects := map[string]string{}
	var questions []inferredControl
	for _, name := range slices.Sorted(maps.Keys(found)) {
		questions = append(questions, *found[name])
		objects[found[name].objects[0]] = field
	}
	return writeConfig(objects, questions), nil
}

// inferableTypes are the types of results that a config can be made of, and their tags.
var inferableTypes = map[string]string{"choices": labelconfig.TypeChoices, "labels": labelconfig.TypeLabels}

// textField is the field of the task data that is shown: "text", or the only one
// that is a text in every task.
func textField(entries []labelledEntry) (string, error) {
	counts := map[string]int{}
	for _, e := range entries {
		var fields map[string]any
		if err := json.Unmarshal(e.data, &fields); err != nil {
			return "", fmt.Errorf("%s: %w", e.where, err)
		}
		for k, v := range fields {
			if _, ok := v.(string); ok {
				counts[k]++
			}
		}
	}
	maps.DeleteFunc(counts, func(_ string, n int) bool { return n < len(entries) })
	names := slices.Sorted(maps.Keys(counts))
	if slices.Contains(names, "text") {
		return "text", nil
	}
	if len(names) == 1 {
		return names[0], nil
	}
	return "", fmt.Errorf("which field of the task data is shown cannot be seen from the tasks (texts in all of them: %q): give the label config with --label-config", names)
}

// writeConfig writes a label config: objects are Text tags by name, each with
// the field of the task data it shows.
func writeConfig(objects map[string]string, questions []inferredControl) string {
	var b strings.Builder
	b.WriteString("<View>\n")
	for _, name := range slices.Sorted(maps.Keys(objects)) {
		writeTag(&b, labelconfig.TypeText, "/", "name", name, "value", "$"+objects[name])
	}
	writeQuestions(&b, questions)
	b.WriteString("</View>\n")
	return b.String()
}

func writeQuestions(b *strings.Builder, questions []inferredControl) {
	for _, q := range questions {
		attrs := append([]string{"name", q.name, "toName", strings.Join(q.objects, ",")}, q.attrs...)
		if q.labels == nil && q.order == nil { // it has none
			writeTag(b, q.tag, "/", attrs...)
			continue
		}
		label := "Label"
		if q.tag == labelconfig.TypeChoices {
			choice := "single"
			if q.multiple {
				choice = "multiple"
			}
			attrs, label = append(attrs, "choice", choice), "Choice"
		}
		if q.required {
			attrs = append(attrs, "required", "true")
		}
		writeTag(b, q.tag, "", attrs...)
		names := q.order
		if names == nil {
			names = slices.Sorted(maps.Keys(q.labels))
		}
		for _, l := range names {
			writeTag(b, label, "/", "value", choiceValue(l))
		}
		b.WriteString("</" + q.tag + ">\n")
	}
}

// choiceValue is a label as the value of a Choice: Label Studio takes a $ for a
// field of the task data.
func choiceValue(label string) string { return strings.ReplaceAll(label, "$", "＄") }

func writeTag(b *strings.Builder, name, end string, attrs ...string) {
	b.WriteString("<" + name)
	for i := 0; i < len(attrs); i += 2 {
		var v bytes.Buffer
		_ = xml.EscapeText(&v, []byte(attrs[i+1])) // a buffer takes everything
		b.WriteString(" " + attrs[i] + `="` + v.String() + `"`)
	}
	b.WriteString(end + ">\n")
}

// anonymizeLabels returns a config that asks the same about the same objects with meaningless
// labels, A1, A2 and so on, in the order of a hash of the old names. names maps, by control,
// each old label to its new one.
func anonymizeLabels(objects []labelconfig.Object, learned []head.Decision) (config string, names map[string]map[string]string) {
	var b strings.Builder
	b.WriteString("<View>\n")
	for _, o := range objects {
		var attrs []string
		for _, k := range slices.Sorted(maps.Keys(o.Attrs)) {
			attrs = append(attrs, k, o.Attrs[k])
		}
		writeTag(&b, o.Type, "/", attrs...)
	}
	names = map[string]map[string]string{}
	var questions []inferredControl
	for _, d := range learned {
		c := d.Control
		// An unanswered one must go on to say nothing, which needs required here
		// if it was conditional there.
		tag := labelconfig.TypeChoices
		if d.Answer == head.AnswerSpans {
			tag = c.Type
		}
		q := inferredControl{tag: tag, name: c.Name, objects: c.ToName, multiple: c.Multiple, required: c.Required || c.Conditional}
		if !d.Answer.Named() { // no names to hide
			q.tag = c.Type
			for _, k := range slices.Sorted(maps.Keys(c.Attrs)) {
				if !strings.EqualFold(k, "name") && !strings.EqualFold(k, "toName") {
					q.attrs = append(q.attrs, k, c.Attrs[k])
				}
			}
			questions = append(questions, q)
			continue
		}
		if d.Answer == head.AnswerPaths { // each path by itself, and never none
			q.required = true
		}
		hidden := map[string]string{}
		old := c.LabelNames()
		slices.SortFunc(old, func(a, b string) int {
			return cmp.Or(cmp.Compare(xxhash.Sum64String(a), xxhash.Sum64String(b)), cmp.Compare(a, b))
		})
		for i, l := range old {
			hidden[l] = fmt.Sprintf("A%d", i+1)
			q.order = append(q.order, hidden[l])
		}
		names[c.Name] = hidden
		questions = append(questions, q)
	}
	writeQuestions(&b, questions)
	b.WriteString("</View>\n")
	return b.String(), names
}
