package jsonproto

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"strconv"

	"github.com/erpc-go/erpc/message"
	"github.com/erpc-go/erpc/proto"
	"github.com/erpc-go/erpc/xfer"
)

// Errors of Pack. The message can't be written in this format; nothing is.
var (
	ErrTooManyFilters = errors.New("jsonproto: more than 255 transfer filters")
	ErrFrameTooLong   = errors.New("jsonproto: frame longer than 4 GiB")
)

// prefix is the length, in bytes; it does not count itself.
const prefix = 4

// NewJSONProtoFunc returns a function that makes the format for a connection.
func NewJSONProtoFunc() proto.Func { return New }

// New returns the format for one connection. It has no state.
func New() proto.Proto { return format{} }

type format struct{}

func (format) Version() (id byte, name string) { return 'j', "json" }

func (format) Pack(dst []byte, m *message.Message) ([]byte, error) {
	start, pipe := len(dst), m.XferPipe()
	if pipe.Len() > math.MaxUint8 {
		return dst, ErrTooManyFilters
	}
	dst = pipe.AppendIDs(append(dst, 0, 0, 0, 0, byte(pipe.Len())))
	inner := len(dst)
	dst, err := appendObject(dst, m)
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

// appendObject appends what goes through the filters.
func appendObject(dst []byte, m *message.Message) ([]byte, error) {
	dst = strconv.AppendInt(append(dst, `{"seq":`...), int64(m.Seq()), 10)
	dst = strconv.AppendUint(append(dst, `,"mtype":`...), uint64(m.Mtype()), 10)
	dst = appendMethod(append(dst, `,"serviceMethod":"`...), m.ServiceMethod())
	dst = append(dst, `","status":"`...) // escaped as a query it needs no escapes of JSON
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
		return fmt.Errorf("jsonproto: a frame of %d bytes: %w", size, proto.ErrTooLarge)
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
		return fmt.Errorf("jsonproto: %w: %w", proto.ErrMalformed, err)
	}
	if !own {
		inner = m.Store(inner)
	}
	inner, err := pipe.OnUnpackLimit(inner, limit)
	switch {
	case errors.Is(err, xfer.ErrTooLarge):
		return fmt.Errorf("jsonproto: %w: %w", proto.ErrTooLarge, err)
	case err != nil:
		return fmt.Errorf("jsonproto: %w: %w", proto.ErrMalformed, err)
	}
	return parse(m, inner, true)
}

// peekOwner fills in whose message it is that will not be read, if that is
// written as Pack and v7 write it and has arrived: who claims a length need not
// send a byte more. size is that of the frame, in bytes.
func peekOwner(r *bufio.Reader, m *message.Message, size int64) {
	const most = prefix + 1 + len(`{"seq":-2147483648,"mtype":255,`)
	b, err := r.Peek(int(min(size, int64(most), int64(r.Buffered()))))
	if err != nil || len(b) <= prefix || b[prefix] != 0 { // behind filters it can't be known
		return
	}
	p := parser{b: b[prefix+1:]}
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

func malformed(form string, args ...any) error {
	return fmt.Errorf("jsonproto: %w: "+form, append([]any{proto.ErrMalformed}, args...)...)
}
