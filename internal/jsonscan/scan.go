// Package jsonscan reads JSON in one pass without building what nobody asks for, and
// finds single values in it by a path.
package jsonscan

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"
)

// Scanner reads JSON in one pass, keeping only what it is asked for. Webhook
// bodies are mostly fields hone does not need, and arrive by the thousand; going
// over them once, without building the rest, is several times faster than
// decoding into structs. It accepts exactly what encoding/json calls valid, up
// to maxJSONDepth.
//
// A reader of a value consumes the value, or returns an error after which the
// scanner must not be used further. It is not safe for concurrent use.
type Scanner struct {
	b     []byte
	i     int
	depth int
}

// New scans b, which it does not change.
func New(b []byte) *Scanner { return &Scanner{b: b} }

// maxJSONDepth bounds nesting, and so the stack.
const maxJSONDepth = 500

func (s *Scanner) skipSpace() {
	for s.i < len(s.b) {
		switch s.b[s.i] {
		case ' ', '\t', '\r', '\n':
			s.i++
		default:
			return
		}
	}
}

// Kind is the kind of the value that comes next.
func (s *Scanner) Kind() Kind {
	s.skipSpace()
	if s.i >= len(s.b) {
		return None
	}
	return KindOf(s.b[s.i : s.i+1])
}

func (s *Scanner) syntaxError() error {
	if s.i >= len(s.b) {
		return &Error{Fault: "is not JSON: it ends too early", whole: true}
	}
	return &Error{Fault: fmt.Sprintf("is not JSON, at byte %d", s.i), whole: true}
}

// TypeError is the error for a value of another kind than needed.
func (s *Scanner) TypeError(what string) error {
	k := s.Kind()
	if k == None {
		return s.syntaxError()
	}
	return &Error{Fault: fmt.Sprintf("is %s where %s is expected", kindNames[k], what)}
}

var kindNames = [...]string{
	Null: "null", Bool: "true or false", Number: "a number", String: "a text", Array: "a list", Object: "an object",
}

