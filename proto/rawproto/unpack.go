package rawproto

import (
	"encoding/binary"
	"math"

	"github.com/goerpc/erpc/message"
)

// parse fills m from the unfiltered part of a frame.
func parse(m *message.Message, b []byte, own bool, _ int) error {
	b, err := parseOwner(m, b)
	if err != nil {
		return err
	}
	method, b, ok := cut8(b)
	if !ok {
		return errShort
	}
	status, b, ok := cut16(b)
	if !ok {
		return errShort
	}
	m.SetServiceMethod(message.Intern(method))
	st, err := message.ParseStatus(status)
	if err != nil {
		return malformed("%w", err)
	}
	m.SetStatus(st)
	if !own {
		b = m.Store(b)
	}
	meta, b, ok := cut16(b)
	if !ok || len(b) == 0 {
		return errShort
	}
	if err := m.Meta().ReadQuery(meta); err != nil {
		return malformed("%w", err)
	}
	m.SetBodyCodec(b[0])
	m.SetRaw(b[1:])
	return nil
}

// identitySize is the maximum length, in bytes, of sequence number and type.
const identitySize = 1 + 7 + 1

// identify is the Identify of the envelope.
func identify(m *message.Message, b []byte) {
	if _, err := parseOwner(m, b); err != nil {
		m.SetMtype(message.TypeUndefined)
	}
}

var errShort = malformed("a frame shorter than its header")

// parseOwner reads sequence number and type, and returns what follows them.
func parseOwner(m *message.Message, b []byte) (rest []byte, err error) {
	text, b, ok := cut8(b)
	if !ok || len(b) == 0 {
		return nil, errShort
	}
	seq, ok := parseSeq(text)
	if !ok {
		return nil, malformed("sequence number %q", text)
	}
	m.SetSeq(seq)
	m.SetMtype(b[0])
	return b[1:], nil
}

// cut8 splits b behind its first field, which has its length in one byte in front of
// it. It reports false if b is too short.
func cut8(b []byte) (field, rest []byte, ok bool) {
	if len(b) < 1 {
		return nil, nil, false
	}
	return cut(b[1:], int(b[0]))
}

// cut16 is cut8 for a length in two bytes.
func cut16(b []byte) (field, rest []byte, ok bool) {
	if len(b) < 2 {
		return nil, nil, false
	}
	return cut(b[2:], int(binary.BigEndian.Uint16(b)))
}

func cut(b []byte, n int) (field, rest []byte, ok bool) {
	if len(b) < n {
		return nil, nil, false
	}
	return b[:n:n], b[n:], true
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
