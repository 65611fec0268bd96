package codec

import (
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/protoadapt"
	"google.golang.org/protobuf/types/known/emptypb"

	"github.com/goerpc/erpc/internal/bufpool"
)

// PbEmpty is a protobuf message without fields: the argument or result of a
// call that has none.
type PbEmpty = emptypb.Empty

// ProtobufCodec encodes protobuf messages: those of google.golang.org/protobuf,
// and older generated ones (github.com/golang/protobuf, gogo/protobuf) through its
// adapter. It also accepts nil, struct{} and *struct{}, which mean no value: they
// are encoded as zero bytes, and decoding into them ignores the data.
//
// Messages with the methods of protoc-gen-go-vtproto are encoded by these. They
// are also decoded by UnmarshalVT, unless their type can contain itself: that
// method does not limit the depth. Neither method checks that strings are UTF-8.
type ProtobufCodec struct{}

var (
	_ Appender        = ProtobufCodec{}
	_ ZeroUnmarshaler = ProtobufCodec{}
)

const protobufHint = "pass a generated message (proto.Message), nil or *struct{}, or choose another codec such as json"

// ID is ID_PROTOBUF.
func (ProtobufCodec) ID() byte { return ID_PROTOBUF }

// Name is "protobuf".
func (ProtobufCodec) Name() string { return NAME_PROTOBUF }

// Marshal returns the protobuf encoding of v. A nil pointer gives no bytes.
func (c ProtobufCodec) Marshal(v any) ([]byte, error) { return c.MarshalAppend(nil, v) }

// MarshalAppend appends the protobuf encoding of v to dst. It allocates only
// to grow dst.
func (ProtobufCodec) MarshalAppend(dst []byte, v any) ([]byte, error) {
	var m proto.Message
	switch v := v.(type) {
	case vtMarshaler:
		return appendVT(dst, v)
	case proto.Message:
		m = v
	case nil, *struct{}, struct{}:
		return dst, nil
	case protoadapt.MessageV1:
		m = protoadapt.MessageV2Of(v)
	default:
		return dst, typeError(NAME_PROTOBUF, v, protobufHint)
	}
	size := proto.Size(m)
	out, err := proto.MarshalOptions{UseCachedSize: true}.MarshalAppend(bufpool.Grow(dst, size), m)
	if err != nil {
		return dst, err
	}
	return out, nil
}

// Unmarshal replaces the message v by the one in data.
func (ProtobufCodec) Unmarshal(data []byte, v any) error { return unmarshalProto(data, v, false) }

// UnmarshalZero implements [ZeroUnmarshaler].
func (ProtobufCodec) UnmarshalZero(data []byte, v any) error { return unmarshalProto(data, v, true) }

// unmarshalProto decodes data into v. zero says that v has no content to be replaced.
func unmarshalProto(data []byte, v any, zero bool) error {
	var m proto.Message
	switch v := v.(type) {
	case proto.Message:
		m = v
	case nil, *struct{}, struct{}:
		return nil
	case protoadapt.MessageV1:
		m = protoadapt.MessageV2Of(v)
	default:
		return typeError(NAME_PROTOBUF, v, protobufHint)
	}
	if !m.ProtoReflect().IsValid() {
		return typeError(NAME_PROTOBUF, v, "the pointer is nil, pass one to a message")
	}
	if vt, ok := decodesVT(m); ok {
		if !zero {
			proto.Reset(m)
		}
		return vt.UnmarshalVT(data)
	}
	return proto.UnmarshalOptions{RecursionLimit: MaxDepth, Merge: zero}.Unmarshal(data, m)
}
