package content

import (
	"encoding/json"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/hone-ml/hone/internal/jsonscan"
)

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
