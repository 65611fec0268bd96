package codectest

import (
	"bytes"
	"reflect"
	"testing"

	"github.com/goerpc/erpc/codec"
)

// Cost checks that the Cost of c, a [codec.Coster], is at least the memory that
// decoding data into v, a pointer to a zero value, takes: a limit of one byte less
// must refuse the body. A body that can't be decoded, or takes no memory, passes.
// Cost is for fuzz targets.
func Cost(t testing.TB, c codec.Codec, data []byte, v any) {
	t.Helper()
	if err := c.Unmarshal(bytes.Clone(data), v); err != nil {
		return
	}
	n := held(reflect.ValueOf(v).Elem())
	if n == 0 {
		return
	}
	fresh := reflect.New(reflect.TypeOf(v).Elem()).Interface()
	if cost := codec.Cost(c, data, fresh, n-1); cost < n {
		t.Errorf("%s of %.100q into %T: %d bytes, the cost is %d", c.Name(), data, v, n, cost)
	}
}

// held returns a lower bound of the bytes that v refers to, without v itself.
func held(v reflect.Value) int {
	switch v.Kind() {
	case reflect.String:
		return v.Len()
	case reflect.Pointer:
		if v.IsNil() {
			return 0
		}
		return int(v.Type().Elem().Size()) + held(v.Elem())
	case reflect.Interface:
		if v.IsNil() {
			return 0
		}
		return int(v.Elem().Type().Size()) + held(v.Elem())
	case reflect.Slice, reflect.Array:
		n := 0
		if v.Kind() == reflect.Slice {
			n = v.Cap() * int(v.Type().Elem().Size())
		}
		for i := range v.Len() {
			n += held(v.Index(i))
		}
		return n
	case reflect.Map:
		n := v.Len() * int(v.Type().Key().Size()+v.Type().Elem().Size())
		for it := v.MapRange(); it.Next(); {
			n += held(it.Key()) + held(it.Value())
		}
		return n
	case reflect.Struct:
		n := 0
		for i := range v.NumField() {
			switch f := v.Field(i); f.Kind() {
			case reflect.Pointer, reflect.Interface, reflect.Map, reflect.Struct:
				if !v.Type().Field(i).IsExported() {
					continue // shared by all values, such as the type of a protobuf message
				}
				fallthrough
			default:
				n += held(f)
			}
		}
		return n
	}
	return 0
}
