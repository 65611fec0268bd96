package xfer

import (
	"errors"

	"github.com/goerpc/erpc/internal/guard"
)

// DefaultLimit is how many bytes any stage of XferPipe.OnUnpack may make: 64 MiB.
const DefaultLimit = 64 << 20

// DefaultRatio is how many bytes a filter may make of each byte of a frame,
// unless it was registered by [RegRatio].
const DefaultRatio = 128

// minInflated is what a filter may make of any frame, however short, in bytes,
// as far as the limit of the receiver goes.
const minInflated = 4 << 20

// ErrTooLarge says that undoing a filter would make more bytes than allowed.
// Raise the receiver's limit, send less in one message, or register a filter for
// data that packs very well with [RegRatio].
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

// PanicError is what a pipe returns for a panic of a filter, so that a bad
// filter fails its message and not the goroutine that reads the connection. Its
// field Where is "filter" and the filter's name, Value is what it panicked with
// and Stack the stack of the panic, which is for the log and never sent.
type PanicError = guard.PanicError
