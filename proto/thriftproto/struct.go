package thriftproto

import (
	"bufio"
	"errors"

	"github.com/apache/thrift/lib/go/thrift"

	"github.com/goerpc/erpc/codec"
	"github.com/goerpc/erpc/message"
	"github.com/goerpc/erpc/proto"
)

// NewStructProtoFunc returns a function that makes erpc v7's thrift-struct for a
// connection. Arguments and results are thrift structs, whatever codec the message
// names; nil is an empty struct. There are no transfer filters and no AUTH
// messages.
func NewStructProtoFunc() proto.Func { return func() proto.Proto { return structFormat{} } }

// structFormat has no state.
type structFormat struct{}

func (structFormat) Version() (id byte, name string) { return 's', "thrift-struct" }

// CarriesType implements [proto.Limited].
func (structFormat) CarriesType(mtype byte) bool { return mtype <= message.TypePush }

func (structFormat) Pack(dst []byte, m *message.Message) ([]byte, error) {
	start, kind := len(dst), kindOf(m.Mtype())
	switch {
	case m.XferPipe().Len() > 0:
		return dst, ErrFilters
	case kind == thrift.INVALID_TMESSAGE_TYPE:
		return dst, ErrType
	}
	w := beginHeader(dst, m.Seq(), dialect{header: true})
	w.count(2)
	w.query(HeaderStatus, m.Status().AppendQuery)
	w.query(HeaderMeta, m.Meta().AppendQuery)
	dst, err := w.end()
	if err != nil {
		return dst, err
	}
	dst = begin{kind, []byte(m.ServiceMethod()), m.Seq()}.appendTo(dst, false)
	dst, err = appendStruct(dst, m)
	if err != nil {
		return dst, err
	}
	return endFrame(dst, start)
}

func (structFormat) Unpack(r *bufio.Reader, m *message.Message, limit int) error {
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
	if err := h.pairs(func(k, v []byte) error { return v7Pair(m, k, v) }); err != nil {
		return err
	}
	if len(c.b) == 0 {
		c.b = undecodable
		if m.Mtype() == message.TypeReply && m.StatusOK() {
			m.SetStatus(message.NewStatus(message.CodeUnknownError, message.CodeText(message.CodeUnknownError), errLost))
		}
	}
	m.SetBodyCodec(codec.ID_THRIFT)
	m.SetRaw(c.b)
	return nil
}

// errLost is the cause that erpc v7 gives for everything over thrift-struct.
var errLost = errors.New("the call failed; erpc v7 can't say why over thrift-struct")
