package labelstudio

import (
	"encoding/json"
	"slices"
	"strings"

	"github.com/hone-ml/hone/internal/jsonscan"
	"github.com/hone-ml/hone/labelstudio/labelconfig"
)

// choicePaths reads the choices of a region into path ids. Each is a text, or
// with allowNested a list of texts; the whole may be a lone text, which Label
// Studio's interface also takes.
func choicePaths(raw json.RawMessage) ([]string, bool) {
	var items []json.RawMessage
	switch jsonscan.KindOf(raw) {
	case jsonscan.String:
		items = []json.RawMessage{raw}
	case jsonscan.Array:
		if json.Unmarshal(raw, &items) != nil {
			return nil, false
		}
	default:
		return nil, false
	}
	out := make([]string, 0, len(items))
	for _, item := range items {
		var path []jsonscan.LooseString
		if jsonscan.KindOf(item) == jsonscan.Array {
			if json.Unmarshal(item, &path) != nil {
				continue
			}
		} else {
			path = make([]jsonscan.LooseString, 1)
			if json.Unmarshal(item, &path[0]) != nil {
				continue
			}
		}
		parts := make([]string, len(path))
		for i, p := range path {
			parts[i] = string(p)
		}
		out = append(out, labelconfig.PathID(parts))
	}
	return out, true
}

// labelAt is the index of the label that a result means by the path id, or -1:
// the label with that path; else the only one that shows that value, for results
// written with values where the config has aliases; else, for a result written
// before or after allowNested was changed, the only one whose path ends so.
func (c Control) labelAt(id string) int {
	byValue, byLeaf := -1, -1
	values, leaves := 0, 0
	leaf := id[strings.LastIndexByte(id, 0)+1:]
	for i, l := range c.Labels {
		if labelconfig.PathID(l.Path) == id {
			return i
		}
		if l.Value == id {
			byValue = i
			values++
		}
		if last := l.Path[len(l.Path)-1]; last == leaf && (len(l.Path) == 1 || leaf == id) {
			byLeaf = i
			leaves++
		}
	}
	switch {
	case values == 1:
		return byValue
	case values == 0 && leaves == 1:
		return byLeaf
	}
	return -1
}

// hasDescendant reports whether some label lies below the path.
func (c Control) hasDescendant(id string) bool {
	return slices.ContainsFunc(c.Labels, func(l Label) bool {
		return strings.HasPrefix(labelconfig.PathID(l.Path), id+"\x00")
	})
}

func displayPath(id string) string { return strings.ReplaceAll(id, "\x00", " / ") }
