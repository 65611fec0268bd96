package bufpool

import "testing"

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
