package content

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/hone-ml/hone/internal/jsonscan"
	"github.com/hone-ml/hone/labelstudio/labelconfig"
)

// paragraphs joins the turns of a dialogue, one a line.
func paragraphs(o labelconfig.Object, raw json.RawMessage) (string, error) {
	if jsonscan.KindOf(raw) != jsonscan.Array {
		return scalar(raw)
	}
	turns, err := turnsOf(o, raw)
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

// turnsOf are the paragraphs of a list.
func turnsOf(o labelconfig.Object, raw json.RawMessage) ([]turn, error) {
	var items []json.RawMessage
	if err := json.Unmarshal(raw, &items); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrNoText, err)
	}
	turns := make([]turn, len(items))
	for i, item := range items {
		var err error
		if turns[i].who, turns[i].said, err = readTurn(o, item); err != nil {
			return nil, fmt.Errorf("turn %d: %w", i, err)
		}
	}
	return turns, nil
}

// readTurn reads one of them.
func readTurn(o labelconfig.Object, raw json.RawMessage) (who, said string, err error) {
	if jsonscan.KindOf(raw) != jsonscan.Object {
		said, err = scalar(raw)
		return "", said, err
	}
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(raw, &fields); err != nil {
		return "", "", fmt.Errorf("%w: %w", ErrNoText, err)
	}
	text, ok := fields[o.TextKey]
	if !ok {
		return "", "", fmt.Errorf("%w: it has no %q; name the right key with textKey", ErrNoText, o.TextKey)
	}
	if said, err = scalar(text); err != nil {
		return "", "", err
	}
	if author, ok := fields[o.NameKey]; ok {
		if name, err := scalar(author); err == nil {
			who = name
		}
	}
	return who, said, nil
}
