package content

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/hone-ml/hone/internal/jsonscan"
	"github.com/hone-ml/hone/labelstudio/labelconfig"
	"github.com/hone-ml/hone/labelstudio/passage"
)

// ErrNoText is wrapped by the errors about a task whose data does not have the text.
var ErrNoText = errors.New("no text in the task")

// Text is the text an annotator reads in an object, from a task's data object.
// HyperText loses its markup; Paragraphs become lines "author: text". A field
// that is null or an empty text gives "", one that is missing or holds no text
// gives an error that wraps ErrNoText.
func Text(o labelconfig.Object, data json.RawMessage) (string, error) {
	s, err := source(o, data)
	if err == nil && o.Type == labelconfig.TypeHyperText {
		s = passage.StripHTML(s)
	}
	return s, err
}

// source is Text with the markup that HyperText has.
func source(o labelconfig.Object, data json.RawMessage) (string, error) {
	if why := unfetched(o); why != "" {
		return "", fmt.Errorf("<%s name=%q> %s", o.Type, o.Name, why)
	}
	if isField(o.Value) {
		raw, ok := jsonscan.Lookup(data, o.Value[1:])
		if !ok {
			return "", fmt.Errorf("%w: <%s name=%q> shows %s, which its data does not have", ErrNoText, o.Type, o.Name, o.Value)
		}
		return textOf(o, raw)
	}
	return mixed(o, data)
}

// mixed is a text with fields in it.
func mixed(o labelconfig.Object, data json.RawMessage) (string, error) {
	named, found := false, false
	var fault error
	s := fieldPattern.ReplaceAllStringFunc(o.Value, func(m string) string {
		named = true
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
		return validText(t) + m[1+len(path):]
	})
	switch {
	case fault != nil:
		return "", fault
	case !named:
		return "", fmt.Errorf("<%s name=%q> %s", o.Type, o.Name, constant(o))
	case !found:
		return "", fmt.Errorf("%w: <%s name=%q> shows %q, and the data has none of its fields", ErrNoText, o.Type, o.Name, o.Value)
	}
	return s, nil
}

func textOf(o labelconfig.Object, raw json.RawMessage) (string, error) {
	var s string
	var err error
	if o.Type == labelconfig.TypeParagraphs {
		s, err = paragraphs(o, raw)
	} else {
		s, err = scalar(raw)
	}
	if err != nil {
		return "", fmt.Errorf("<%s name=%q>: field %s: %w", o.Type, o.Name, o.Value, err)
	}
	if strings.HasPrefix(o.Encoding, "base64") {
		b, err := base64.StdEncoding.DecodeString(strings.TrimSpace(s))
		if err != nil {
			return "", fmt.Errorf("%w: <%s name=%q> has encoding=%q, but field %s is not base64", ErrNoText, o.Type, o.Name, o.Encoding, o.Value)
		}
		s = string(b)
	}
	return validText(s), nil
}

// validText is a field's text as UTF-8: what is base64, or in data that are no JSON, may be
// anything.
func validText(s string) string {
	if utf8.ValidString(s) {
		return s
	}
	return strings.ToValidUTF8(s, "\uFFFD")
}
