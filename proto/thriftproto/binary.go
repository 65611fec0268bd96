package thriftproto

import (
	"bufio"
	"encoding/binary"

	"github.com/apache/thrift/lib/go/thrift"

	"github.com/goerpc/erpc/message"
	"github.com/goerpc/erpc/proto"
	"github.com/goerpc/erpc/xfer"
)

// NewBinaryProtoFunc returns a function that makes erpc v7's thrift-binary for a
// connection. The format carries everything that a message can have.
func NewBinaryProtoFunc() proto.Func { return func() proto.Proto { return binaryFormat{} } }

// binaryFormat has no state.
type binaryFormat struct{}

func (binaryFormat) Version() (id byte, name string) { return 'b', "thrift-binary" }

func (binaryFormat) Pack(dst []byte, m *message.Message) ([]byte, error) {
	start, pipe, kind := len(dst), m.XferPipe(), kindOf(m.Mtype())
	if pipe.Len() > xfer.MaxFilters {
		return dst, ErrTooManyFilters
	}
	w := beginHeader(dst, m.Seq(), dialect{header: true})
	switch m.Mtype() { // thrift lacks these types: they travel as others, with Tp-Mtype
	case message.TypeAuthCall:
		kind = thrift.CALL
	case message.TypeAuthReply:
		kind = thrift.REPLY
	case message.TypeStreamOpen, message.TypeStreamData, message.TypeStreamFull, message.TypeStreamEnd, message.TypeStreamCredit:
		kind = thrift.ONEWAY
	}
	if kind == thrift.INVALID_TMESSAGE_TYPE {
		return dst, ErrType
	}
	if extra := kind != kindOf(m.Mtype()); extra {
		w.count(5)
		w.byte(headerMtype, m.Mtype())
	} else {
		w.count(4)
	}
	w.query(HeaderStatus, m.Status().AppendQuery)
	w.query(HeaderMeta, m.Meta().AppendQuery)
	w.byte(HeaderBodyCodec, m.BodyCodec())
	w.query(HeaderXferPipe, pipe.AppendIDs)
	dst, err := w.end()
	if err != nil {
		return dst, err
	}
	dst = begin{kind, []byte(m.ServiceMethod()), m.Seq()}.appendTo(dst, false)
	dst = append(dst, 0, 0, 0, 0)
	inner := len(dst)
	dst, err = m.AppendBody(dst)
	if err == nil {
		dst, err = proto.Filter(dst, inner, m)
	}
	if err != nil {
		return dst, err
	}
	dst, err = endFrame(dst, start)
	if err == nil {
		binary.BigEndian.PutUint32(dst[inner-4:], uint32(len(dst)-inner))
	}
	return dst, err
}

func (binaryFormat) Unpack(r *bufio.Reader, m *message.Message, limit int) error {
	b, err := readFrame(r, m, limit, v7Owner)
	if err != nil {
		return err
	}
	c := cursor{b: b}
	h, kind, err := v7Begin(&c, m)
	if err != nil {
		return err
	}
	if kind == thrift.EXCEPTION {
		return exceptionReply(m, c.b)
	}
	body := c.take(int(int32(c.u32())))
	if c.bad || len(c.b) > 0 {
		return malformed("a body of another length than it says")
	}
	if err := h.pairs(func(k, v []byte) error { return binaryPair(m, k, v) }); err != nil {
		return err
	}
	body, err = proto.Unfilter("thriftproto", m, body, limit)
	if err != nil {
		return err
	}
	m.SetRaw(body)
	return nil
}

func binaryPair(m *message.Message, k, v []byte) error {
	switch string(k) {
	case HeaderBodyCodec:
		if len(v) > 0 {
			m.SetBodyCodec(v[0])
		}
	case HeaderXferPipe:
		m.XferPipe().Reset()
		if err := m.XferPipe().Append(v...); err != nil {
			return malformed("%w", err)
		}
	case headerMtype:
		if len(v) == 1 && v[0] > message.TypePush {
			m.SetMtype(v[0])
		}
	default:
		return v7Pair(m, k, v)
	}
	return nil
}

// v7Pair sets the header pairs that both formats of v7 have.
func v7Pair(m *message.Message, k, v []byte) error {
	switch string(k) {
	case HeaderStatus:
		st, err := message.ParseStatus(v)
		if err != nil {
			return malformed("%w", err)
		}
		m.SetStatus(st)
	case HeaderMeta:
		if err := m.Meta().ReadQuery(v); err != nil {
			return malformed("%w", err)
		}
	}
	return nil
}

// v7Begin consumes the header and the beginning of a message of v7's formats.
func v7Begin(c *cursor, m *message.Message) (header, thrift.TMessageType, error) {
	h, err := c.header()
	if err != nil {
		return h, 0, err
	}
	if h.compact || h.zlib {
		return h, 0, malformed("compact protocol or zlib, which erpc v7 does not use; use the stock format")
	}
	b, err := c.begin(false)
	if err != nil {
		return h, 0, err
	}
	mtype, err := mtypeOf(b.kind)
	if err != nil {
		return h, 0, err
	}
	m.SetMtype(mtype)
	m.SetSeq(b.seq)
	m.SetServiceMethod(message.Intern(b.name))
	return h, b.kind, nil
}

// v7Owner sets the type and sequence number of a message that will not be read, or
// reports that head is too short for that.
func v7Owner(m *message.Message, head []byte) (cut bool) {
	c := cursor{b: head}
	_, _, err := v7Begin(&c, m)
	return err != nil && c.bad
}
