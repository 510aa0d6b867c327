// Package panics turns a panic into an error.
package panics

import (
	"fmt"
	"runtime/debug"
)

// Error is a recovered panic. Its text has the value alone: a stack is for the log.
type Error struct {
	Value any
	Stack string
}

func (e *Error) Error() string { return fmt.Sprintf("panic: %v", e.Value) }

// Unwrap is the value if that is an error, else nil.
func (e *Error) Unwrap() error {
	err, _ := e.Value.(error)
	return err
}

// Catch calls fn. It returns fn's error, or an *Error when fn panics.
func Catch(fn func() error) (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = &Error{Value: v, Stack: string(debug.Stack())}
		}
	}()
	return fn()
}
