package labelstudio

import (
	"encoding/json"
	"strconv"
	"time"
)

// str is the next value, which must be a text; "" when it is null.
func (s *scanner) str() (string, error) {
	switch s.kind() {
	case kindNull:
		return "", s.skip()
	case kindString:
		from := s.i
		plain, err := s.text()
		if err != nil {
			return "", err
		}
		if plain {
			return string(s.b[from+1 : s.i-1]), nil
		}
		return unquote(s.b[from:s.i])
	}
	return "", s.want("a text")
}

// flag is the next value, which must be true or false; false when it is null.
func (s *scanner) flag() (bool, error) {
	switch s.kind() {
	case kindNull:
		return false, s.skip()
	case kindBool:
		yes := s.b[s.i] == 't'
		return yes, s.skip()
	}
	return false, s.want("true or false")
}

// integer is the next value, which must be a whole number; 0 when it is null.
func (s *scanner) integer() (int64, error) {
	switch s.kind() {
	case kindNull:
		return 0, s.skip()
	case kindNumber:
		from := s.i
		if err := s.digits(); err != nil {
			return 0, err
		}
		n, err := strconv.ParseInt(string(s.b[from:s.i]), 10, 64)
		if err != nil {
			return 0, &BodyError{Fault: "is not a whole number of 64 bits"}
		}
		return n, nil
	}
	return 0, s.want("a whole number")
}

// given steps over the next value and reports whether it is not null.
func (s *scanner) given() (bool, error) {
	k := s.kind()
	return k != kindNull, s.skip()
}

// optional is a text, or nil for null.
func (s *scanner) optional() (*string, error) {
	if s.kind() == kindNull {
		return nil, s.skip()
	}
	v, err := s.str()
	return &v, err
}

// time reads a time as Label Studio or a database near it writes it: with or
// without fractions, zone, or the T. Without a zone it is UTC. Anything that is
// no time is zero: what it orders has other means to be ordered.
func (s *scanner) time() (time.Time, error) {
	if s.kind() != kindString {
		return time.Time{}, s.skip()
	}
	v, err := s.str()
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

// ref is an id, the id of an object, or 0 for null.
func (s *scanner) ref() (int64, error) {
	switch s.kind() {
	case kindNull, kindNumber:
		return s.integer()
	case kindObject:
		var id int64
		err := s.object(func(key []byte) (err error) {
			if string(key) != "id" {
				return s.skip()
			}
			id, err = s.integer()
			return err
		})
		return id, err
	}
	return 0, s.want("an id or an object")
}

// unquote is the text of a valid JSON string.
func unquote(quoted []byte) (string, error) {
	var v string
	if err := json.Unmarshal(quoted, &v); err != nil {
		return "", &BodyError{Fault: "is a text that cannot be read"}
	}
	return v, nil
}
