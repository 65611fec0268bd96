package codec

import "fmt"

// TypeError is the error of a codec that cannot encode or decode values of a Go
// type. It is caused by a mistake in a program, not by a message.
type TypeError struct {
	Codec string // name of the codec
	Type  string // the Go type, as %T prints it
	Hint  string // what to do about it
}

// Error names the codec, the type and the remedy.
func (e *TypeError) Error() string {
	return fmt.Sprintf("codec: %s cannot carry a %s: %s", e.Codec, e.Type, e.Hint)
}

// typeError makes a TypeError for the type of v.
func typeError(codec string, v any, hint string) error {
	return &TypeError{Codec: codec, Type: fmt.Sprintf("%T", v), Hint: hint}
}

// excerpt shortens text from the network, so that an error that goes back to the
// sender is not as long as its message.
func excerpt(s string) string {
	const most = 32 // bytes
	if len(s) <= most {
		return s
	}
	return s[:most] + "..."
}
