package jsonscan

import "errors"

// Error says what is wrong with a JSON document that was received, without quoting
// it: bodies carry passwords and tokens.
type Error struct {
	// Field is the path of the field, such as "annotation.id"; empty when the
	// fault is the document's.
	Field string
	// Fault is the rest of a sentence that starts with the field.
	Fault string

	whole bool // the fault is the document's, wherever it was noticed
}

func (e *Error) Error() string {
	if e.Field == "" {
		return "the body " + e.Fault
	}
	return "the body's field " + e.Field + " " + e.Fault
}

// inField puts a fault under the field it was found in.
func inField(field string, err error) error {
	var be *Error
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
