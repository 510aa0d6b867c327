package jsonscan

import (
	"encoding/json"
	"strconv"
	"strings"
)

// Kind is the kind of a JSON value.
type Kind byte

// The kinds of JSON values; None is none of them.
const (
	None Kind = iota
	Null
	Bool
	Number
	String
	Array
	Object
)

// maxPathSteps bounds a path; real ones have a handful of steps.
const maxPathSteps = 200

// KindOf looks at the first byte only; the rest may still be wrong.
func KindOf(raw []byte) Kind {
	for _, c := range raw {
		switch c {
		case ' ', '\t', '\r', '\n':
			continue
		case 'n':
			return Null
		case 't', 'f':
			return Bool
		case '"':
			return String
		case '[':
			return Array
		case '{':
			return Object
		case '-', '0', '1', '2', '3', '4', '5', '6', '7', '8', '9':
			return Number
		}
		return None
	}
	return None
}

// Lookup follows a path such as a.b[0].c through a JSON object. A key that is
// spelt like the whole remaining path comes first: data made from table columns
// may have dots in its keys. What it returns is a part of data.
func Lookup(data json.RawMessage, path string) (json.RawMessage, bool) {
	for steps := 0; path != "" && steps <= maxPathSteps; steps++ {
		var step string
		var ok bool
		if path[0] == '[' {
			end := strings.IndexByte(path, ']')
			if end < 0 {
				return nil, false
			}
			step, path = path[1:end], strings.TrimPrefix(path[end+1:], ".")
			if KindOf(data) == Array {
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
	return data, path == "" && KindOf(data) != None
}

// member is the value under a key of a JSON object; the last one counts.
func member(data []byte, name string) (value json.RawMessage, found bool) {
	s := New(data)
	if s.Kind() != Object {
		return nil, false
	}
	err := s.Object(func(key []byte) error {
		hit := string(key) == name
		v, err := s.Bytes()
		if err == nil && hit {
			value, found = v, true
		}
		return err
	})
	if err != nil {
		return nil, false
	}
	return value, found
}

// element is the n-th value of a JSON list, from 0.
func element(data []byte, n int) (value json.RawMessage, found bool) {
	s := New(data)
	err := s.Array(func(i int) error {
		v, err := s.Bytes()
		if err == nil && i == n {
			value, found = v, true
		}
		return err
	})
	if err != nil {
		return nil, false
	}
	return value, found
}
