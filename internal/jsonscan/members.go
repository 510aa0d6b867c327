package jsonscan

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// ErrNotObject is wrapped by the error of Members for JSON of another kind, and
// for nothing.
var ErrNotObject = errors.New("not a JSON object")

// Members reads what must be one JSON object and no more, and calls do for each member in its
// order, also for a name that comes twice. what begins its own errors, such as "the body"; they
// wrap those of r. An error of do is returned as it is.
func Members(what string, r io.Reader, do func(name string, value json.RawMessage) error) error {
	notJSON := func(err error) error { return fmt.Errorf("%s is not JSON: %w", what, err) }
	d := json.NewDecoder(r)
	begin, err := d.Token()
	switch {
	case errors.Is(err, io.EOF):
		return fmt.Errorf("%s is empty, %w", what, ErrNotObject)
	case err != nil:
		return notJSON(err)
	case begin != json.Delim('{'):
		return fmt.Errorf("%s is %w", what, ErrNotObject)
	}
	for d.More() {
		key, err := d.Token()
		if err != nil {
			return notJSON(err)
		}
		var value json.RawMessage
		if err := d.Decode(&value); err != nil {
			return notJSON(err)
		}
		name, _ := key.(string) // a member's name is one
		if err := do(name, value); err != nil {
			return err
		}
	}
	if _, err := d.Token(); err != nil {
		return notJSON(err)
	}
	switch _, err := d.Token(); {
	case errors.Is(err, io.EOF):
		return nil
	case err != nil:
		return fmt.Errorf("something follows the JSON object of %s: %w", what, err)
	}
	return fmt.Errorf("something follows the JSON object of %s", what)
}
