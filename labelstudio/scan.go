package labelstudio

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"
)

// scanner reads JSON in one pass, keeping only what it is asked for. Webhook
// bodies are mostly fields hone does not need, and arrive by the thousand; going
// over them once, without building the rest, is several times faster than
// decoding into structs. It accepts exactly what encoding/json calls valid, up
// to maxJSONDepth.
//
// A reader of a value consumes the value, or returns an error after which the
// scanner must not be used further.
type scanner struct {
	b     []byte
	i     int
	depth int
}

// maxJSONDepth bounds nesting, and so the stack.
const maxJSONDepth = 500

func (s *scanner) space() {
	for s.i < len(s.b) {
		switch s.b[s.i] {
		case ' ', '\t', '\r', '\n':
			s.i++
		default:
			return
		}
	}
}

// kind is the kind of the value that comes next.
func (s *scanner) kind() jsonKind {
	s.space()
	if s.i >= len(s.b) {
		return kindNone
	}
	return kindOf(s.b[s.i : s.i+1])
}

func (s *scanner) bad() error {
	if s.i >= len(s.b) {
		return &BodyError{Fault: "is not JSON: it ends too early", whole: true}
	}
	return &BodyError{Fault: fmt.Sprintf("is not JSON, at byte %d", s.i), whole: true}
}

// want is the error for a value of another kind than needed.
func (s *scanner) want(what string) error {
	k := s.kind()
	if k == kindNone {
		return s.bad()
	}
	return &BodyError{Fault: fmt.Sprintf("is %s where %s is expected", kindNames[k], what)}
}

var kindNames = [...]string{
	kindNull: "null", kindBool: "true or false", kindNumber: "a number", kindString: "a text", kindArray: "a list", kindObject: "an object",
}

// object calls field for each key; field must consume the value and not keep the
// key. It returns at once when the value is null.
func (s *scanner) object(field func(key []byte) error) error {
	switch s.kind() {
	case kindNull:
		return s.skip()
	case kindObject:
	default:
		return s.want("an object")
	}
	if err := s.enter(); err != nil {
		return err
	}
	for first := true; ; first = false {
		s.space()
		if first && s.i < len(s.b) && s.b[s.i] == '}' {
			break
		}
		if s.i >= len(s.b) || s.b[s.i] != '"' {
			return s.bad()
		}
		key, err := s.key()
		if err != nil {
			return err
		}
		s.space()
		if s.i >= len(s.b) || s.b[s.i] != ':' {
			return s.bad()
		}
		s.i++
		if err := field(key); err != nil {
			return inField(string(key), err)
		}
		more, err := s.more('}')
		if err != nil {
			return err
		}
		if !more {
			break
		}
	}
	s.i++
	s.depth--
	return nil
}

// array calls item for each element; item must consume it. It returns at once
// when the value is null.
func (s *scanner) array(item func(n int) error) error {
	switch s.kind() {
	case kindNull:
		return s.skip()
	case kindArray:
	default:
		return s.want("a list")
	}
	if err := s.enter(); err != nil {
		return err
	}
	for n := 0; ; n++ {
		s.space()
		if n == 0 && s.i < len(s.b) && s.b[s.i] == ']' {
			break
		}
		if err := item(n); err != nil {
			return inField("["+strconv.Itoa(n)+"]", err)
		}
		more, err := s.more(']')
		if err != nil {
			return err
		}
		if !more {
			break
		}
	}
	s.i++
	s.depth--
	return nil
}

func (s *scanner) enter() error {
	if s.depth++; s.depth > maxJSONDepth {
		return &BodyError{Fault: fmt.Sprintf("nests more than %d deep", maxJSONDepth), whole: true}
	}
	s.i++
	return nil
}

// more stands after an element: at a comma it steps over it, at the end it stays.
func (s *scanner) more(end byte) (bool, error) {
	s.space()
	if s.i < len(s.b) {
		switch s.b[s.i] {
		case ',':
			s.i++
			return true, nil
		case end:
			return false, nil
		}
	}
	return false, s.bad()
}

func (s *scanner) key() ([]byte, error) {
	from := s.i
	plain, err := s.text()
	if err != nil {
		return nil, err
	}
	if plain {
		return s.b[from+1 : s.i-1], nil
	}
	key, err := unquote(s.b[from:s.i])
	return []byte(key), err
}

// skip steps over the next value, whatever it is.
func (s *scanner) skip() error {
	switch s.kind() {
	case kindObject:
		return s.object(func([]byte) error { return s.skip() })
	case kindArray:
		return s.array(func(int) error { return s.skip() })
	case kindString:
		_, err := s.text()
		return err
	case kindNumber:
		return s.digits()
	case kindNull:
		return s.literal("null")
	case kindBool:
		if s.b[s.i] == 't' {
			return s.literal("true")
		}
		return s.literal("false")
	}
	return s.bad()
}

// raw is a copy of the next value as it is written.
func (s *scanner) raw() (json.RawMessage, error) {
	s.space()
	from := s.i
	if err := s.skip(); err != nil {
		return nil, err
	}
	return bytes.Clone(s.b[from:s.i]), nil
}

// end fails when anything but white space is left.
func (s *scanner) end() error {
	if s.space(); s.i < len(s.b) {
		return s.bad()
	}
	return nil
}

func (s *scanner) literal(word string) error {
	if !bytes.HasPrefix(s.b[s.i:], []byte(word)) {
		return s.bad()
	}
	s.i += len(word)
	return nil
}

// text steps over a string. It is plain when it is ASCII without escapes.
func (s *scanner) text() (plain bool, err error) {
	plain = true
	s.i++
	for s.i < len(s.b) {
		switch c := s.b[s.i]; {
		case c == '"':
			s.i++
			return plain, nil
		case c < ' ':
			return false, s.bad()
		case c == '\\':
			plain = false
			s.i++
			if err := s.escape(); err != nil {
				return false, err
			}
		case c >= 0x80:
			plain = false
			s.i++
		default:
			s.i++
		}
	}
	return false, s.bad()
}

func (s *scanner) escape() error {
	if s.i >= len(s.b) {
		return s.bad()
	}
	switch s.b[s.i] {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		s.i++
		return nil
	case 'u':
		s.i++
		for range 4 {
			if s.i >= len(s.b) || !isHex(s.b[s.i]) {
				return s.bad()
			}
			s.i++
		}
		return nil
	}
	return s.bad()
}

func isHex(c byte) bool {
	return c >= '0' && c <= '9' || c >= 'a' && c <= 'f' || c >= 'A' && c <= 'F'
}

// digits steps over a number.
func (s *scanner) digits() error {
	if s.b[s.i] == '-' {
		s.i++
	}
	if s.i < len(s.b) && s.b[s.i] == '0' {
		s.i++
	} else if err := s.run(); err != nil {
		return err
	}
	if s.i < len(s.b) && s.b[s.i] == '.' {
		s.i++
		if err := s.run(); err != nil {
			return err
		}
	}
	if s.i < len(s.b) && (s.b[s.i] == 'e' || s.b[s.i] == 'E') {
		s.i++
		if s.i < len(s.b) && (s.b[s.i] == '+' || s.b[s.i] == '-') {
			s.i++
		}
		return s.run()
	}
	return nil
}

// run steps over one or more digits.
func (s *scanner) run() error {
	from := s.i
	for s.i < len(s.b) && s.b[s.i] >= '0' && s.b[s.i] <= '9' {
		s.i++
	}
	if s.i == from {
		return s.bad()
	}
	return nil
}
