package codec

import (
	"reflect"
	"sync"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/protoadapt"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
)

var _ Coster = ProtobufCodec{}

// Cost implements [Coster]. It walks data along the descriptor of v. A message
// counts the size of its Go struct, an element of a list 9/4 of its size, an entry
// of a map 9 times that of key and value, and a string its text and 16 bytes.
func (ProtobufCodec) Cost(data []byte, v any, limit int) int {
	const worst = 512 // bytes for one byte of data, except for very large messages
	if quick := times(len(data), worst); quick <= limit {
		return quick
	}
	var m proto.Message
	switch v := v.(type) {
	case proto.Message:
		m = v
	case protoadapt.MessageV1:
		m = protoadapt.MessageV2Of(v)
	default:
		return 0 // nothing is decoded, or Unmarshal refuses it
	}
	w := protoWalk{limit: limit}
	w.message(m.ProtoReflect().Descriptor(), data, 0)
	return w.cost
}

// protoWalk passes over a message once. It stops at invalid protobuf, which
// Unmarshal refuses at the same place.
type protoWalk struct{ cost, limit int }

func (w *protoWalk) add(n int) { w.cost = plus(w.cost, n) }

// message walks the fields of a message and reports whether to continue.
func (w *protoWalk) message(md protoreflect.MessageDescriptor, b []byte, depth int) bool {
	if depth > MaxDepth {
		w.cost = max(w.cost, plus(w.limit, 1))
	}
	fields := md.Fields()
	before := protowire.Number(0) // number of the previous field
	unknown := false
	for len(b) > 0 {
		if w.cost > w.limit {
			return false
		}
		num, typ, n := protowire.ConsumeTag(b)
		if n < 0 {
			return false
		}
		size := protowire.ConsumeFieldValue(num, typ, b[n:])
		if size < 0 {
			return false
		}
		value := b[n : n+size]
		b = b[n+size:]
		fd := fields.ByNumber(num)
		if fd == nil { // kept as bytes, which grow by append; or an extension
			if !unknown {
				w.add(leastGrown)
			}
			unknown = true
			w.add(grown(n + size))
			continue
		}
		w.place(fd, num == before)
		before = num
		if !w.field(fd, typ, value, depth) {
			return false
		}
	}
	return w.cost <= w.limit
}

// place counts the memory of a value in its message; again says that the previous
// field was the same.
func (w *protoWalk) place(fd protoreflect.FieldDescriptor, again bool) {
	switch {
	case fd.IsMap() && again:
		w.add(entryCost(16, 24))
	case fd.IsMap():
		w.add(firstEntryCost(16, 24))
	case fd.IsList():
		w.add(grown(24)) // of the widest element, a []byte
	default:
		w.add(24) // a oneof, or the pointer of an optional field
	}
}

// field walks one value of a field.
func (w *protoWalk) field(fd protoreflect.FieldDescriptor, typ protowire.Type, value []byte, depth int) bool {
	sub := fd.Message()
	switch {
	case sub == nil && typ == protowire.BytesType && fd.IsList() && fd.Kind() != protoreflect.StringKind && fd.Kind() != protoreflect.BytesKind:
		w.add(times(len(value), grown(8))) // packed: one byte may become eight
		return true
	case sub == nil && typ == protowire.BytesType:
		w.add(len(value) + 16)
		return true
	case sub == nil:
		return true
	case typ == protowire.StartGroupType:
		w.add(protoSize(sub))
		_, _, n := protowire.ConsumeTag(value[max(0, len(value)-protowire.SizeTag(fd.Number())):])
		return w.message(sub, value[:len(value)-max(n, 0)], depth+1)
	case typ == protowire.BytesType:
		w.add(protoSize(sub))
		inner, n := protowire.ConsumeBytes(value)
		return n >= 0 && w.message(sub, inner, depth+1)
	}
	return true
}

// protoSizes caches results of protoSize: protoreflect.FullName to int.
var protoSizes sync.Map

// protoSize returns the size of a message's Go struct, in bytes.
func protoSize(md protoreflect.MessageDescriptor) int {
	if n, ok := protoSizes.Load(md.FullName()); ok {
		return n.(int)
	}
	size := 512 // of a message that is built at run time
	if mt, err := protoregistry.GlobalTypes.FindMessageByName(md.FullName()); err == nil {
		if t := reflect.TypeOf(mt.Zero().Interface()); t.Kind() == reflect.Pointer {
			size = allocated(int(t.Elem().Size()))
		}
	}
	protoSizes.Store(md.FullName(), size)
	return size
}
