package rawproto

import (
	"encoding/binary"
	"math"

	"github.com/goerpc/erpc/message"
)

// parse fills m from the unfiltered part of a frame.
func parse(m *message.Message, b []byte, own bool, _ int) error {
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
	if err := m.Meta().ReadQuery(r.take(r.u16())); err != nil {
		return malformed("%w", err)
	}
	m.SetBodyCodec(byte(r.u8()))
	if r.bad {
		return errShort
	}
	m.SetRaw(r.b)
	return nil
}

// identitySize is the maximum length, in bytes, of sequence number and type.
const identitySize = 1 + 7 + 1

// identify is the Identify of the envelope.
func identify(m *message.Message, b []byte) {
	c := cursor{b: b}
	if c.owner(m) != nil {
		m.SetMtype(message.TypeUndefined)
	}
}

var errShort = malformed("a frame shorter than its header")

// A cursor consumes fields of b. Once one is missing, it stays bad.
type cursor struct {
	b   []byte
	bad bool
}

// owner consumes sequence number and type.
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
