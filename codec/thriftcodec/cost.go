package thriftcodec

import (
	"encoding/binary"
	"math"
	"reflect"

	"github.com/apache/thrift/lib/go/thrift"

	"github.com/goerpc/erpc/codec"
)

var _ codec.Coster = Codec{}

// Cost implements [codec.Coster]. It walks the fields in data. A struct and an
// entry of a map count as the largest element that v can hold, a string as its
// text and 32 bytes, and a number in a list as 8 bytes.
func (Codec) Cost(data []byte, v any, limit int) int {
	t := reflect.TypeOf(v)
	if t == nil || t.Kind() != reflect.Pointer {
		return 0 // nothing is decoded
	}
	elem := codec.ElementCost(t)
	if quick := len(data) * 2; elem < math.MaxInt32 && quick <= limit/(elem+64) {
		return quick * (elem + 64)
	}
	w := costWalk{b: data, elem: elem, limit: limit}
	w.value(thrift.STRUCT, 0)
	return w.cost
}

// costWalk passes over a struct in the binary protocol once. It stops at malformed
// data, at which Unmarshal stops too.
type costWalk struct {
	b     []byte
	elem  int
	cost  int
	limit int
}

// take consumes the next n bytes and reports whether there are that many.
func (w *costWalk) take(n int) ([]byte, bool) {
	if n < 0 || n > len(w.b) {
		return nil, false
	}
	b := w.b[:n]
	w.b = w.b[n:]
	return b, true
}

// fixed returns the length in bytes of types with a fixed length, and 0 for
// others.
func fixed(t thrift.TType) int {
	switch t {
	case thrift.BOOL, thrift.BYTE:
		return 1
	case thrift.I16:
		return 2
	case thrift.I32:
		return 4
	case thrift.I64, thrift.DOUBLE:
		return 8
	case thrift.UUID:
		return 16
	}
	return 0
}

// value walks one value and reports whether to continue.
func (w *costWalk) value(t thrift.TType, depth int) bool {
	if w.cost > w.limit || depth > MaxDepth {
		return false
	}
	if n := fixed(t); n > 0 {
		_, ok := w.take(n)
		return ok
	}
	switch t {
	case thrift.STRING:
		size, ok := w.size()
		if !ok {
			return false
		}
		w.cost += size + 32
		_, ok = w.take(size)
		return ok
	case thrift.STRUCT:
		w.cost += w.elem
		return w.fields(depth)
	case thrift.LIST, thrift.SET:
		return w.list(depth)
	case thrift.MAP:
		return w.entries(depth)
	}
	return false
}

func (w *costWalk) size() (int, bool) {
	b, ok := w.take(4)
	if !ok {
		return 0, false
	}
	n := int(int32(binary.BigEndian.Uint32(b)))
	return n, n >= 0 && n <= len(w.b)
}

func (w *costWalk) fields(depth int) bool {
	for {
		typ, ok := w.take(1)
		if !ok || typ[0] == thrift.STOP {
			return ok
		}
		if _, ok := w.take(2); !ok {
			return false
		}
		if !w.value(thrift.TType(typ[0]), depth+1) {
			return false
		}
	}
}

func (w *costWalk) list(depth int) bool {
	typ, ok := w.take(1)
	if !ok {
		return false
	}
	n, ok := w.size()
	if !ok {
		return false
	}
	w.cost += 48
	t := thrift.TType(typ[0])
	if size := fixed(t); size > 0 {
		w.cost += 16 * n
		if n > len(w.b)/size {
			return false
		}
		_, ok := w.take(size * n)
		return ok
	}
	w.cost += 24 * n // allocated before the elements are read
	for range n {
		if !w.value(t, depth+1) {
			return false
		}
	}
	return true
}

func (w *costWalk) entries(depth int) bool {
	types, ok := w.take(2)
	if !ok {
		return false
	}
	n, ok := w.size()
	if !ok {
		return false
	}
	w.cost += w.elem + 160*n // allocated before the entries are read
	for range n {
		if !w.value(thrift.TType(types[0]), depth+1) || !w.value(thrift.TType(types[1]), depth+1) {
			return false
		}
	}
	return true
}
