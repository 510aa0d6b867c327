package jsonscan

import (
	"encoding/json"
	"strconv"
	"time"
)

// Text is the next value, which must be a text; "" when it is null.
func (s *Scanner) Text() (string, error) {
	switch s.Kind() {
	case Null:
		return "", s.Skip()
	case String:
		from := s.i
		plain, err := s.skipText()
		if err != nil {
			return "", err
		}
		if plain {
			return string(s.b[from+1 : s.i-1]), nil
		}
		return unquote(s.b[from:s.i])
	}
	return "", s.TypeError("a text")
}

// Bool is the next value, which must be true or false; false when it is null.
func (s *Scanner) Bool() (bool, error) {
	switch s.Kind() {
	case Null:
		return false, s.Skip()
	case Bool:
		yes := s.b[s.i] == 't'
		return yes, s.Skip()
	}
	return false, s.TypeError("true or false")
}

// Int is the next value, which must be a whole number; 0 when it is null.
func (s *Scanner) Int() (int64, error) {
	switch s.Kind() {
	case Null:
		return 0, s.Skip()
	case Number:
		from := s.i
		if err := s.skipNumber(); err != nil {
			return 0, err
		}
		n, err := strconv.ParseInt(string(s.b[from:s.i]), 10, 64)
		if err != nil {
			return 0, &Error{Fault: "is not a whole number of 64 bits"}
		}
		return n, nil
	}
	return 0, s.TypeError("a whole number")
}

// NotNull steps over the next value and reports whether it is not null.
func (s *Scanner) NotNull() (bool, error) {
	k := s.Kind()
	return k != Null, s.Skip()
}

// OptionalText is a text, or nil for null.
func (s *Scanner) OptionalText() (*string, error) {
	if s.Kind() == Null {
		return nil, s.Skip()
	}
	v, err := s.Text()
	return &v, err
}

// Time reads a time as Label Studio or a database near it writes it: with or
// without fractions, zone, or the T. Without a zone it is UTC. Anything that is
// no time is zero: what it orders has other means to be ordered.
func (s *Scanner) Time() (time.Time, error) {
	if s.Kind() != String {
		return time.Time{}, s.Skip()
	}
	v, err := s.Text()
	if err != nil {
		return time.Time{}, err
	}
	for _, layout := range [...]string{
		time.RFC3339Nano, "2006-01-02T15:04:05.999999999",
		"2006-01-02 15:04:05.999999999Z07:00", "2006-01-02 15:04:05.999999999",
	} {
		// A year that JSON cannot write again would make the event unwritable.
		if t, err := time.Parse(layout, v); err == nil && t.UTC().Year() >= 0 && t.UTC().Year() <= 9999 {
			return t.UTC(), nil
		}
	}
	return time.Time{}, nil
}

// IDOrObject is an id, the id of an object, or 0 for null.
func (s *Scanner) IDOrObject() (int64, error) {
	switch s.Kind() {
	case Null, Number:
		return s.Int()
	case Object:
		var id int64
		err := s.Object(func(key []byte) (err error) {
			if string(key) != "id" {
				return s.Skip()
			}
			id, err = s.Int()
			return err
		})
		return id, err
	}
	return 0, s.TypeError("an id or an object")
}

// unquote is the text of a valid JSON string.
func unquote(quoted []byte) (string, error) {
	var v string
	if err := json.Unmarshal(quoted, &v); err != nil {
		return "", &Error{Fault: "is a text that cannot be read"}
	}
	return v, nil
}
