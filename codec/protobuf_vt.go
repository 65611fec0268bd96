package codec

import (
	"fmt"
	"reflect"
	"slices"
	"sync"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/goerpc/erpc/internal/bufpool"
)

// A vtMarshaler is a message with the methods that protoc-gen-go-vtproto generates
// for encoding.
type vtMarshaler interface {
	SizeVT() int
	MarshalToSizedBufferVT(buf []byte) (int, error) // writes at the end of buf
}

// A vtUnmarshaler is a message with its method for decoding, which merges.
type vtUnmarshaler interface{ UnmarshalVT(data []byte) error }

// appendVT appends the encoding of m to dst.
func appendVT(dst []byte, m vtMarshaler) ([]byte, error) {
	size := m.SizeVT()
	if size < 0 {
		return dst, fmt.Errorf("codec: protobuf: %T has the size %d", m, size)
	}
	out := bufpool.Grow(dst, size)[:len(dst)+size]
	n, err := m.MarshalToSizedBufferVT(out[len(dst):])
	if err != nil {
		return dst, err
	}
	if n != size { // it would start with foreign bytes
		return dst, fmt.Errorf("codec: protobuf: %T wrote %d bytes and has the size %d", m, n, size)
	}
	return out, nil
}

// flatMessages caches results of isFlat: the reflect.Type of a message to bool.
// Programs have few types, so nothing is ever dropped.
var flatMessages sync.Map

// decodesVT returns m as a vtUnmarshaler if that may decode untrusted data. Its
// method does not limit the depth, so the type of the message must.
func decodesVT(m proto.Message) (vtUnmarshaler, bool) {
	vt, ok := m.(vtUnmarshaler)
	if !ok {
		return nil, false
	}
	of := reflect.TypeOf(m)
	flat, known := flatMessages.Load(of)
	if !known {
		flat = isFlat(m.ProtoReflect().Descriptor(), nil, map[protoreflect.FullName]bool{})
		flatMessages.Store(of, flat)
	}
	return vt, flat.(bool)
}

// isFlat reports whether no message can contain one of its own type, at any depth.
// within are the messages around it, and flat holds the results so far.
func isFlat(md protoreflect.MessageDescriptor, within []protoreflect.FullName, flat map[protoreflect.FullName]bool) bool {
	name := md.FullName()
	if flat[name] {
		return true
	}
	if slices.Contains(within, name) || len(within) >= MaxDepth {
		return false
	}
	within = append(slices.Clone(within), name)
	for i := range md.Fields().Len() {
		if sub := md.Fields().Get(i).Message(); sub != nil && !isFlat(sub, within, flat) {
			return false
		}
	}
	flat[name] = true
	return true
}
