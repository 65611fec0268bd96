package session

import (
	"reflect"
	"testing"
)

// Each Call allocates one command. The runtime has no sizes between 256 and 288
// bytes.
func TestACommandFitsItsSizeClass(t *testing.T) {
	if size := reflect.TypeFor[CallCmd]().Size(); size > 256 && ^uint(0)>>32 != 0 {
		t.Errorf("a CallCmd has %d bytes, want at most 256: look at the order of its fields", size)
	}
}
