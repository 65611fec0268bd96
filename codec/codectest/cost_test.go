package codectest

import (
	"reflect"
	"testing"
)

// TestHeld: held, the measure of the fuzz targets, finds all memory.
func TestHeld(t *testing.T) {
	type pair struct {
		A *int64
		B any
	}
	type shared struct {
		known   *int64
		unknown []byte
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
		{&shared{known: &n, unknown: []byte("abc")}, 3},
	} {
		if got := held(reflect.ValueOf(c.v).Elem()); got != c.want {
			t.Errorf("%T: %d bytes, want %d", c.v, got, c.want)
		}
	}
}
