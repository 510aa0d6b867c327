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
// may have dots in its keys. What it returns is a part of data.
func lookup(data json.RawMessage, path string) (json.RawMessage, bool) {
	for steps := 0; path != "" && steps <= maxConfigDepth; steps++ {
		var step string
		var ok bool
		if path[0] == '[' {
			end := strings.IndexByte(path, ']')
			if end < 0 {
				return nil, false
			}
			step, path = path[1:end], strings.TrimPrefix(path[end+1:], ".")
			if kindOf(data) == kindArray {
				n, err := strconv.Atoi(step)
				if err != nil {
					return nil, false
				}
				if data, ok = element(data, n); !ok {
					return nil, false
				}
				continue
			}
		} else {
			if whole, ok := member(data, path); ok {
				return whole, true
			}
			end := strings.IndexAny(path, ".[")
			if end < 0 {
				return nil, false
			}
			step, path = path[:end], strings.TrimPrefix(path[end:], ".")
		}
		if data, ok = member(data, step); !ok {
			return nil, false
		}
	}
	return data, path == "" && kindOf(data) != kindNone
}

// member is the value under a key of a JSON object; the last one counts.
func member(data []byte, name string) (value json.RawMessage, found bool) {
	s := &scanner{b: data}
	if s.Kind() != kindObject {
		return nil, false
	}
	err := s.Object(func(key []byte) error {
		hit := string(key) == name
		s.skipSpace()
		from := s.i
		if err := s.Skip(); err != nil {
			return err
		}
		if hit {
			value, found = data[from:s.i:s.i], true
		}
		return nil
	})
	if err != nil {
		return nil, false
	}
	return value, found
}

// element is the n-th value of a JSON list, from 0.
func element(data []byte, n int) (value json.RawMessage, found bool) {
	s := &scanner{b: data}
	err := s.Array(func(i int) error {
		s.skipSpace()
		from := s.i
		if err := s.Skip(); err != nil {
			return err
		}
		if i == n {
			value, found = data[from:s.i:s.i], true
		}
		return nil
	})
	if err != nil {
		return nil, false
	}
	return value, found
}
