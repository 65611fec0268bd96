package s2_test

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"testing"

	"github.com/goerpc/erpc/xfer"
	"github.com/goerpc/erpc/xfer/s2"
	"github.com/goerpc/erpc/xfer/xfertest"
)

func newFilter(tb testing.TB, level int) interface {
	xfer.XferFilter
	xfer.LimitedUnpacker
} {
	tb.Helper()
	f, err := s2.New('2', "s2", level)
	if err != nil {
		tb.Fatal(err)
	}
	return f.(*s2.Filter)
}

func TestConformance(t *testing.T) {
	for _, level := range []int{0, s2.Better} {
		t.Run(fmt.Sprint(level), func(t *testing.T) { xfertest.Run(t, newFilter(t, level)) })
	}
}

// TestBest uses little data, because that level takes long under the race
// detector.
func TestBest(t *testing.T) {
	f := newFilter(t, s2.Best)
	for _, n := range []int{0, 1, 300, 100_000} {
		data := xfertest.Text(n)
		packed, err := f.OnPack(data)
		if err != nil {
			t.Fatal(err)
		}
		got, err := f.OnUnpackLimit(packed, n)
		if err != nil || !bytes.Equal(got, data) {
			t.Errorf("%d bytes came back as %d, %v", n, len(got), err)
		}
	}
}

// TestGolden decodes blocks written by hand from the Snappy format description
// and its S2 extension.
func TestGolden(t *testing.T) {
	f := newFilter(t, s2.Fast)
	for _, v := range []struct{ name, packed, plain string }{
		{"empty", "00", ""},
		{"literal", "05" + "10" + hex.EncodeToString([]byte("hello")), "hello"},
		// "ab", then 8 bytes from offset 2 (copy with a 1-byte offset).
		{"copy", "0a" + "04" + hex.EncodeToString([]byte("ab")) + "1102", "ababababab"},
		// The same, then 4 more from the last offset: S2's repeat.
		{"repeat", "0e" + "04" + hex.EncodeToString([]byte("ab")) + "1102" + "0100", "ababababababab"},
	} {
		packed, err := hex.DecodeString(v.packed)
		if err != nil {
			t.Fatal(err)
		}
		got, err := f.OnUnpackLimit(packed, len(v.plain))
		if err != nil || string(got) != v.plain {
			t.Errorf("%s: got %q, %v; want %q", v.name, got, err, v.plain)
		}
	}
	// Data that is too short to compress has only one encoding.
	packed, err := f.OnPack([]byte("hello"))
	if err != nil || hex.EncodeToString(packed) != "051068656c6c6f" {
		t.Errorf("OnPack: got %x, %v", packed, err)
	}
}

func TestUnpackRefuses(t *testing.T) {
	f := newFilter(t, s2.Fast)
	good, err := f.OnPack(bytes.Repeat([]byte("hello"), 20))
	if err != nil {
		t.Fatal(err)
	}
	for n := range len(good) {
		if got, err := f.OnUnpack(good[:n]); err == nil {
			t.Errorf("first %d bytes: got %q, want an error", n, got)
		}
	}
	if got, err := f.OnUnpack(append(bytes.Clone(good), 0, 'x')); err == nil {
		t.Errorf("trailing bytes: got %q, want an error", got)
	}
}

// TestBomb: 16 MiB of zeros, and a few bytes that announce 4 GiB, cost only an
// error.
func TestBomb(t *testing.T) {
	const limit = 1 << 20
	f := newFilter(t, s2.Fast)
	bomb, err := f.OnPack(make([]byte, 16<<20))
	if err != nil {
		t.Fatal(err)
	}
	if len(bomb) > limit {
		t.Fatalf("%d bytes make no bomb", len(bomb))
	}
	announced := append(binary.AppendUvarint(nil, 1<<32-1), "data"...)
	for name, b := range map[string][]byte{"zeros": bomb, "announced": announced} {
		var err error
		used := allocated(func() { _, err = f.OnUnpackLimit(b, limit) })
		if !errors.Is(err, xfer.ErrTooLarge) {
			t.Errorf("%s: got %v, want xfer.ErrTooLarge", name, err)
		}
		if used > 64<<10 {
			t.Errorf("%s: %d bytes allocated for an error", name, used)
		}
	}
	lie := append(binary.AppendUvarint(nil, limit), "data"...)
	used := allocated(func() { _, err = f.OnUnpackLimit(lie, limit) })
	if err == nil || used > 2*limit {
		t.Errorf("a block that lies: error %v, %d bytes allocated", err, used)
	}
}

// register makes -count work: registering a second filter with the same id panics.
var register = sync.OnceFunc(func() { s2.Reg('2', "s2", s2.Better) })

func TestReg(t *testing.T) {
	register()
	f, err := xfer.GetByName("s2")
	if err != nil || f.ID() != '2' {
		t.Fatalf("got %v, %v", f, err)
	}
	for _, level := range []int{-1, 4} {
		if _, err := s2.New('x', "bad", level); err == nil {
			t.Errorf("New with level %d: no error", level)
		}
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("Reg with level %d did not panic", level)
				}
			}()
			s2.Reg('x', "bad", level)
		}()
	}
}

func FuzzUnpack(f *testing.F) {
	xfertest.Fuzz(f, newFilter(f, s2.Fast), []byte{}, []byte("\x0e\x04ab\x11\x02\x01\x00"))
}

func Benchmark(b *testing.B) { xfertest.Benchmark(b, newFilter(b, s2.Fast)) }

// allocated returns how many bytes were allocated while f ran.
func allocated(f func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}
