// Package thriftcodec is the codec for Apache Thrift structs: thrift's binary
// protocol, one struct per body. It is separate from package codec so that only
// programs that use it link thrift. Call [Reg] once at the start of such a
// program.
package thriftcodec

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math"
	"reflect"

	"github.com/apache/thrift/lib/go/thrift"
	"github.com/goerpc/erpc/codec"
)

// Codec encodes values of types that the thrift compiler generates
// (thrift.TStruct). It also accepts nil, struct{}, *struct{} and nil pointers,
// which mean no value: they are encoded as an empty struct, and decoding into nil,
// struct{} or *struct{} ignores the data.
type Codec struct{}

var _ codec.Appender = Codec{}

// MaxDepth is how deeply structs may be nested in data. Thrift's own limit is the
// same, but only code from its newest compilers enforces it.
const MaxDepth = thrift.DEFAULT_RECURSION_DEPTH

const hint = "pass a generated struct (thrift.TStruct), nil or *struct{}, or choose another codec such as json"

// Reg registers Codec in package codec. Calling it again does nothing.
func Reg() { codec.Reg(Codec{}) }

// ID is codec.ID_THRIFT.
func (Codec) ID() byte { return codec.ID_THRIFT }

// Name is "thrift".
func (Codec) Name() string { return codec.NAME_THRIFT }

// Marshal returns the thrift encoding of v.
func (c Codec) Marshal(v any) ([]byte, error) { return c.MarshalAppend(nil, v) }

// MarshalAppend appends the thrift encoding of v to dst.
func (Codec) MarshalAppend(dst []byte, v any) ([]byte, error) {
	var s thrift.TStruct
	switch v := v.(type) {
	case thrift.TStruct:
		s = v
		if isNil(v) {
			s = ThriftEmpty{} // generated methods panic on nil
		}
	case nil, *struct{}, struct{}:
		s = ThriftEmpty{}
	default:
		return dst, &codec.TypeError{Codec: codec.NAME_THRIFT, Type: fmt.Sprintf("%T", v), Hint: hint}
	}
	buf := &thrift.TMemoryBuffer{Buffer: bytes.NewBuffer(dst)} // appends to dst
	if err := s.Write(context.Background(), thrift.NewTBinaryProtocolConf(buf, newConfig(math.MaxInt32))); err != nil {
		return dst, fmt.Errorf("codec: thrift: encode %T: %w", v, err)
	}
	return buf.Bytes(), nil
}

// Unmarshal decodes data, which must be exactly one struct, into v. It never
// allocates more than data could fill, whatever lengths are in it.
func (Codec) Unmarshal(data []byte, v any) error {
	s, ok := v.(thrift.TStruct)
	if !ok {
		switch v.(type) {
		case nil, *struct{}, struct{}:
			return nil
		}
		return &codec.TypeError{Codec: codec.NAME_THRIFT, Type: fmt.Sprintf("%T", v), Hint: hint}
	}
	if isNil(s) {
		return &codec.TypeError{Codec: codec.NAME_THRIFT, Type: fmt.Sprintf("%T", v), Hint: "the pointer is nil, pass one to a struct"}
	}
	if len(data) > math.MaxInt32 {
		return fmt.Errorf("codec: thrift: %d bytes are more than thrift's lengths can count", len(data))
	}
	buf := &thrift.TMemoryBuffer{Buffer: bytes.NewBuffer(data)} // only read from
	p := &depthProtocol{TBinaryProtocol: thrift.NewTBinaryProtocolConf(buf, newConfig(int32(len(data))))}
	if err := s.Read(context.Background(), p); err != nil {
		return fmt.Errorf("codec: thrift: decode %T: %w", v, err)
	}
	if n := buf.Len(); n > 0 {
		return fmt.Errorf("codec: thrift: %d bytes behind the %T", n, v)
	}
	return nil
}

// isNil reports a nil pointer (or map, or slice) behind the interface.
func isNil(s thrift.TStruct) bool {
	switch v := reflect.ValueOf(s); v.Kind() {
	case reflect.Pointer, reflect.Map, reflect.Slice:
		return v.IsNil()
	}
	return false
}

// newConfig returns limits under which no string or container may announce more
// than most bytes. Thrift itself compares containers with the bytes that are left.
func newConfig(most int32) *thrift.TConfiguration {
	most = max(most, 1) // thrift takes 0 for its default of 100 MiB
	return &thrift.TConfiguration{
		MaxMessageSize:     most,
		MaxFrameSize:       most,
		TBinaryStrictRead:  thrift.BoolPtr(true),
		TBinaryStrictWrite: thrift.BoolPtr(true),
	}
}

var errDepth = errors.New("structs are nested too deeply")

// depthProtocol refuses structs nested deeper than MaxDepth, because a stack
// overflow cannot be recovered from.
type depthProtocol struct {
	*thrift.TBinaryProtocol
	depth int
}

// ReadStructBegin is called by generated code at the start of every struct.
func (p *depthProtocol) ReadStructBegin(ctx context.Context) (string, error) {
	p.depth++
	if p.depth > MaxDepth {
		return "", thrift.NewTProtocolExceptionWithType(thrift.DEPTH_LIMIT, errDepth)
	}
	return p.TBinaryProtocol.ReadStructBegin(ctx)
}

// ReadStructEnd is called at the end of every struct that was read well.
func (p *depthProtocol) ReadStructEnd(ctx context.Context) error {
	p.depth--
	return p.TBinaryProtocol.ReadStructEnd(ctx)
}
