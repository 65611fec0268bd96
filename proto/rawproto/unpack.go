package rawproto

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

// minFrame is the length and the number of filters.
const minFrame = 4 + 1

// Unpack parses a frame where it lies in r if it fits there, and copies only
// metadata and body into the message. A larger one is read into the message.
func (raw) Unpack(r *bufio.Reader, m *message.Message, limit int) error {
	head, err := proto.PeekHead(r, 4)
	if err != nil {
		return err
	}
	size := int64(binary.BigEndian.Uint32(head))
	if size < minFrame {
		return malformed("a frame of %d bytes", size)
	}
	if size > int64(limit) {
		peekOwner(r, m)
		return fmt.Errorf("rawproto: a frame of %d bytes: %w", size, proto.ErrTooLarge)
	}
	m.SetSize(uint32(size))
	if size <= int64(r.Size()) {
		b, _, err := proto.ReadFrame(r, m, int(size))
		if err != nil {
			return err
		}
		return unwrap(m, b[4:], false, limit)
	}
	if _, err := r.Discard(4); err != nil {
		return err
	}
	b, own, err := proto.ReadFrame(r, m, int(size)-4)
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
		return errShort
	}
	ids, inner := b[1:1+n], b[1+n:]
	if n == 0 {
		return parse(m, inner, own)
	}
	pipe := m.XferPipe()
	if err := pipe.Append(ids...); err != nil {
		return fmt.Errorf("rawproto: %w: %w", proto.ErrMalformed, err)
	}
	if !own {
		inner = m.Store(inner)
	}
	inner, err := pipe.OnUnpackLimit(inner, limit)
	switch {
	case errors.Is(err, xfer.ErrTooLarge):
		return fmt.Errorf("rawproto: %w: %w", proto.ErrTooLarge, err)
	case err != nil:
		return fmt.Errorf("rawproto: %w: %w", proto.ErrMalformed, err)
	}
	return parse(m, inner, true)
}

// parse fills m from the unfiltered part of a frame.
func parse(m *message.Message, b []byte, own bool) error {
	r := cursor{b: b}
	if err := r.owner(m); err != nil {
		return err
	}
	method := r.take(r.u8())
	status := r.take(r.u16())
	if r.bad {
		return errShort
	}
	m.SetServiceMethod(message.Intern(method))
	st, err := message.ParseStatus(status)
	if err != nil {
		return malformed("%w", err)
	}
	m.SetStatus(st)
	if !own {
		r.b = m.Store(r.b)
	}
	m.Meta().SetQuery(r.take(r.u16()))
	m.SetBodyCodec(byte(r.u8()))
	if r.bad {
		return errShort
	}
	m.SetRaw(r.b)
	return nil
}

// peekOwner fills in whose message it is that will not be read, as far as that
// has arrived: who claims a length need not send a byte more.
func peekOwner(r *bufio.Reader, m *message.Message) {
	const most = minFrame + 1 + 7 + 1
	b, err := r.Peek(min(most, r.Buffered()))
	if err != nil || len(b) < minFrame || b[4] != 0 { // behind filters it can't be known
		return
	}
	c := cursor{b: b[minFrame:]}
	if c.owner(m) != nil {
		m.SetMtype(message.TypeUndefined)
	}
}

var errShort = malformed("a frame shorter than its header")

// A cursor takes fields off b; once one is missing it is bad for good.
type cursor struct {
	b   []byte
	bad bool
}

// owner takes sequence number and type.
func (r *cursor) owner(m *message.Message) error {
	text := r.take(r.u8())
	mtype := byte(r.u8())
	if r.bad {
		return errShort
	}
	seq, ok := parseSeq(text)
	if !ok {
		return malformed("sequence number %q", text)
	}
	m.SetSeq(seq)
	m.SetMtype(mtype)
	return nil
}

func (r *cursor) take(n int) []byte {
	if r.bad || len(r.b) < n {
		r.bad = true
		return nil
	}
	b := r.b[:n:n]
	r.b = r.b[n:]
	return b
}

func (r *cursor) u8() int {
	if b := r.take(1); b != nil {
		return int(b[0])
	}
	return 0
}

func (r *cursor) u16() int {
	if b := r.take(2); b != nil {
		return int(binary.BigEndian.Uint16(b))
	}
	return 0
}

// parseSeq is the inverse of appendSeq, for lower-case digits only.
func parseSeq(b []byte) (int32, bool) {
	neg := len(b) > 0 && b[0] == '-'
	if neg {
		b = b[1:]
	}
	if len(b) == 0 || len(b) > 6 {
		return 0, false
	}
	var n int64
	for _, c := range b {
		switch {
		case c >= '0' && c <= '9':
			n = n*36 + int64(c-'0')
		case c >= 'a' && c <= 'z':
			n = n*36 + int64(c-'a') + 10
		default:
			return 0, false
		}
	}
	if neg {
		n = -n
	}
	return int32(n), n >= math.MinInt32 && n <= math.MaxInt32
}
