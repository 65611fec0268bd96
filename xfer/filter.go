package xfer

import (
	"errors"

	"github.com/goerpc/erpc/internal/guard"
)

// DefaultLimit is how many bytes any stage of XferPipe.OnUnpack may make: 64 MiB.
const DefaultLimit = 64 << 20

// DefaultRatio is how many bytes a filter may inflate each byte of a frame to,
// unless it was registered by [RegRatio].
const DefaultRatio = 128

// minInflated is how many bytes a filter may inflate any frame to, however short,
// within the limit of the receiver.
const minInflated = 4 << 20

// ErrTooLarge says that undoing a filter would make more bytes than allowed.
// Raise the receiver's limit, send less in one message, or register a filter for
// data that compresses very well with [RegRatio].
var ErrTooLarge = errors.New("xfer: unfiltered data exceeds the limit")

// XferFilter is one transformation of a message's bytes.
//
// All methods may be called concurrently. ID and Name must always return the same.
// OnPack and OnUnpack may read src only during the call, and must never write to
// it or to its capacity behind it. The result belongs to the caller: it may be a
// part of src, but never of a buffer that the filter reuses.
//
// OnUnpack undoes OnPack. Its input comes from the network, so it must return a
// result or an error for any bytes. A filter whose OnUnpack can return more bytes
// than its input must implement LimitedUnpacker too.
type XferFilter interface {
	// ID is the filter's byte on the wire.
	ID() byte
	// Name is the filter's name in the program, and on the wire of text protocols.
	Name() string
	// OnPack transforms data to send.
	OnPack(src []byte) ([]byte, error)
	// OnUnpack undoes OnPack on received data.
	OnUnpack(src []byte) ([]byte, error)
}

// LimitedUnpacker is implemented by filters that inflate. XferPipe always
// prefers it to OnUnpack.
type LimitedUnpacker interface {
	// OnUnpackLimit is OnUnpack with a bound: it allocates no more than about
	// limit bytes for the result. If the result would be longer than limit, it
	// returns an error that wraps ErrTooLarge; exactly limit bytes are allowed.
	OnUnpackLimit(src []byte, limit int) ([]byte, error)
}

// PanicError is the error that a pipe returns for a panic of a filter, so that a
// bad filter fails its message and not the goroutine that reads the connection.
// Its field Where is "filter" and the filter's name, Value is the value of the
// panic, and Stack its stack, which is logged but never sent.
type PanicError = guard.PanicError
