package labelconfig

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/hone-ml/hone/internal/jsonscan"
	"github.com/hone-ml/hone/labelstudio/passage"
)

// ErrNoText is wrapped by the errors of Object.Text for a task whose data does
// not have the text.
var ErrNoText = errors.New("no text in the task")

// isField reports whether fieldPattern matches all of a value. Every text is looked
// up by it, and the pattern takes as long as the looking up.
func isField(value string) bool {
	if len(value) < 2 || value[0] != '$' {
		return false
	}
	for _, c := range []byte(value[1:]) {
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', c == '_':
		case c == '[', c == ']', c == '.', c == '{', c == '}':
		default:
			return false
		}
	}
	return true
}

// Text is the text an annotator reads in this object, from a task's data object.
// HyperText loses its markup; Paragraphs become lines "author: text". A field
// that is null or an empty text gives "", one that is missing or holds no text
// gives an error that wraps ErrNoText.
func (o Object) Text(data json.RawMessage) (string, error) {
	s, err := o.source(data)
	if err == nil && o.Type == TypeHyperText {
		s = passage.StripHTML(s)
	}
	return s, err
}

// source is Text with the markup that HyperText has.
func (o Object) source(data json.RawMessage) (string, error) {
	if o.Unreadable != "" {
		return "", fmt.Errorf("<%s name=%q> %s", o.Type, o.Name, o.Unreadable)
	}
	if isField(o.Value) {
		raw, ok := jsonscan.Lookup(data, o.Value[1:])
		if !ok {
			return "", fmt.Errorf("%w: <%s name=%q> shows %s, which its data does not have", ErrNoText, o.Type, o.Name, o.Value)
		}
		return o.textOf(raw)
	}
	found := false
	var fault error
	s := fieldPattern.ReplaceAllStringFunc(o.Value, func(m string) string {
		// The pattern takes a full stop after a field for a part of its path.
		path := strings.TrimRight(m[1:], ".")
		raw, ok := jsonscan.Lookup(data, path)
		if !ok {
			return ""
		}
		found = true
		t, err := scalar(raw)
		if err != nil && fault == nil {
			fault = fmt.Errorf("<%s name=%q>: field $%s: %w", o.Type, o.Name, path, err)
		}
		return t + m[1+len(path):]
	})
	switch {
	case fault != nil:
		return "", fault
	case !found:
		return "", fmt.Errorf("%w: <%s name=%q> shows %q, and the data has none of its fields", ErrNoText, o.Type, o.Name, o.Value)
	}
	return s, nil
}

func (o Object) textOf(raw json.RawMessage) (string, error) {
	var s string
	var err error
	if o.Type == TypeParagraphs {
		s, err = o.paragraphs(raw)
	} else {
		s, err = scalar(raw)
	}
	if err != nil {
		return "", fmt.Errorf("<%s name=%q>: field %s: %w", o.Type, o.Name, o.Value, err)
	}
	if strings.HasPrefix(o.encoding, "base64") {
		b, err := base64.StdEncoding.DecodeString(strings.TrimSpace(s))
		if err != nil {
			return "", fmt.Errorf("%w: <%s name=%q> has encoding=%q, but field %s is not base64", ErrNoText, o.Type, o.Name, o.encoding, o.Value)
		}
		s = string(b)
	}
	if !utf8.ValidString(s) {
		s = strings.ToValidUTF8(s, "\uFFFD")
	}
	return s, nil
}

// Passage is what can be marked in this object, from a task's data object. Errors
// are those of Text.
func (o Object) Passage(data json.RawMessage) (passage.Passage, error) {
	if o.Type == TypeParagraphs && isField(o.Value) && o.Unreadable == "" {
		raw, ok := jsonscan.Lookup(data, o.Value[1:])
		if ok && jsonscan.KindOf(raw) == jsonscan.Array {
			turns, err := o.turns(raw)
			if err != nil {
				return passage.Passage{Object: o.Name}, fmt.Errorf("<%s name=%q>: field %s: %w", o.Type, o.Name, o.Value, err)
			}
			said := make([]string, len(turns))
			for i, t := range turns {
				said[i] = t.said
			}
			return passage.FromParagraphs(o.Name, said), nil
		}
	}
	s, err := o.source(data)
	if err != nil {
		return passage.Passage{Object: o.Name}, err
	}
	switch o.Type {
	case TypeHyperText:
		return passage.FromHTML(o.Name, s), nil
	case TypeParagraphs: // a text in place of a list is one paragraph
		return passage.FromParagraphs(o.Name, []string{s}), nil
	}
	return passage.FromText(o.Name, s), nil
}

