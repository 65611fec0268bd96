package session

import (
	"reflect"
	"testing"
)

// What each call allocates fits the runtime's sizes of 96 and 256 bytes; the next
// ones are 112 and 288.
func TestSizesOfWhatACallAllocates(t *testing.T) {
	if ^uint(0)>>32 == 0 {
		t.Skip("the sizes are those of 64-bit systems")
	}
	for _, c := range []struct {
		of   reflect.Type
		most uintptr
	}{
		{reflect.TypeFor[CallCmd](), 256},
		{reflect.TypeFor[deadline](), 96},
	} {
		if size := c.of.Size(); size > c.most {
			t.Errorf("a %v has %d bytes, want at most %d: look at the order of its fields", c.of, size, c.most)
		}
	}
}
