package labelstudio

import "errors"

// BodyError says what is wrong with a request body, without quoting it: bodies
// carry passwords and tokens.
type BodyError struct {
	// Field is the path of the field, such as "annotation.id"; empty when the
	// fault is the body's.
	Field string
	// Fault is the rest of a sentence that starts with the field.
	Fault string

	whole bool // the fault is the body's, wherever it was noticed
}

func (e *BodyError) Error() string {
	if e.Field == "" {
		return "the body " + e.Fault
	}
	return "the body's field " + e.Field + " " + e.Fault
}

// Secret is a token that formatting and encoding do not give away.
type Secret string

// Reveal is the secret itself.
func (s Secret) Reveal() string { return string(s) }

// String hides the secret.
func (s Secret) String() string {
	if s == "" {
		return ""
	}
	return "[redacted]"
}

// GoString hides the secret.
func (s Secret) GoString() string { return s.String() }

// MarshalText hides the secret.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// scanBody reads a request body, which must be one JSON object. Every error is a
// *BodyError.
func scanBody(body []byte, field func(s *scanner, key []byte) error) error {
	s := &scanner{b: body}
	switch s.Kind() {
	case kindObject:
	case kindNone:
		if s.i == len(body) {
			return &BodyError{Fault: "is empty; a JSON object is expected"}
		}
		return &BodyError{Fault: "is not JSON"}
	default:
		return &BodyError{Fault: "is not a JSON object"}
	}
	if err := s.Object(func(key []byte) error { return field(s, key) }); err != nil {
		return err
	}
	return s.End()
}

// unmarshal runs a reader over one JSON value, for json.Unmarshaler.
func unmarshal(b []byte, read func(s *scanner) error) error {
	s := &scanner{b: b}
	if err := read(s); err != nil {
		return err
	}
	return s.End()
}

// inField puts a fault under the field it was found in.
func inField(field string, err error) error {
	var be *BodyError
	if !errors.As(err, &be) || be.whole {
		return err
	}
	e := *be
	if e.Field != "" && e.Field[0] != '[' {
		field += "."
	}
	e.Field = field + e.Field
	return &e
}
