package codec_test

import (
	"bytes"
	"reflect"
	"testing"

	"github.com/goerpc/erpc/codec"
)

// held is how many bytes at least v refers to, without v itself.
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
			n += held(v.Field(i))
		}
		return n
	}
	return 0
}

// costs checks that Cost does not fall below what decoding data makes of v, a
// pointer to a zero value: a limit of a byte less refuses the body.
func costs(t *testing.T, c codec.Codec, data []byte, v any) {
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

// TestHeld: the measure of the fuzz targets finds what is held.
func TestHeld(t *testing.T) {
	type pair struct {
		A *int64
		B any
	}
	n := int64(1)
	for _, c := range []struct {
		v    any
		want int
	}{
		{new(int), 0},
		{new([]int32), 0},
		{&[]int32{1, 2}, 8},
		{&[]string{"abc"}, int(reflect.TypeFor[string]().Size()) + 3},
		{&map[int64]int64{1: 2, 3: 4}, 32},
		{&pair{A: &n, B: int64(2)}, 16},
		{&[2]string{"a", "bc"}, 3},
	} {
		if got := held(reflect.ValueOf(c.v).Elem()); got != c.want {
			t.Errorf("%T: %d bytes, want %d", c.v, got, c.want)
		}
	}
}
