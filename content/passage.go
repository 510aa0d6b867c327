package content

import (
	"encoding/json"
	"fmt"

	"github.com/hone-ml/hone/internal/jsonscan"
	"github.com/hone-ml/hone/labelstudio/labelconfig"
	"github.com/hone-ml/hone/labelstudio/passage"
)

// Passage is what can be marked in an object, from a task's data object. Errors are those
// of Text.
func Passage(o labelconfig.Object, data json.RawMessage) (passage.Passage, error) {
	if o.Type == labelconfig.TypeParagraphs && isField(o.Value) && unfetched(o) == "" {
		raw, ok := jsonscan.Lookup(data, o.Value[1:])
		if ok && jsonscan.KindOf(raw) == jsonscan.Array {
			turns, err := turnsOf(o, raw)
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
	s, err := source(o, data)
	if err != nil {
		return passage.Passage{Object: o.Name}, err
	}
	switch o.Type {
	case labelconfig.TypeHyperText:
		return passage.FromHTML(o.Name, s), nil
	case labelconfig.TypeParagraphs: // a text in place of a list is one paragraph
		return passage.FromParagraphs(o.Name, []string{s}), nil
	}
	return passage.FromText(o.Name, s), nil
}
