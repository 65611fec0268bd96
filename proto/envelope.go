package proto

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"math"

	"github.com/goerpc/erpc/message"
	"github.com/goerpc/erpc/xfer"
)

// prefix is the length in front of a frame, in bytes.
const prefix = 4

// An Envelope is the frame that formats of erpc v7 share:
//
//	4  length, big endian
//	1  number n of transfer filters
//	n  filter IDs, outermost first; what follows went through the filters
//	.. the inner part: the message in the format
//
// A format describes its envelope once, in a variable, and uses its Pack and
// Unpack.
type Envelope struct {
	// Name is the prefix of errors.
	Name string
	// Whole: the length counts its own four bytes too.
	Whole bool
	// Bare: there is no list of filters; the inner part follows the length and
	// handles the filters of the body itself.
	Bare bool

	// Append appends the inner part.
	Append func(dst []byte, m *message.Message) ([]byte, error)
	// Parse fills m from an inner part. With own, b belongs to the message;
	// without, it is valid until Parse returns. limit is that of Unpack.
	Parse func(m *message.Message, b []byte, own bool, limit int) error
	// Identify sets the type and sequence number of a message above the limit, if b,
	// the beginning of its inner part, contains them. IdentitySize bytes always do.
	Identify     func(m *message.Message, b []byte)
	IdentitySize int

	// Errors of Pack for a message that can't be written in this format.
	ErrTooManyFilters, ErrFrameTooLong error
}

// Pack is that of [Proto].
func (e *Envelope) Pack(dst []byte, m *message.Message) ([]byte, error) {
	start, pipe := len(dst), m.XferPipe()
	if pipe.Len() > xfer.MaxFilters {
		return dst, e.ErrTooManyFilters
	}
	dst = append(dst, 0, 0, 0, 0)
	if !e.Bare {
		dst = pipe.AppendIDs(append(dst, byte(pipe.Len())))
	}
	inner := len(dst)
	dst, err := e.Append(dst, m)
	if err == nil && !e.Bare && pipe.Len() > 0 {
		dst, err = Filter(dst, inner, m)
	}
	if err != nil {
		return dst, err
	}
	if int64(len(dst)-start) > math.MaxUint32 {
		return dst, e.ErrFrameTooLong
	}
	size := len(dst) - start
	if !e.Whole {
		size -= prefix
	}
	binary.BigEndian.PutUint32(dst[start:], uint32(size))
	return dst, nil
}

// Unpack is that of [Proto]. It parses a frame in place in the buffer of r if it
// fits there; a larger one is read into the message.
func (e *Envelope) Unpack(r *bufio.Reader, m *message.Message, limit int) error {
	head, err := PeekHead(r, prefix)
	if err != nil {
		return err
	}
	size, least := int64(binary.BigEndian.Uint32(head)), int64(prefix)
	if !e.Whole {
		size += prefix
	}
	if !e.Bare {
		least++
	}
	if size < least {
		return Malformed(e.Name, "a frame of %d bytes", size)
	}
	if size > min(int64(limit), math.MaxUint32) {
		looks := Foreign(head) // identify may move the bytes
		err := TooLarge(e.Name, size, e.identify(r, m))
		if looks != "" {
			err = fmt.Errorf("%w; %s", err, looks)
		}
		return err
	}
	m.SetSize(uint32(size))
	if size <= int64(r.Size()) {
		b, _, err := ReadFrame(r, m, int(size))
		if err != nil {
			return err
		}
		return e.unwrap(m, b[prefix:], false, limit)
	}
	if _, err := r.Discard(prefix); err != nil {
		return err
	}
	b, own, err := ReadFrame(r, m, int(size)-prefix)
	if err != nil {
		return err
	}
	return e.unwrap(m, b, own, limit)
}

// unwrap undoes the transfer filters and parses what was inside.
func (e *Envelope) unwrap(m *message.Message, b []byte, own bool, limit int) error {
	if e.Bare {
		return e.Parse(m, b, own, limit)
	}
	n := int(b[0])
	if len(b) < 1+n {
		return Malformed(e.Name, "a frame shorter than its list of filters")
	}
	ids, inner := b[1:1+n], b[1+n:]
	if n == 0 {
		return e.Parse(m, inner, own, limit)
	}
	if err := m.XferPipe().Append(ids...); err != nil {
		return Malformed(e.Name, "%w", err)
	}
	if !own {
		inner = m.Store(inner) // a filter may return a part of its input
	}
	inner, err := Unfilter(e.Name, m, inner, limit)
	if err != nil {
		return err
	}
	return e.Parse(m, inner, true, limit)
}

// identify sets the type and sequence number of a message that will not be read,
// if they have arrived; it does not wait for them, because a sender that announces
// a length need not send more. It reports whether they may still arrive.
func (e *Envelope) identify(r *bufio.Reader, m *message.Message) (early bool) {
	at := prefix
	if !e.Bare {
		at++
	}
	most := at + e.IdentitySize
	b, err := r.Peek(min(most, r.Buffered()))
	switch {
	case err != nil || len(b) < at:
		return err == nil
	case !e.Bare && b[prefix] != 0: // filters hide it
		return false
	}
	e.Identify(m, b[at:])
	return m.Mtype() == message.TypeUndefined && len(b) < most
}
