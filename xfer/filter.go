package xfer

import (
	"errors"
	"fmt"
)

// DefaultLimit is how many bytes any stage of XferPipe.OnUnpack may make: 64 MiB.
const DefaultLimit = 64 << 20

// ErrTooLarge says that undoing a filter would make more bytes than allowed.
// Raise the receiver's limit, or send less in one message.
var ErrTooLarge = errors.New("xfer: unfiltered data exceeds the limit")

// XferFilter is one transformation of a message's bytes.
//
// All methods may be called concurrently. ID and Name always give the same
// answer. OnPack and OnUnpack may read src during the call only, and never
// write to it or behind it, within its capacity. The result belongs to the
// caller: it may be a part of src, but never of a buffer that the filter uses
// again.
//
// OnUnpack undoes OnPack. Its input comes from the network, so it must answer
// any bytes with a result or an error. A filter whose OnUnpack can return more
// bytes than it was given must implement LimitedUnpacker too.
type XferFilter interface {
	// ID is the filter's byte on the wire.
	ID() byte
	// Name is the filter's name in the program, and on the wire of text protocols.
	Name() string
	// OnPack transforms what is about to be sent.
	OnPack(src []byte) ([]byte, error)
	// OnUnpack undoes OnPack on what was received.
	OnUnpack(src []byte) ([]byte, error)
}

// LimitedUnpacker is implemented by filters that inflate. XferPipe always
// prefers it to OnUnpack.
type LimitedUnpacker interface {
	// OnUnpackLimit is OnUnpack that makes and allocates no more than about
	// limit bytes for the result. If the result would be longer than limit, it
	// returns an error that wraps ErrTooLarge; exactly limit bytes are fine.
	OnUnpackLimit(src []byte, limit int) ([]byte, error)
}

// PanicError is what a pipe returns instead of a filter's panic, so that a bad
// filter fails its message and not the goroutine that reads the connection.
type PanicError struct {
	Filter string // name of the filter
	Value  any    // what it panicked with
	Stack  []byte // stack of the panic, for the log and not for the remote end
}

// Error names the filter and the value, not the stack.
func (e *PanicError) Error() string {
	return fmt.Sprintf("xfer: filter %q panicked: %v", e.Filter, e.Value)
}

// Unwrap returns the value of the panic, if it is an error.
func (e *PanicError) Unwrap() error {
	err, _ := e.Value.(error)
	return err
}
