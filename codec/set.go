package codec

import (
	"fmt"
	"strconv"
)

// A Set is the set of codecs whose bodies a receiver decodes. A nil *Set has all
// codecs. A Set is immutable and may be used concurrently.
type Set struct{ has [256]bool }

// NewSet returns a set of the codecs with these ids.
func NewSet(ids ...byte) *Set {
	s := new(Set)
	for _, id := range ids {
		s.has[id] = true
	}
	return s
}

// Has reports whether the codec with that id is in the set.
func (s *Set) Has(id byte) bool { return s == nil || s.has[id] }

// Check returns a [*NotAcceptedError] unless c is in the set.
func (s *Set) Check(c Codec) error {
	if s.Has(c.ID()) {
		return nil
	}
	return &NotAcceptedError{c.Name()}
}

// A NotAcceptedError is the error for a body whose codec the receiver knows but
// does not accept.
type NotAcceptedError struct{ Name string }

// Error implements error.
func (e *NotAcceptedError) Error() string {
	return fmt.Sprintf("codec: bodies in %s are not accepted here; send another codec, or add it to the receiver's AcceptCodecs", strconv.Quote(e.Name))
}
