package settings

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/hone-ml/hone/internal/jsonscan"
)

const (
	maxDescribed  = 2000   // labels of one project
	maxLines      = 10     // of a label
	maxLine       = 500    // characters of a line
	maxAllLines   = 40_000 // bytes of all lines
	maxFile       = 4 << 20
	exampleOfText = `write {"LABEL": ["a line", "another"]}, or {"CONTROL": {"LABEL": ["a line"]}} where several controls have the label`
)

// Descriptions are lines that say what labels mean, in words that texts with the label might
// have (label-description training: Gao, Ghosh & Gimpel 2023, arXiv 2305.02239). They are
// immutable. The zero value describes nothing.
type Descriptions struct {
	text string // as written, which is equal for equal descriptions
	// lines are by control and label; those of the control "" are of the label in any control.
	lines map[string]map[string][]string
}

// ParseDescriptions reads a JSON object: lines by label, or by control and label. Empty lines
// and labels without lines are left out. The error says what is wrong, and what to write.
func ParseDescriptions(text []byte) (Descriptions, error) {
	d := Descriptions{lines: map[string]map[string][]string{}}
	if !utf8.Valid(text) {
		return d, errors.New("it is not text in UTF-8")
	}
	err := eachMember(text, func(name string, value json.RawMessage) error {
		if bytes.HasPrefix(value, []byte("{")) {
			if name == "" {
				return errors.New("a control has no name")
			}
			return eachMember(value, func(label string, value json.RawMessage) error { return d.addLabel(name, label, value) })
		}
		return d.addLabel("", name, value)
	})
	if err == nil {
		err = d.checkSize()
	}
	if err != nil {
		return Descriptions{}, err
	}
	d.text = d.format()
	return d, nil
}

// ReadDescriptions reads what ParseDescriptions takes, at most 4 MiB. The error begins with the
// name of what was read.
func ReadDescriptions(name string, r io.Reader) (Descriptions, error) {
	text, err := io.ReadAll(io.LimitReader(r, maxFile))
	if err != nil {
		return Descriptions{}, fmt.Errorf("%s: %w", name, err)
	}
	d, err := ParseDescriptions(text)
	if err != nil {
		return d, fmt.Errorf("%s: %w", name, err)
	}
	return d, nil
}

// eachMember calls do for each member of a JSON object, and refuses one that is there twice.
func eachMember(object []byte, do func(name string, value json.RawMessage) error) error {
	seen := map[string]bool{}
	err := jsonscan.Members("it", bytes.NewReader(object), func(name string, value json.RawMessage) error {
		if seen[name] {
			return fmt.Errorf("%q is there twice", shorten(name))
		}
		seen[name] = true
		return do(name, value)
	})
	if errors.Is(err, jsonscan.ErrNotObject) {
		return fmt.Errorf("%w; %s", err, exampleOfText)
	}
	return err
}

// addLabel reads the lines of one label: a list, or one line.
func (d Descriptions) addLabel(control, label string, value json.RawMessage) error {
	var lines []string
	if err := json.Unmarshal(value, &lines); err != nil {
		var line string
		if json.Unmarshal(value, &line) != nil {
			return fmt.Errorf("the lines of label %q are no list of texts; %s", shorten(label), exampleOfText)
		}
		lines = []string{line}
	}
	var kept []string
	for _, l := range lines {
		l = strings.Join(strings.Fields(l), " ")
		switch {
		case l == "":
			continue
		case utf8.RuneCountInString(l) > maxLine:
			return fmt.Errorf("a line of label %q has more than %d characters", shorten(label), maxLine)
		}
		if !slices.Contains(kept, l) {
			kept = append(kept, l)
		}
	}
	switch {
	case label == "":
		return errors.New("a label has no name")
	case len(kept) > maxLines:
		return fmt.Errorf("label %q has %d lines; two are enough, and %d the most", shorten(label), len(kept), maxLines)
	case len(kept) == 0:
		return nil
	}
	if d.lines[control] == nil {
		d.lines[control] = map[string][]string{}
	}
	d.lines[control][label] = kept
	return nil
}

func (d Descriptions) checkSize() error {
	labels, size := 0, 0
	for _, of := range d.lines {
		labels += len(of)
		for label, lines := range of {
			if utf8.RuneCountInString(label) > maxName {
				return fmt.Errorf("label %q is longer than %d characters", shorten(label), maxName)
			}
			for _, l := range lines {
				size += len(l)
			}
		}
	}
	if labels > maxDescribed || size > maxAllLines {
		return fmt.Errorf("%d labels with %d bytes of lines are too many: %d and %d are the most", labels, size, maxDescribed, maxAllLines)
	}
	return nil
}

// format returns the JSON that ParseDescriptions reads, equal for equal descriptions; empty for
// none.
func (d Descriptions) format() string {
	all := map[string]any{}
	for control, of := range d.lines {
		if control != "" {
			all[control] = of
		}
	}
	for label, lines := range d.lines[""] {
		all[label] = lines // parsing refuses a label with the name of a control
	}
	if len(all) == 0 {
		return ""
	}
	b, err := json.Marshal(all)
	if err != nil {
		return "" // it holds texts alone
	}
	return string(b)
}

// String returns the JSON that ParseDescriptions reads; empty for none.
func (d Descriptions) String() string { return d.text }

// Same reports whether two of them say the same.
func (d Descriptions) Same(other Descriptions) bool { return d.text == other.text }

// Lines returns the lines of a label of a control: those of that control, or else those of the
// label in any control. They must not be changed.
func (d Descriptions) Lines(control, label string) []string {
	if lines, ok := d.lines[control][label]; ok {
		return lines
	}
	return d.lines[""][label]
}

// Renamed returns the descriptions with other names for labels, by control and old name. Those
// of labels that have no new name are left out.
func (d Descriptions) Renamed(names map[string]map[string]string) Descriptions {
	out := Descriptions{lines: map[string]map[string][]string{}}
	for control, renamed := range names {
		for old, label := range renamed {
			if lines := d.Lines(control, old); len(lines) > 0 {
				if out.lines[control] == nil {
					out.lines[control] = map[string][]string{}
				}
				out.lines[control][label] = lines
			}
		}
	}
	out.text = out.format()
	return out
}

// Unknown returns the described labels that no control has, as LABEL or CONTROL/LABEL, sorted.
// labels are those of each control.
func (d Descriptions) Unknown(labels map[string][]string) (out []string) {
	for _, control := range slices.Sorted(maps.Keys(d.lines)) {
		for _, label := range slices.Sorted(maps.Keys(d.lines[control])) {
			switch {
			case control != "" && !slices.Contains(labels[control], label):
				out = append(out, control+"/"+label)
			case control == "" && !slices.ContainsFunc(slices.Collect(maps.Values(labels)), func(of []string) bool { return slices.Contains(of, label) }):
				out = append(out, label)
			}
		}
	}
	return out
}
