package scratch_test

import (
	"bytes"
	"testing"

	"github.com/goerpc/erpc/xfer/internal/scratch"
)

func TestBuffer(t *testing.T) {
	b := scratch.Get(100)
	if len(b.B) != 0 || cap(b.B) < 100 {
		t.Fatalf("Get(100): length %d, capacity %d", len(b.B), cap(b.B))
	}
	for _, part := range []string{"some ", "", "data"} {
		if n, err := b.Write([]byte(part)); n != len(part) || err != nil {
			t.Fatalf("Write(%q): %d, %v", part, n, err)
		}
	}
	got := b.Clone()
	scratch.Put(b)
	b = scratch.Get(0)
	defer scratch.Put(b)
	if len(b.B) != 0 {
		t.Errorf("Get gave %d bytes of an earlier user", len(b.B))
	}
	b.B = append(b.B, bytes.Repeat([]byte{'x'}, 100)...)
	if string(got) != "some data" || cap(got) > 16 {
		t.Errorf("Clone: got %q with capacity %d", got, cap(got))
	}
}

func TestLargeBuffersAreNotKept(t *testing.T) {
	const large = 1<<20 + 1
	scratch.Put(scratch.Get(large))
	// A pool may drop any buffer, but no Get may return the large one.
	for range 100 {
		b := scratch.Get(0)
		if cap(b.B) >= large {
			t.Fatalf("a buffer of %d bytes was kept", cap(b.B))
		}
	}
}

func TestCloneOfNothingIsNotNil(t *testing.T) {
	b := scratch.Get(0)
	defer scratch.Put(b)
	if got := b.Clone(); got == nil || len(got) != 0 {
		t.Errorf("got %v", got)
	}
}
