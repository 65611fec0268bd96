// Package rawproto is the default wire format, byte for byte that of erpc v7
// (captured in testdata/golden.json):
//
//	4  length, big endian, of the whole frame, itself included
//	1  number n of transfer filters
//	n  filter IDs, outermost first; what follows went through the filters
//	1  s, then s bytes: sequence number in base 36
//	1  message type
//	1  m, then m bytes: service method
//	2  t, then t bytes: status, query text
//	2  u, then u bytes: metadata, query text
//	1  body codec ID
//	.. body, to the end of the frame
//
// All integers are unsigned and big endian. Nothing is sent when a connection
// begins or ends.
package rawproto

import (
	"bufio"
	"encoding/binary"
	"errors"
	"math"

	"github.com/goerpc/erpc/message"
	"github.com/goerpc/erpc/proto"
)

// Errors of Pack. The message can't be written in this format, and nothing was
// written.
var (
	ErrMethodTooLong  = errors.New("rawproto: service method longer than 255 bytes")
	ErrStatusTooLong  = message.ErrStatusTooLong
	ErrMetaTooLong    = message.ErrMetaTooLong
	ErrTooManyFilters = errors.New("rawproto: more than 8 transfer filters")
	ErrFrameTooLong   = errors.New("rawproto: frame longer than 4 GiB")
)

const (
	maxMethod = math.MaxUint8
	maxText   = math.MaxUint16 // of the status and of the metadata
)

// NewRawProtoFunc returns the function that makes the format for a connection:
// [New].
func NewRawProtoFunc() proto.Func { return New }

// New returns the format for one connection. It has no state.
func New() proto.Proto { return raw{} }

type raw struct{}

func (raw) Version() (id byte, name string) { return 6, "raw" }

var envelope = proto.Envelope{
	Name: "rawproto", Whole: true, Append: appendInner, Parse: parse, Identify: identify, IdentitySize: identitySize,
	ErrTooManyFilters: ErrTooManyFilters, ErrFrameTooLong: ErrFrameTooLong,
}

func (raw) Pack(dst []byte, m *message.Message) ([]byte, error) { return envelope.Pack(dst, m) }

func (raw) Unpack(r *bufio.Reader, m *message.Message, limit int) error {
	return envelope.Unpack(r, m, limit)
}

// PackHead implements [proto.HeadPacker].
func (raw) PackHead(dst []byte, m *message.Message, n int) ([]byte, bool) {
	if m.XferPipe().Len() > 0 {
		return dst, false
	}
	start := len(dst)
	head, err := appendHead(append(dst, 0, 0, 0, 0, 0), m)
	if size := int64(len(head)-start) + int64(n); err == nil && size <= math.MaxUint32 {
		binary.BigEndian.PutUint32(head[start:], uint32(size))
		return head, true
	}
	return dst, false // Pack returns the error
}

// appendInner appends the part of a frame that goes through the filters.
func appendInner(dst []byte, m *message.Message) ([]byte, error) {
	dst, err := appendHead(dst, m)
	if err != nil {
		return dst, err
	}
	return m.AppendBody(dst)
}

// appendHead appends the fields in front of the body.
func appendHead(dst []byte, m *message.Message) ([]byte, error) {
	method := m.ServiceMethod()
	if len(method) > maxMethod {
		return dst, ErrMethodTooLong
	}
	dst = appendSeq(dst, m.Seq())
	dst = append(dst, m.Mtype(), byte(len(method)))
	dst = append(dst, method...)
	at := len(dst)
	dst = m.Status().AppendQuery(append(dst, 0, 0))
	if !putLen(dst, at) {
		return dst, ErrStatusTooLong
	}
	at = len(dst)
	dst = m.Meta().AppendQuery(append(dst, 0, 0))
	if !putLen(dst, at) {
		return dst, ErrMetaTooLong
	}
	return append(dst, m.BodyCodec()), nil
}

// putLen writes the length of the text at the end of dst in front of it, at at.
func putLen(dst []byte, at int) bool {
	n := len(dst) - at - 2
	binary.BigEndian.PutUint16(dst[at:], uint16(n))
	return n <= maxText
}

const digits = "0123456789abcdefghijklmnopqrstuvwxyz"

// appendSeq appends the length of seq in base 36 and then its digits.
func appendSeq(dst []byte, seq int32) []byte {
	var t [8]byte
	i, u := len(t), uint32(seq)
	if seq < 0 {
		u = -u
	}
	for {
		i--
		t[i] = digits[u%36]
		u /= 36
		if u == 0 {
			break
		}
	}
	if seq < 0 {
		i--
		t[i] = '-'
	}
	return append(append(dst, byte(len(t)-i)), t[i:]...)
}

func malformed(form string, args ...any) error { return proto.Malformed("rawproto", form, args...) }
