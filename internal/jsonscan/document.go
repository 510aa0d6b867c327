package jsonscan

import "encoding/json"

// Document reads a body, which must be one JSON object, and calls field for each of
// its keys; field must consume the value and not keep the key. Every error of its own
// is an *Error.
func Document(body []byte, field func(s *Scanner, key []byte) error) error {
	s := New(body)
	switch s.Kind() {
	case Object:
	case None:
		if s.i == len(body) {
			return &Error{Fault: "is empty; a JSON object is expected"}
		}
		return &Error{Fault: "is not JSON"}
	default:
		return &Error{Fault: "is not a JSON object"}
	}
	if err := s.Object(func(key []byte) error { return field(s, key) }); err != nil {
		return err
	}
	return s.End()
}

// Unmarshal runs a reader over one JSON value, for json.Unmarshaler.
func Unmarshal(b []byte, read func(s *Scanner) error) error {
	s := New(b)
	if err := read(s); err != nil {
		return err
	}
	return s.End()
}

// LooseString is a JSON string, and empty for anything else but a number, which
// is kept as it is written.
type LooseString string

// UnmarshalJSON never fails on a value of another kind.
func (s *LooseString) UnmarshalJSON(b []byte) error {
	switch KindOf(b) {
	case String:
		return json.Unmarshal(b, (*string)(s))
	case Number:
		*s = LooseString(b)
	}
	return nil
}
