package panics

import (
	"errors"
	"io"
	"strings"
	"testing"
)

func TestCatch(t *testing.T) {
	if err := Catch(func() error { return io.EOF }); err != io.EOF { //nolint:errorlint // the very same
		t.Errorf("what fn returned: %v", err)
	}
	var caught *Error
	if err := Catch(func() error { panic(io.EOF) }); !errors.As(err, &caught) || !errors.Is(err, io.EOF) || err.Error() != "panic: EOF" {
		t.Errorf("a panic with an error: %v", err)
	}
	if !strings.Contains(caught.Stack, "TestCatch") {
		t.Errorf("the stack does not say where:\n%s", caught.Stack)
	}
	if err := Catch(func() error { panic(7) }); err == nil || err.Error() != "panic: 7" || errors.Unwrap(err) != nil {
		t.Errorf("a panic with a number: %v", err)
	}
}
