package bufpool

import (
	"bytes"
	"runtime"
	"testing"
)

func TestGetReturnsWhatWasPut(t *testing.T) {
	for _, n := range []int{Min, Min + 1, 100_000, 1 << 20, 1<<20 + 40, 16<<20 + 45} {
		// The collector may empty the pools between two lines, so try a few times.
		var got []byte
		for range 10 {
			Put(make([]byte, n, n+16))
			if got = Get(n); got != nil {
				break
			}
		}
		if len(got) != 0 || cap(got) < n {
			t.Errorf("Get(%d) returned length %d, capacity %d", n, len(got), cap(got))
		}
	}
}

func TestGetNeverReturnsTooSmall(t *testing.T) {
	for range 10 {
		Put(make([]byte, 0, 1<<20))
		if b := Get(1<<20 + 1); b != nil && cap(b) < 1<<20+1 {
			t.Fatalf("capacity %d for %d bytes", cap(b), 1<<20+1)
		}
	}
}

func TestSizesOutsideAreNotKept(t *testing.T) {
	Put(make([]byte, 0, Min-1))
	Put(nil)
	if b := Get(Min - 1); b != nil {
		t.Errorf("a buffer of capacity %d for a small one", cap(b))
	}
	if b := Get(Max + 1); b != nil {
		t.Errorf("a buffer of capacity %d above the largest", cap(b))
	}
}

// A buffer that Make returns for one size also serves sizes nearby.
func TestMakeServesSizesNearby(t *testing.T) {
	for range 2 { // what other tests have put back is gone after two collections
		runtime.GC()
	}
	for _, n := range []int{0, 1, Min - 1, Min, Min + 1, 66_133, 1 << 20, 1<<20 + 1, 16<<20 + 40, Max} {
		b := Make(n)
		if len(b) != 0 || cap(b) < n || cap(b) > max(n, Min)+n/4 {
			t.Errorf("Make(%d) returned length %d, capacity %d", n, len(b), cap(b))
		}
		if n >= Min && n < Max && n&(n-1) != 0 && cap(b) < n+n/100 && cap(b)%(1<<11) != 0 {
			t.Errorf("Make(%d) has a capacity of %d, which fits no other size", n, cap(b))
		}
		if cap(b) > max(n, Min)+maxStep {
			t.Errorf("Make(%d) has a capacity of %d, more than %d too much", n, cap(b), maxStep)
		}
	}
	if b := Make(Max + 1); cap(b) < Max+1 {
		t.Errorf("capacity %d above the largest that is kept", cap(b))
	}
}

func TestGrow(t *testing.T) {
	for _, had := range []int{0, 3, Min, 3 * Min} {
		for _, more := range []int{0, 1, 100, Min, 5 * Min} {
			old := bytes.Repeat([]byte{7}, had)
			b := Grow(old, more)
			if len(b) != had || cap(b) < had+more || !bytes.Equal(b, old) {
				t.Errorf("%d bytes and %d more: length %d, capacity %d", had, more, len(b), cap(b))
			}
		}
	}
	// A buffer with room stays where it is.
	b := make([]byte, 1, 100)
	if g := Grow(b, 99); &g[0] != &b[0] || cap(g) != 100 {
		t.Error("a buffer with room was moved")
	}
}

// What the readers and writers of large frames share. Run with -cpu 1,2,4,8.
func BenchmarkShared(b *testing.B) {
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			Put(Make(64 << 10))
		}
	})
}
