package proto

import (
	"errors"
	"fmt"
)

// Errors that an Unpack wraps.
var (
	// ErrTooLarge: a frame, or what its filters inflate to, is above the limit. If
	// the frame's header could still be read, the message has its type and
	// sequence number.
	ErrTooLarge = errors.New("proto: message above the read limit")
	// ErrEarly comes with ErrTooLarge: too little of the frame has arrived to read
	// its type and sequence number. Nothing was taken from the reader, so Unpack
	// may be called again when more of the frame has arrived.
	ErrEarly = errors.New("proto: the header has not arrived yet")
	// ErrMalformed: the bytes are not of the format.
	ErrMalformed = errors.New("proto: malformed message")
)

// Malformed returns an error of the format with that name that wraps
// [ErrMalformed].
func Malformed(name, form string, args ...any) error {
	return fmt.Errorf("%s: %w: "+form, append([]any{name, ErrMalformed}, args...)...)
}

// TooLarge returns the error for a frame of size bytes, its length included: it
// wraps [ErrTooLarge] and, if early is true, [ErrEarly].
func TooLarge(name string, size int64, early bool) error {
	return &tooLarge{name, size, early}
}

type tooLarge struct {
	name  string
	size  int64
	early bool
}

func (e *tooLarge) Error() string {
	return fmt.Sprintf("%s: a frame of %d bytes: %v", e.name, e.size, ErrTooLarge)
}

func (e *tooLarge) Is(target error) bool {
	return target == ErrTooLarge || target == ErrEarly && e.early
}
