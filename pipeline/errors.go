package pipeline

import (
	"errors"
	"fmt"
	"runtime/debug"

	"github.com/hone-ml/hone/event"
)

// Permanent decides, for the whole of hone, between retry and dead letter: it
// reports whether trying again cannot cure the error. That holds for bytes that
// are not an event, for panics, and for what MarkPermanent marked.
func Permanent(err error) bool {
	var marked permanentError
	var panicked *panicError
	return errors.Is(err, event.ErrUnreadable) || errors.As(err, &marked) || errors.As(err, &panicked)
}

// MarkPermanent wraps an error so that Permanent reports true; nil stays nil.
func MarkPermanent(err error) error {
	if err == nil {
		return nil
	}
	return permanentError{err}
}

type permanentError struct{ error }

func (e permanentError) Unwrap() error { return e.error }

// panicError is a recovered panic. Its stack goes to the log, not to the reason
// of a dead letter.
type panicError struct {
	value any
	stack string
}

func (e *panicError) Error() string { return fmt.Sprintf("panic: %v", e.value) }

func (e *panicError) Unwrap() error {
	err, _ := e.value.(error)
	return err
}

// safely turns a panic of fn into an error.
func safely(fn func() error) (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = &panicError{value: v, stack: string(debug.Stack())}
		}
	}()
	return fn()
}