// plain is the text of a JSON string that says it as it is.
func plain(raw json.RawMessage) (string, bool) {
	if len(raw) < 2 || raw[0] != '"' || raw[len(raw)-1] != '"' {
		return "", false
	}
	text := raw[1 : len(raw)-1]
	for _, c := range text {
		if c < ' ' || c == '"' || c == '\\' {
			return "", false
		}
	}
	return string(text), utf8.Valid(text)
}

// scalar is a JSON value as Label Studio shows it where text belongs.
func scalar(raw json.RawMessage) (string, error) {
	switch jsonscan.KindOf(raw) {
	case jsonscan.Null:
		return "", nil
	case jsonscan.String:
		if s, ok := plain(raw); ok {
			return s, nil
		}
		var s string
		if err := json.Unmarshal(raw, &s); err != nil {
			return "", fmt.Errorf("%w: %w", ErrNoText, err)
		}
		return s, nil
	case jsonscan.Number, jsonscan.Bool:
		return string(raw), nil
	case jsonscan.Array:
		var items []json.RawMessage
		if err := json.Unmarshal(raw, &items); err != nil {
			return "", fmt.Errorf("%w: %w", ErrNoText, err)
		}
		lines := make([]string, 0, len(items))
		for _, item := range items {
			if k := jsonscan.KindOf(item); k == jsonscan.Array || k == jsonscan.Object {
				return "", fmt.Errorf("%w: it is a list that holds more than texts", ErrNoText)
			}
			s, err := scalar(item)
			if err != nil {
				return "", err
			}
			lines = append(lines, s)
		}
		return strings.Join(lines, "\n"), nil
	}
	return "", fmt.Errorf("%w: it is an object, not a text", ErrNoText)
}

// paragraphs joins the turns of a dialogue, one a line.
func (o Object) paragraphs(raw json.RawMessage) (string, error) {
	if jsonscan.KindOf(raw) != jsonscan.Array {
		return scalar(raw)
	}
	turns, err := o.turns(raw)
	if err != nil {
		return "", err
	}
	var b strings.Builder
	for i, t := range turns {
		if i > 0 {
			b.WriteByte('\n')
		}
		if t.who != "" {
			b.WriteString(t.who)
			b.WriteString(": ")
		}
		b.WriteString(t.said)
	}
	return b.String(), nil
}

// turn is one paragraph: its author, "" when it names none, and its text.
type turn struct{ who, said string }

// turns are the paragraphs of a list.
func (o Object) turns(raw json.RawMessage) ([]turn, error) {
	var items []json.RawMessage
	if err := json.Unmarshal(raw, &items); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrNoText, err)
	}
	turns := make([]turn, len(items))
	for i, item := range items {
		var err error
		if turns[i].who, turns[i].said, err = o.turn(item); err != nil {
			return nil, fmt.Errorf("turn %d: %w", i, err)
		}
	}
	return turns, nil
}

// turn reads one of them.
func (o Object) turn(raw json.RawMessage) (who, said string, err error) {
	if jsonscan.KindOf(raw) != jsonscan.Object {
		said, err = scalar(raw)
		return "", said, err
	}
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(raw, &fields); err != nil {
		return "", "", fmt.Errorf("%w: %w", ErrNoText, err)
	}
	text, ok := fields[o.textKey]
	if !ok {
		return "", "", fmt.Errorf("%w: it has no %q; name the right key with textKey", ErrNoText, o.textKey)
	}
	if said, err = scalar(text); err != nil {
		return "", "", err
	}
	if author, ok := fields[o.nameKey]; ok {
		if name, err := scalar(author); err == nil {
			who = name
		}
	}
	return who, said, nil
}
