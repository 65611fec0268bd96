package wiretest

import "testing"

func TestAllocated(t *testing.T) {
	var kept []byte
	if n := Allocated(func() { kept = make([]byte, 10<<20) }); n < 10<<20 || n > 11<<20 {
		t.Errorf("%d bytes for %d", n, len(kept))
	}
	if n := Allocated(func() {}); n > 1<<20 {
		t.Errorf("%d bytes for nothing", n)
	}
}
