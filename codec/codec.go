package codec

import "github.com/goerpc/erpc/internal/bufpool"

// The ids that erpc v7 put on the wire. The names are v7's and keep their
// underscores, against Go's style, because programs use them.
const (
	// NilCodecID says that a message has no body codec. It cannot be registered.
	NilCodecID byte = 0

	ID_JSON     byte = 'j' // JSONCodec
	ID_PROTOBUF byte = 'p' // ProtobufCodec
	ID_THRIFT   byte = 't' // thriftcodec.Codec, once thriftcodec.Reg has been called
	ID_FORM     byte = 'f' // FormCodec
	ID_PLAIN    byte = 's' // PlainCodec
	ID_XML      byte = 'x' // XMLCodec
)

// The names under which [GetByName] finds the codecs above.
const (
	// NilCodecName stands for the absence of a codec. It cannot be registered.
	NilCodecName = ""

	NAME_JSON     = "json"
	NAME_PROTOBUF = "protobuf"
	NAME_THRIFT   = "thrift"
	NAME_FORM     = "form"
	NAME_PLAIN    = "plain"
	NAME_XML      = "xml"
)

// Codec encodes and decodes message bodies in one format.
//
// One value serves all sessions of a process, so every method must be safe for
// concurrent use. Package codectest checks an implementation.
type Codec interface {
	// ID is the byte that stands for the codec on the wire. It never changes
	// and is not NilCodecID.
	ID() byte
	// Name is the codec's name in configurations. It never changes and is not
	// empty.
	Name() string
	// Marshal returns the encoding of v in a buffer that the caller owns. It
	// must not modify v.
	Marshal(v any) ([]byte, error)
	// Unmarshal decodes data into the value that v points to. The buffer is reused
	// afterwards: Unmarshal must not modify data, and neither the codec nor the
	// decoded value may refer to it after Unmarshal has returned. Bad data or a
	// nil pointer gives an error, never a panic; if v is a plain nil, the codec
	// may drop the data or return an error.
	Unmarshal(data []byte, v any) error
}

// Appender is a [Codec] that can append to a given buffer, which saves a copy per
// message.
type Appender interface {
	Codec
	// MarshalAppend appends the encoding of v to dst and returns the extended
	// buffer, as append does. The bytes are those of Marshal. When it fails it
	// returns dst with its first len(dst) bytes untouched.
	MarshalAppend(dst []byte, v any) ([]byte, error)
}

// ZeroUnmarshaler is a [Codec] whose Unmarshal first empties the value, and that can
// save that work if the value is empty.
type ZeroUnmarshaler interface {
	Codec
	// UnmarshalZero is Unmarshal into a value that is the zero value of its type.
	UnmarshalZero(data []byte, v any) error
}

// UnmarshalZero is c.Unmarshal(data, v) for a pointer v to a zero value. It uses
// [ZeroUnmarshaler] if c implements it.
func UnmarshalZero(c Codec, data []byte, v any) error {
	if z, ok := c.(ZeroUnmarshaler); ok {
		return z.UnmarshalZero(data, v)
	}
	return c.Unmarshal(data, v)
}

// Append appends c's encoding of v to dst and returns the extended buffer. It uses
// [Appender] if c implements it. On failure it returns dst unchanged.
func Append(dst []byte, c Codec, v any) ([]byte, error) {
	if a, ok := c.(Appender); ok {
		out, err := a.MarshalAppend(dst, v)
		if err != nil {
			return dst, err
		}
		return out, nil
	}
	b, err := c.Marshal(v)
	if err != nil {
		return dst, err
	}
	return append(bufpool.Grow(dst, len(b)), b...), nil
}
