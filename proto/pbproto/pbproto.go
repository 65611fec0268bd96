package pbproto

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"math"

	"github.com/erpc-go/erpc/message"
	"github.com/erpc-go/erpc/proto"
	"github.com/erpc-go/erpc/xfer"
)

// Errors of Pack. The message can't be written in this format; nothing is.
var (
	ErrTooManyFilters = errors.New("pbproto: more than 255 transfer filters")
	ErrFrameTooLong   = errors.New("pbproto: frame longer than 4 GiB")
	ErrMethodNotUTF8  = errors.New("pbproto: service method is not UTF-8")
)

// prefix is the length, in bytes; it does not count itself.
const prefix = 4

// NewPbProtoFunc returns a function that makes the format for a connection.
func NewPbProtoFunc() proto.Func { return New }

// New returns the format for one connection. It has no state.
func New() proto.Proto { return format{} }

type format struct{}

func (format) Version() (id byte, name string) { return 'p', "protobuf" }

func (format) Pack(dst []byte, m *message.Message) ([]byte, error) {
	start, pipe := len(dst), m.XferPipe()
	if pipe.Len() > math.MaxUint8 {
		return dst, ErrTooManyFilters
	}
	dst = pipe.AppendIDs(append(dst, 0, 0, 0, 0, byte(pipe.Len())))
	inner := len(dst)
	dst, err := appendPayload(dst, m)
	if err != nil {
		return dst, err
	}
	if pipe.Len() > 0 {
		b, err := pipe.OnPack(dst[inner:])
		if err != nil {
			return dst, err
		}
		dst = append(dst[:inner], b...)
	}
	if int64(len(dst)-start) > math.MaxUint32 {
		return dst, ErrFrameTooLong
	}
	binary.BigEndian.PutUint32(dst[start:], uint32(len(dst)-start-prefix))
	return dst, nil
}

// Unpack parses a frame where it lies in r if it fits there, and copies only
// metadata and body into the message. A larger one is read into the message.
func (format) Unpack(r *bufio.Reader, m *message.Message, limit int) error {
	head, err := proto.PeekHead(r, prefix)
	if err != nil {
		return err
	}
	size := prefix + int64(binary.BigEndian.Uint32(head))
	if size == prefix {
		return malformed("an empty frame")
	}
	if size > min(int64(limit), math.MaxUint32) {
		peekOwner(r, m, size)
		return fmt.Errorf("pbproto: a frame of %d bytes: %w", size, proto.ErrTooLarge)
	}
	m.SetSize(uint32(size))
	if size <= int64(r.Size()) {
		b, _, err := proto.ReadFrame(r, m, int(size))
		if err != nil {
			return err
		}
		return unwrap(m, b[prefix:], false, limit)
	}
	if _, err := r.Discard(prefix); err != nil {
		return err
	}
	b, own, err := proto.ReadFrame(r, m, int(size)-prefix)
	if err != nil {
		return err
	}
	return unwrap(m, b, own, limit)
}

// unwrap undoes the transfer filters and parses what was inside. With own, b
// belongs to the message; without, it is copied where the message needs it.
func unwrap(m *message.Message, b []byte, own bool, limit int) error {
	n := int(b[0])
	if len(b) < 1+n {
		return malformed("a frame shorter than its list of filters")
	}
	ids, inner := b[1:1+n], b[1+n:]
	if n == 0 {
		return parse(m, inner, own)
	}
	pipe := m.XferPipe()
	if err := pipe.Append(ids...); err != nil {
		return fmt.Errorf("pbproto: %w: %w", proto.ErrMalformed, err)
	}
	if !own {
		inner = m.Store(inner)
	}
	inner, err := pipe.OnUnpackLimit(inner, limit)
	switch {
	case errors.Is(err, xfer.ErrTooLarge):
		return fmt.Errorf("pbproto: %w: %w", proto.ErrTooLarge, err)
	case err != nil:
		return fmt.Errorf("pbproto: %w: %w", proto.ErrMalformed, err)
	}
	return parse(m, inner, true)
}

func malformed(form string, args ...any) error {
	return fmt.Errorf("pbproto: %w: "+form, append([]any{proto.ErrMalformed}, args...)...)
}