// Object calls field for each key; field must consume the value and not keep the
// key. It returns at once when the value is null.
func (s *Scanner) Object(field func(key []byte) error) error {
	switch s.Kind() {
	case Null:
		return s.Skip()
	case Object:
	default:
		return s.TypeError("an object")
	}
	if err := s.enter(); err != nil {
		return err
	}
	for first := true; ; first = false {
		s.skipSpace()
		if first && s.i < len(s.b) && s.b[s.i] == '}' {
			break
		}
		if s.i >= len(s.b) || s.b[s.i] != '"' {
			return s.syntaxError()
		}
		key, err := s.key()
		if err != nil {
			return err
		}
		s.skipSpace()
		if s.i >= len(s.b) || s.b[s.i] != ':' {
			return s.syntaxError()
		}
		s.i++
		if err := field(key); err != nil {
			return inField(string(key), err)
		}
		more, err := s.next('}')
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

// Array calls item for each element; item must consume it. It returns at once
// when the value is null.
func (s *Scanner) Array(item func(n int) error) error {
	switch s.Kind() {
	case Null:
		return s.Skip()
	case Array:
	default:
		return s.TypeError("a list")
	}
	if err := s.enter(); err != nil {
		return err
	}
	for n := 0; ; n++ {
		s.skipSpace()
		if n == 0 && s.i < len(s.b) && s.b[s.i] == ']' {
			break
		}
		if err := item(n); err != nil {
			return inField("["+strconv.Itoa(n)+"]", err)
		}
		more, err := s.next(']')
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

func (s *Scanner) enter() error {
	if s.depth++; s.depth > maxJSONDepth {
		return &Error{Fault: fmt.Sprintf("nests more than %d deep", maxJSONDepth), whole: true}
	}
	s.i++
	return nil
}

// next stands after an element: at a comma it steps over it, at the end it stays.
func (s *Scanner) next(end byte) (bool, error) {
	s.skipSpace()
	if s.i < len(s.b) {
		switch s.b[s.i] {
		case ',':
			s.i++
			return true, nil
		case end:
			return false, nil
		}
	}
	return false, s.syntaxError()
}

func (s *Scanner) key() ([]byte, error) {
	from := s.i
	plain, err := s.skipText()
	if err != nil {
		return nil, err
	}
	if plain {
		return s.b[from+1 : s.i-1], nil
	}
	key, err := unquote(s.b[from:s.i])
	return []byte(key), err
}

// Skip steps over the next value, whatever it is.
func (s *Scanner) Skip() error {
	switch s.Kind() {
	case Object:
		return s.Object(func([]byte) error { return s.Skip() })
	case Array:
		return s.Array(func(int) error { return s.Skip() })
	case String:
		_, err := s.skipText()
		return err
	case Number:
		return s.skipNumber()
	case Null:
		return s.skipLiteral("null")
	case Bool:
		if s.b[s.i] == 't' {
			return s.skipLiteral("true")
		}
		return s.skipLiteral("false")
	}
	return s.syntaxError()
}

// Raw is a copy of the next value as it is written.
func (s *Scanner) Raw() (json.RawMessage, error) {
	b, err := s.Bytes()
	return bytes.Clone(b), err
}

// Bytes is the next value as it is written, a part of what is scanned.
func (s *Scanner) Bytes() ([]byte, error) {
	s.skipSpace()
	from := s.i
	if err := s.Skip(); err != nil {
		return nil, err
	}
	return s.b[from:s.i:s.i], nil
}

// End fails when anything but white space is left.
func (s *Scanner) End() error {
	if s.skipSpace(); s.i < len(s.b) {
		return s.syntaxError()
	}
	return nil
}

func (s *Scanner) skipLiteral(word string) error {
	if !bytes.HasPrefix(s.b[s.i:], []byte(word)) {
		return s.syntaxError()
	}
	s.i += len(word)
	return nil
}

// skipText steps over a string. It is plain when it is ASCII without escapes.
func (s *Scanner) skipText() (plain bool, err error) {
	plain = true
	s.i++
	for s.i < len(s.b) {
		switch c := s.b[s.i]; {
		case c == '"':
			s.i++
			return plain, nil
		case c < ' ':
			return false, s.syntaxError()
		case c == '\\':
			plain = false
			s.i++
			if err := s.skipEscape(); err != nil {
				return false, err
			}
		case c >= 0x80:
			plain = false
			s.i++
		default:
			s.i++
		}
	}
	return false, s.syntaxError()
}

func (s *Scanner) skipEscape() error {
	if s.i >= len(s.b) {
		return s.syntaxError()
	}
	switch s.b[s.i] {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		s.i++
		return nil
	case 'u':
		s.i++
		for range 4 {
			if s.i >= len(s.b) || !isHex(s.b[s.i]) {
				return s.syntaxError()
			}
			s.i++
		}
		return nil
	}
	return s.syntaxError()
}

func isHex(c byte) bool {
	return c >= '0' && c <= '9' || c >= 'a' && c <= 'f' || c >= 'A' && c <= 'F'
}

// skipNumber steps over a number.
func (s *Scanner) skipNumber() error {
	if s.b[s.i] == '-' {
		s.i++
	}
	if s.i < len(s.b) && s.b[s.i] == '0' {
		s.i++
	} else if err := s.skipDigits(); err != nil {
		return err
	}
	if s.i < len(s.b) && s.b[s.i] == '.' {
		s.i++
		if err := s.skipDigits(); err != nil {
			return err
		}
	}
	if s.i < len(s.b) && (s.b[s.i] == 'e' || s.b[s.i] == 'E') {
		s.i++
		if s.i < len(s.b) && (s.b[s.i] == '+' || s.b[s.i] == '-') {
			s.i++
		}
		return s.skipDigits()
	}
	return nil
}

// skipDigits steps over one or more digits.
func (s *Scanner) skipDigits() error {
	from := s.i
	for s.i < len(s.b) && s.b[s.i] >= '0' && s.b[s.i] <= '9' {
		s.i++
	}
	if s.i == from {
		return s.syntaxError()
	}
	return nil
}
