// Package guard turns panics of code that erpc calls, such as codecs, filters,
// handlers and plugins, into errors that keep the stack. It is a leaf, so that
// every layer reports a panic in the same type.
package guard

import (
	"fmt"
	"runtime/debug"
)

// A PanicError is a recovered panic. Its text names the place and the value;
// both may hold internals that the other side of a connection must not see.
type PanicError struct {
	Where string // what panicked, such as "codec json"
	Value any    // value of the panic
	Stack []byte // stack of the goroutine at the panic; for the log, never sent
}

// Error implements error. It leaves the stack out.
func (e *PanicError) Error() string { return fmt.Sprintf("panic in %s: %v", e.Where, e.Value) }

// Unwrap returns the value of the panic if that is an error.
func (e *PanicError) Unwrap() error {
	err, _ := e.Value.(error)
	return err
}

// Catch must be deferred directly. If the function panics, Catch recovers and
// sets *err to a [*PanicError]; otherwise, and on runtime.Goexit, it does nothing.
// kind and name say what was called, such as "codec" and "json". They are joined
// only after a panic, so a call does not allocate. name may be empty.
func Catch(err *error, kind, name string) {
	if v := recover(); v != nil {
		*err = New(v, kind, name)
	}
}

// New returns the PanicError for a value that the caller has just recovered. It
// is for deferred functions that do more than set an error; they must call it
// before they return, so that the stack still holds the frames of the panic.
func New(v any, kind, name string) *PanicError {
	where := kind
	if name != "" {
		where += " " + name
	}
	return &PanicError{Where: where, Value: v, Stack: debug.Stack()}
}
