package thriftproto

import (
	"errors"
	"fmt"

	"github.com/apache/thrift/lib/go/thrift"

	"github.com/goerpc/erpc/codec"
	"github.com/goerpc/erpc/internal/guard"
	"github.com/goerpc/erpc/message"
)

// appendStruct appends the body in thrift's binary protocol; no body is an empty
// struct. The codec of the message is ignored for a value, because only one is
// possible; for bytes it tells whether they are a struct.
func appendStruct(dst []byte, m *message.Message) ([]byte, error) {
	var raw []byte
	switch b := m.Body().(type) {
	case nil:
	case []byte:
		raw = b
	case *[]byte:
		if b != nil {
			raw = *b
		}
	default:
		return appendValue(dst, b)
	}
	if len(raw) == 0 {
		return append(dst, 0), nil
	}
	if id := m.BodyCodec(); id != codec.ID_THRIFT && id != codec.NilCodecID {
		return dst, fmt.Errorf("%w, not bytes with codec %q", ErrNotThrift, id)
	}
	return append(dst, raw...), nil
}

// undecodable is an incomplete struct. It replaces an invalid body, so that decoding
// fails: the caller gets an error, and the connection goes on, because frames
// separate the messages.
var undecodable = []byte{thrift.STRUCT}

// appendValue appends v as encoded by the Thrift codec. A panic of a generated
// Write becomes an error, as in [message.Message.AppendBody].
func appendValue(dst []byte, v any) (out []byte, err error) {
	c, err := codec.Get(codec.ID_THRIFT)
	if err != nil {
		return dst, fmt.Errorf("thriftproto: call thriftcodec.Reg at the start of the program: %w", err)
	}
	defer guard.Catch(&err, "codec", c.Name())
	out, err = codec.Append(dst, c, v)
	if te, ok := errors.AsType[*codec.TypeError](err); ok {
		return dst, fmt.Errorf("%w, not a %s", ErrNotThrift, te.Type)
	}
	return out, err
}
