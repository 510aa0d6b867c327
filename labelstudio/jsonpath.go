package labelstudio

import (
	"encoding/json"
	"strconv"
	"strings"
)

type jsonKind byte

const (
	kindNone jsonKind = iota
	kindNull
	kindBool
	kindNumber
	kindString
	kindArray
	kindObject
)

// kindOf looks at the first byte only; the rest may still be wrong.
func kindOf(raw []byte) jsonKind {
	for _, c := range raw {
		switch c {
		case ' ', '\t', '\r', '\n':
			continue
		case 'n':
			return kindNull
		case 't', 'f':
			return kindBool
		case '"':
			return kindString
		case '[':
			return kindArray
		case '{':
			return kindObject
		case '-', '0', '1', '2', '3', '4', '5', '6', '7', '8', '9':
			return kindNumber
		}
		return kindNone
	}
	return kindNone
}

// lookup follows a path such as a.b[0].c through a JSON object. A key that is
// spelt like the whole remaining path comes first: data made from table columns
// may have dots in its keys.
func lookup(data json.RawMessage, path string) (json.RawMessage, bool) {
	for steps := 0; steps <= maxConfigDepth; steps++ {
		if path == "" {
			return data, kindOf(data) != kindNone
		}
		var step string
		if path[0] == '[' {
			end := strings.IndexByte(path, ']')
			if end < 0 {
				return nil, false
			}
			step, path = path[1:end], strings.TrimPrefix(path[end+1:], ".")
			if kindOf(data) == kindArray {
				i, err := strconv.Atoi(step)
				var items []json.RawMessage
				if err != nil || i < 0 || json.Unmarshal(data, &items) != nil || i >= len(items) {
					return nil, false
				}
				data = items[i]
				continue
			}
		}
		if kindOf(data) != kindObject {
			return nil, false
		}
		var fields map[string]json.RawMessage
		if json.Unmarshal(data, &fields) != nil {
			return nil, false
		}
		if step == "" {
			if v, ok := fields[path]; ok {
				return v, true
			}
			end := strings.IndexAny(path, ".[")
			if end < 0 {
				return nil, false
			}
			step = path[:end]
			path = strings.TrimPrefix(path[end:], ".")
		}
		v, ok := fields[step]
		if !ok {
			return nil, false
		}
		data = v
	}
	return nil, false
}
