package jsonproto

import (
	"bufio"
	"errors"
	"math"
	"strconv"

	"github.com/goerpc/erpc/message"
	"github.com/goerpc/erpc/proto"
)

// Errors of Pack. The message can't be written in this format, and nothing was
// written.
var (
	ErrTooManyFilters = errors.New("jsonproto: more than 8 transfer filters")
	ErrFrameTooLong   = errors.New("jsonproto: frame longer than 4 GiB")
)

var envelope = proto.Envelope{
	Name: "jsonproto", Append: appendObject, Parse: parse, Identify: identify, IdentitySize: identitySize,
	ErrTooManyFilters: ErrTooManyFilters, ErrFrameTooLong: ErrFrameTooLong,
}

// NewJSONProtoFunc returns the function that makes the format for a connection:
// [New].
func NewJSONProtoFunc() proto.Func { return New }

// New returns the format for one connection. It has no state.
func New() proto.Proto { return format{} }

type format struct{}

func (format) Version() (id byte, name string) { return 'j', "json" }

func (format) Pack(dst []byte, m *message.Message) ([]byte, error) { return envelope.Pack(dst, m) }

func (format) Unpack(r *bufio.Reader, m *message.Message, limit int) error {
	return envelope.Unpack(r, m, limit)
}

// appendObject appends the object, which goes through the filters.
func appendObject(dst []byte, m *message.Message) ([]byte, error) {
	dst = strconv.AppendInt(append(dst, `{"seq":`...), int64(m.Seq()), 10)
	dst = strconv.AppendUint(append(dst, `,"mtype":`...), uint64(m.Mtype()), 10)
	dst = appendMethod(append(dst, `,"serviceMethod":"`...), m.ServiceMethod())
	dst = append(dst, `","status":"`...) // query text needs no JSON escapes
	dst = append(m.Status().AppendQuery(dst), `","meta":"`...)
	at := len(dst)
	dst = escapeFrom(m.Meta().AppendQuery(dst), at)
	dst = strconv.AppendUint(append(dst, `","bodyCodec":`...), uint64(m.BodyCodec()), 10)
	dst = append(dst, `,"body":"`...)
	at = len(dst)
	dst, err := m.AppendBody(dst)
	if err != nil {
		return dst, err
	}
	return append(escapeFrom(dst, at), `"}`...), nil
}

// identitySize is the length, in bytes, of the part of an object that identify
// reads.
const identitySize = len(`{"seq":-2147483648,"mtype":255,`)

// identify is the Identify of the envelope, for objects as Pack and v7 write them.
func identify(m *message.Message, b []byte) {
	p := parser{b: b}
	if !p.literal(`{"seq":`) {
		return
	}
	seq, err := p.integer(math.MinInt32, math.MaxInt32)
	if err != nil || !p.literal(`,"mtype":`) {
		return
	}
	mtype, err := p.integer(0, math.MaxUint8)
	if err != nil || !p.literal(",") {
		return
	}
	m.SetSeq(int32(seq))
	m.SetMtype(byte(mtype))
}

func malformed(form string, args ...any) error { return proto.Malformed("jsonproto", form, args...) }
